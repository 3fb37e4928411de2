"""What becomes of a routing write: the halt that overrules it, the routers that took it.

Values only, shared by the routing port and its stores. Standard library only.
"""

from __future__ import annotations

import json
import uuid
from dataclasses import asdict, dataclass

from switchover.machine.snapshot import Snapshot


@dataclass(frozen=True, slots=True)
class Halt:
    """An emergency rollback that went to routing first; the ledger is completed from it.

    ``at`` is in seconds since the Unix epoch; ``epoch`` is the routing epoch it took;
    ``trigger`` says what asked for it (``judge``, ``person``), for the record.
    """

    id: str
    actor: str
    reason: str
    at: float
    epoch: int
    trigger: str = ""

    def to_json(self) -> str:
        """One line of JSON; :meth:`from_json` gives it back."""
        return json.dumps(asdict(self), separators=(",", ":"))

    @classmethod
    def from_json(cls, text: str) -> Halt:
        """Read :meth:`to_json`; raises ``ValueError`` on anything else."""
        try:
            return cls(**json.loads(text))
        except (TypeError, ValueError) as error:
            raise ValueError(f"not a halt: {error!r}") from error


def follower_id(proxy: str) -> str:
    """A new name by which a follower acknowledges what ``proxy`` follows."""
    return f"{proxy} #{uuid.uuid4().hex[:8]}"


@dataclass(frozen=True, slots=True)
class Acknowledgement:
    """A live router, or the follower of a proxy, says which epoch it serves, and since when.

    ``at`` is the moment (seconds since the Unix epoch) at which it took ``epoch``, not the
    moment of its last heartbeat.
    """

    router: str
    epoch: int
    at: float
    pid: int = 0
    host: str = ""

    @property
    def proxy(self) -> str:
        """The name of the proxy that a follower speaks for; empty for a router."""
        return self.router.rpartition(" #")[0]

    def to_json(self) -> str:
        """One line of JSON; :meth:`from_json` gives it back."""
        return json.dumps(asdict(self), separators=(",", ":"))

    @classmethod
    def from_json(cls, text: str) -> Acknowledgement:
        """Read :meth:`to_json`; raises ``ValueError`` on anything else."""
        try:
            document = json.loads(text)
            return cls(
                router=str(document["router"]),
                epoch=int(document["epoch"]),
                at=float(document["at"]),
                pid=int(document.get("pid", 0)),
                host=str(document.get("host", "")),
            )
        except (TypeError, KeyError, AttributeError, ValueError) as error:
            raise ValueError(f"not an acknowledgement: {error!r}") from error


@dataclass(frozen=True, slots=True)
class Routed:
    """What routing holds of a migration: its document and the halt in force, if any."""

    snapshot: Snapshot | None
    halt: Halt | None


@dataclass(frozen=True, slots=True)
class Propagation:
    """How far an epoch has spread.

    ``routers`` counts the live routers that serve it or a newer one; ``last_at`` is when the
    last of them took it (seconds since the Unix epoch, 0 without routers). ``complete`` is
    True when no live router is behind; ``waiting`` names those that are. ``lost`` names
    routers that went silent without signing off and whose ``max_staleness`` has not run out
    yet: they may still serve what they last heard.
    """

    routers: int
    complete: bool
    last_at: float
    waiting: tuple[str, ...] = ()
    lost: tuple[str, ...] = ()

    @classmethod
    def of(
        cls, epoch: int, live: tuple[Acknowledgement, ...], lost: tuple[str, ...] = ()
    ) -> Propagation:
        """Judge ``live`` routers by the epoch they should have reached."""
        reached = [ack.at for ack in live if ack.epoch >= epoch]
        waiting = tuple(ack.router for ack in live if ack.epoch < epoch)
        return cls(len(reached), not waiting, max(reached, default=0.0), waiting, lost)
