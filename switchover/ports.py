"""What the engine needs from the outside, as protocols. Adapters and fakes implement them."""

from __future__ import annotations

from collections.abc import Callable, Generator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Protocol

from switchover.judge.block import Block
from switchover.machine.event import Event
from switchover.machine.propagation import Acknowledgement as Acknowledgement
from switchover.machine.propagation import Halt as Halt
from switchover.machine.propagation import Propagation as Propagation
from switchover.machine.snapshot import Snapshot
from switchover.machine.state import State
from switchover.plan.spec import Check, Consumer, DataCheck, Plan


@dataclass(frozen=True, slots=True)
class StoredPlan:
    """One version of a plan in the ledger. ``digest`` is the SHA-256 of ``document``'s canonical
    JSON; ``directory`` is where its relative files are found."""

    version: int
    digest: str
    document: dict[str, Any]
    directory: str


@dataclass(frozen=True, slots=True)
class Effect:
    """A side effect outside SQL and Redis, to be done once. ``key`` is unique for ever.

    ``attempts`` counts its claims, this one included; 0 before the first.
    """

    key: str
    kind: str
    payload: dict[str, Any]
    attempts: int = field(default=0, compare=False)


@dataclass(frozen=True, slots=True)
class Entry:
    """One entry of the ledger: the event that made ``revision`` of ``migration``.

    ``digest`` covers every other field and ``previous``, the digest of the entry before.
    """

    migration: str
    revision: int
    at: datetime
    actor: str
    kind: str
    payload: dict[str, Any]
    previous: str
    digest: str


@dataclass(frozen=True, slots=True)
class Record:
    """A migration as the ledger holds it now."""

    state: State
    plan: StoredPlan


@dataclass(frozen=True, slots=True)
class Ingested:
    """What a collection brought: new blocks, known ones, and the evidence afterwards."""

    fresh: int
    duplicates: int
    evidence: dict[str, Any]


#: (stored evidence or None, fresh blocks) -> the evidence to store.
Fold = Callable[[dict[str, Any] | None, Sequence[Block]], dict[str, Any]]


class Ledger(Protocol):
    """The append-only, hash-chained record; the single source of truth.

    Every method raises :class:`~switchover.errors.DependencyUnavailable` when the database
    can't be reached, and ``InputError`` for an unknown migration.
    """

    def create(
        self,
        plan: StoredPlan,
        state: State,
        event: Event,
        *,
        at: datetime,
        actor: str,
        effects: Sequence[Effect] = (),
    ) -> Record:
        """Write revision 1; raises ``LostRace`` if the migration exists."""

    def append(
        self,
        migration: str,
        expected: int,
        event: Event,
        *,
        at: datetime,
        actor: str,
        effects: Sequence[Effect] = (),
        plan: StoredPlan | None = None,
    ) -> Record:
        """Apply ``event`` and write revision ``expected + 1`` together with its outbox rows;
        raises ``LostRace`` unless the stored revision is ``expected``, ``IllegalTransition``
        when the machine refuses. ``plan`` stores a new plan version with it."""

    def read(self, migration: str) -> Record: ...

    def migrations(self) -> list[State]:
        """Every migration's state, by name."""

    def entries(self, migration: str, after: int = 0, limit: int | None = None) -> list[Entry]: ...

    def plans(self, migration: str) -> list[StoredPlan]: ...

    def cursor(self, migration: str) -> str:
        """Where collecting the block stream stopped; empty at the beginning."""

    def ingest(self, migration: str, blocks: Sequence[Block], cursor: str, fold: Fold) -> Ingested:
        """Store the blocks that are new, fold them into the evidence and move the cursor, all in
        one transaction; concurrent calls are serialised."""

    def evidence(self, migration: str) -> dict[str, Any] | None: ...

    def rates(
        self, migration: str, metric: str, *, since: float = 0.0, bins: int = 60
    ) -> list[dict[str, Any]]:
        """Counts over time: ``{at, system, n, bad}`` in at most ``bins`` equal intervals."""

    def claim_effects(self, *, now: datetime, lease: float, limit: int = 20) -> list[Effect]:
        """Lease effects that are neither done nor leased, oldest first; a lease lasts ``lease``
        seconds, so that a crashed owner's effects come back."""

    def finish_effect(self, key: str, result: dict[str, Any]) -> None: ...

    def fail_effect(self, key: str, error: str, *, retry_at: datetime) -> None: ...

    def effects(self, migration: str) -> list[dict[str, Any]]:
        """``{key, kind, status, attempts, result, error}`` of a migration's effects."""


class RoutingStore(Protocol):
    """Where routers read the routing document; epoch-fenced."""

    def write(self, snapshot: Snapshot) -> None:
        """Publish; raises ``StaleEpoch`` for an older epoch or a document that a halt forbids."""

    def read(self, migration: str) -> Snapshot | None: ...

    def halt(
        self, migration: str, *, halt_id: str, actor: str, reason: str, at: float, trigger: str = ""
    ) -> Halt:
        """Send everything to legacy at once. A second call returns the halt that stands."""

    def halted(self, migration: str) -> Halt | None: ...

    def acknowledgements(self, migration: str) -> tuple[Acknowledgement, ...]: ...

    def wait_acknowledged(self, migration: str, epoch: int, timeout: float) -> Propagation:
        """Wait until every live router routes by ``epoch`` or newer, or ``timeout`` seconds."""


