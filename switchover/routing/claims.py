"""Claims: the lease that lets exactly one system serve a work item.

    claims = Claims("agents")
    claim = claims.claim(delivery_id, owner="worker-3", system="legacy")
    if claim is not None:
        claims.complete(claim, {"labels": label(event)})

A claim whose owner died ends with its lease, and the next owner gets a higher fencing
token; what the first one still brings is then refused with ``StaleClaim``. Leases are in
the time of Redis, so that the clocks of the owners don't matter.
"""

from __future__ import annotations

import hashlib
import os
import socket
import uuid
from typing import Any

from switchover.canonical import canonical
from switchover.connection import open_client, reaching_redis, redis_address, redis_key, text
from switchover.errors import InputError
from switchover.judge.block import SYSTEMS
from switchover.routing.claim_scripts import CLAIMS
from switchover.routing.claim_state import Claim, ItemState, void

#: The systems that can serve an item.
SERVING = tuple(system for system in SYSTEMS if system != "pair")

#: Seconds for which the result of a completed item is remembered: a week.
RETENTION = 7 * 86_400.0

#: Bytes of JSON above which only a result's digest is kept.
LARGEST_RESULT = 65_536


def default_owner() -> str:
    """A name for this process, that no other has."""
    return f"{socket.gethostname()}:{os.getpid()}:{uuid.uuid4().hex[:8]}"


class Claims:
    """The claims of one migration, in Redis or Valkey.

    ``redis_url`` is a URL or a ready client, by default ``SWITCHOVER_REDIS_URL``. ``lease``
    and ``retention`` are in seconds. After ``retention`` a completed item is forgotten, and a
    delivery of it would be served anew; so it has to be longer than anybody redelivers.
    ``keep_results=False`` keeps digests only, no payload. Every method raises
    ``DependencyUnavailable`` while Redis can't be reached: nothing is served on a guess.
    """

    def __init__(
        self,
        migration: str,
        redis_url: Any = None,
        lease: float = 30.0,
        *,
        retention: float = RETENTION,
        keep_results: bool = True,
        largest_result: int = LARGEST_RESULT,
    ) -> None:
        if not 0.001 <= lease <= retention < float("inf"):
            raise InputError(
                f"a lease of {lease} s with a retention of {retention} s is impossible; "
                "a lease takes at least a millisecond, and the retention is not shorter"
            )
        self.migration, self.lease, self.retention = migration, lease, retention
        self._largest = largest_result if keep_results else -1
        self._lease, self._retention = round(lease * 1000), round(retention * 1000)
        self._connect(redis_url)

    def _connect(self, redis_url: Any) -> None:
        ready_client = redis_url is not None and not isinstance(redis_url, str)
        self._address: Any = redis_url if ready_client else redis_address(redis_url)
        self._script: Any = None

    def _run(self, item: str, verb: str, slot: str, *arguments: object) -> list[str]:
        """One atomic step on ``item``; its outcome first."""
        keys = (redis_key(self.migration, f"item:{item}"), redis_key(self.migration, "claims"))
        with reaching_redis(self._address):
            if self._script is None:
                self._script = open_client(self._address).register_script(CLAIMS)
            answer = self._script(keys=keys, args=(verb, slot, *map(str, arguments)))
        return [text(part) for part in answer]

    def claim(self, item: str, owner: str, system: str, *, shadow: bool = False) -> Claim | None:
        """Claim ``item`` for ``owner``; ``None`` while another claim holds it or once served.

        With ``shadow=True`` it is the right to run the item beside the serving system, for
        comparison: its result is recorded and never served. The system that serves the item
        can't shadow it too.
        """
        _checked(item, system)
        slot = "shadow" if shadow else "serve"
        # The nonce makes a repeated command, whose first answer got lost, one claim.
        outcome, *detail = self._run(
            item, "claim", slot, owner, system, uuid.uuid4().hex, self._lease, self._retention
        )
        if outcome != "claimed":
            return None
        token, until = map(int, detail)
        return Claim(self.migration, item, owner, system, token, until / 1000, shadow)

    def renew(self, claim: Claim) -> float:
        """Begin the lease anew; gives its end in seconds of Redis' clock.

        Also after its end, if nobody took the item over; ``StaleClaim`` otherwise.
        """
        return int(self._fenced(claim, "renew", self._lease, self._retention)[0]) / 1000

    def complete(
        self, claim: Claim, result: Any = None, *, system: str = "", failure: str = ""
    ) -> float:
        """Record ``result`` (JSON) as the item's; gives the moment in seconds of Redis' clock.

        ``system`` names the one that gave the result where it is not the claim's, as after a
        fallback. ``failure`` says why a shadow call has no result. Doing the same again is a
        success that changes nothing. ``StaleClaim`` when another owner took over, or when this
        claim was completed with something else.
        """
        if failure and not claim.shadow:
            raise InputError(f"{claim.item}: a failure can't be served; release the claim")
        system = system or claim.system
        _checked(claim.item, system)
        try:
            document = canonical(result)
        except (TypeError, ValueError, RecursionError) as error:
            raise InputError(f"{claim.item}: the result is not JSON: {error}") from error
        # Canonical JSON is ASCII, so characters are bytes.
        kept = document if len(document) <= self._largest else ""
        digest = hashlib.sha256(f"{failure}\n{document}".encode() if failure else document.encode())
        done = self._fenced(
            claim, "complete", system, digest.hexdigest(), kept, failure, self._retention
        )
        return int(done[0]) / 1000

    def release(self, claim: Claim) -> bool:
        """Give the item back, for the next owner to take at once.

        False when this claim was completed before: then nothing changes. ``StaleClaim`` when
        another owner took over.
        """
        return self._fenced(claim, "release")[0] == "1"

    def state(self, item: str) -> ItemState:
        """What is known of ``item``; ``free`` also for one never seen or forgotten."""
        _, now, *flat = self._run(item, "read", "serve")
        return ItemState.of(item, int(now), dict(zip(flat[::2], flat[1::2], strict=True)))

    def _fenced(self, claim: Claim, verb: str, *arguments: object) -> list[str]:
        if claim.migration != self.migration:
            raise InputError(f"{claim.item} was claimed in {claim.migration}, not {self.migration}")
        slot = "shadow" if claim.shadow else "serve"
        outcome, *detail = self._run(claim.item, verb, slot, claim.token, *arguments)
        if outcome == "void":
            raise void(claim, *detail)
        return detail


def _checked(item: str, system: str) -> None:
    if not isinstance(item, str) or not item:
        raise InputError(f"{item!r} is no name of a work item; give a text that is not empty")
    if system not in SERVING:
        raise InputError(f"unknown system {system!r}; one of {', '.join(SERVING)}")