class TrafficSplit(Protocol):
    """A proxy that splits the traffic itself, kept in step with the routing document (T11)."""

    @property
    def name(self) -> str:
        """What messages call it, such as ``HAProxy /run/haproxy/admin.sock``."""

    def apply(self, snapshot: Snapshot, *, lift: bool = False) -> None:
        """Let the proxy split as ``snapshot`` says. Doing it again changes nothing, and mends a
        proxy that forgot. Raises ``StaleEpoch`` when the proxy follows a newer document, or
        fell back under this one and ``lift`` is not given; ``Refused`` when its configuration
        does not fit, ``DependencyUnavailable`` otherwise."""

    def fall_back(self) -> None:
        """Send everything to legacy under the epoch that the proxy has, for want of Redis. A
        newer document ends that, the same one only with ``lift``, an older one never."""

    def read(self) -> float | None:
        """The candidate's share that the proxy really has, 0 to 1; None while it can't tell."""


@dataclass(frozen=True, slots=True)
class MeasuredShare:
    """The candidate's share that ``proxy`` really has, 0 to 1: None while it can't tell, and
    where ``fault`` says why it can't be asked."""

    proxy: str
    share: float | None
    fault: str = ""


class TrafficSplits(Protocol):
    """All proxies of a migration."""

    def apply(self, snapshot: Snapshot) -> None:
        """Tell each, as :meth:`TrafficSplit.apply`; one error for all faults, after the last."""

    def measure(self) -> tuple[MeasuredShare, ...]:
        """What each does, in the plan's order."""


class BlockStream(Protocol):
    """The blocks that recorders shipped."""

    def read(self, migration: str, after: str, limit: int) -> tuple[list[Block], str, int]:
        """Blocks after the cursor, the new cursor, and how many entries were malformed."""

    def trim(self, migration: str, upto: str) -> None:
        """Forget blocks that are safely in the ledger's database."""


@dataclass(frozen=True, slots=True)
class CheckResult:
    """What one check found. ``detail`` holds its numbers."""

    name: str
    ok: bool
    summary: str
    seconds: float
    detail: Mapping[str, Any] = field(default_factory=dict)

    def to_dict(self) -> dict[str, Any]:
        return {"name": self.name, "ok": self.ok, "summary": self.summary,
                "seconds": round(self.seconds, 4), "detail": dict(self.detail)}  # fmt: skip


class CheckRunner(Protocol):
    """Runs one development-phase check; a failing system is a result, not an error."""

    def run(self, check: Check, plan: Plan, directory: str) -> CheckResult: ...


class AdapterValidator(Protocol):
    """Runs one consumer's adapter over recorded candidate output (P4)."""

    def validate(self, consumer: Consumer, directory: str) -> CheckResult: ...


class DataChecker(Protocol):
    """Runs one data-integrity suite (C4)."""

    def check(self, check: DataCheck) -> CheckResult: ...


#: What names a work item, the same on both sides.
ItemKey = int | str


@dataclass(frozen=True, slots=True)
class Item:
    """A work item as one side keeps it. ``updated`` is the time of its last change in seconds
    since the Unix epoch, None where it is not known; ``stamp`` the same as it is stored."""

    key: ItemKey
    state: str
    updated: float | None = None
    stamp: Any = field(default=None, compare=False)


@dataclass(frozen=True, slots=True)
class ItemChange:
    """``item``, if it is still as it was seen, shall be in ``state``."""

    item: Item
    state: str


class ItemStore(Protocol):
    """The work items of one side (T13).

    Every method raises ``DependencyUnavailable`` when the database does not answer, and
    ``InputError`` when the plan names what is not there or can't be compared.
    """

    def items(self) -> Generator[Item, None, None]:
        """All items, ascending by key: numbers by value, text by its code points. Read in
        pieces; close it when it is left before its end."""

    def find(self, keys: Sequence[ItemKey]) -> dict[ItemKey, Item]:
        """Those of ``keys`` that are there."""

    def set_states(self, changes: Sequence[ItemChange]) -> list[str]:
        """Make each change whose item is as it was seen, each for itself. Gives an answer for
        each: empty when it was made, ``changed`` when the item was different, otherwise why
        the database refused."""


class ItemTracker(Protocol):
    """What is known of work items between two looks. Losing it delays, and does no harm."""

    def in_flight(self, migration: str, keys: Sequence[ItemKey]) -> frozenset[ItemKey]:
        """Those of ``keys`` that a live claim holds."""

    def recall(self, migration: str) -> dict[str, Any] | None:
        """What was remembered last; None when it was forgotten."""

    def remember(self, migration: str, document: dict[str, Any], seconds: float) -> None:
        """Keep a JSON document for so many seconds."""


class Pager(Protocol):
    """Tells people. ``key`` makes a message unique; sending it twice shows it once."""

    def post(
        self,
        key: str,
        channel: str,
        text: str,
        blocks: Sequence[Mapping[str, Any]],
        thread: str | None = None,
    ) -> str:
        """Send and return the message's thread id."""


class Launcher(Protocol):
    """Starts and ends flow runs by deployment name."""

    def start(self, deployment: str, parameters: Mapping[str, Any], key: str) -> str:
        """Start a run once per ``key``; returns the run's id."""

    def resume(self, run_id: str, values: Mapping[str, Any]) -> None:
        """Resume a suspended run with typed input."""

    def waiting(self, deployment: str) -> list[tuple[str, Mapping[str, Any]]]:
        """Suspended runs of a deployment with their parameters."""
