"""A ledger in memory that keeps every promise of the real one but durability."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import Any

from switchover.canonical import canonical, digest_of
from switchover.errors import InputError, LostRace, UnknownMigration
from switchover.judge.block import Block, Tally
from switchover.judge.sample import Sample
from switchover.ledger.chain import Chain, Link, stamp
from switchover.ledger.copy import Copy, Head, PlanRow
from switchover.ledger.intake import by_part, check_blocks, intervals
from switchover.ledger.step import Step, entry_of, first, following
from switchover.machine.apply import begin
from switchover.machine.event import Event, Started
from switchover.machine.state import State
from switchover.ports import (
    SAMPLES_KEPT,
    Effect,
    Entry,
    Fold,
    Freeze,
    Ingested,
    Ledger,
    Part,
    Record,
    StageTally,
    Standing,
    StoredPlan,
)
from switchover.testing.freezes import InMemoryFreezes

_NEW_YEAR = datetime(2026, 1, 1, tzinfo=UTC)


@dataclass(slots=True)
class _Migration:
    state: State
    seal: str
    links: list[Link]
    plans: list[StoredPlan]
    cursor: str = ""
    evidence: str | None = None
    blocks: dict[str, Block] = field(default_factory=dict)
    tallies: dict[tuple[int, int, str, str], Tally] = field(default_factory=dict)
    samples: dict[int, list[Sample]] = field(default_factory=dict)


@dataclass(slots=True)
class _Queued:
    effect: Effect
    migration: str
    order: tuple[str, str, int, int]
    status: str = "pending"
    attempts: int = 0
    lease_until: datetime | None = None
    retry_at: datetime | None = None
    result: dict[str, Any] | None = None
    error: str | None = None

    def due(self, now: datetime) -> bool:
        leased = self.lease_until is not None and self.lease_until > now
        early = self.retry_at is not None and self.retry_at > now
        return self.status != "done" and not leased and not early


class InMemoryLedger:
    """The :class:`switchover.ports.Ledger` for tests; threads may share it."""

    def __init__(self, key: bytes | None = None) -> None:
        self.chain = Chain(key)
        self._lock = threading.RLock()
        self._migrations: dict[str, _Migration] = {}
        self._effects: dict[str, _Queued] = {}
        self._blocks: set[str] = set()
        self._samples: set[str] = set()
        self._freezes = InMemoryFreezes()

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
        step = first(self.chain, plan, state, event, at, actor)
        with self._lock:
            if state.migration in self._migrations:
                raise LostRace(state.migration, 0)
            queued = self._queued(step, at, effects)
            self._migrations[state.migration] = _Migration(
                step.state, step.seal, [step.link], [_copy(plan)]
            )
            self._effects.update(queued)
            return self.read(state.migration)

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
        """Write revision ``expected + 1``; see :class:`switchover.ports.Ledger`."""
        with self._lock:
            known = self._known(migration)
            if known.state.revision != expected:
                raise LostRace(migration, expected)
            head, newest = known.links[-1].digest, known.plans[-1]
            step = following(self.chain, known.state, head, newest, event, at, actor, plan)
            queued = self._queued(step, at, effects)
            known.state, known.seal = step.state, step.seal
            known.links.append(step.link)
            if plan is not None:
                known.plans.append(_copy(plan))
            self._effects.update(queued)
            return self.read(migration)

    def read(self, migration: str) -> Record:
        """State and newest plan."""
        with self._lock:
            known = self._known(migration)
            # A round trip through JSON, so that nobody holds a part of what is stored.
            state = State.from_dict(json.loads(canonical(known.state.to_dict())))
            return Record(state, _copy(known.plans[-1]))

    def migrations(self) -> list[State]:
        """Every migration's state, by name."""
        with self._lock:
            return [self.read(slug).state for slug in sorted(self._migrations)]

    def standings(self, migrations: Sequence[str]) -> dict[str, Standing]:
        """State, newest plan, cursor and evidence of many, of one moment."""
        with self._lock:
            return {
                slug: Standing(self.read(slug), self.cursor(slug), self.evidence(slug))
                for slug in migrations
                if slug in self._migrations
            }

    def entries(self, migration: str, after: int = 0, limit: int | None = None) -> list[Entry]:
        """Entries with a revision above ``after``, in order."""
        with self._lock:
            links = self._known(migration).links[max(after, 0) :]
            return [entry_of(link) for link in links[:limit]]

    def plans(self, migration: str) -> list[StoredPlan]:
        """Every version of the plan, oldest first."""
        with self._lock:
            return [_copy(plan) for plan in self._known(migration).plans]

    def cursor(self, migration: str) -> str:
        """Where collecting stopped; empty at the beginning."""
        with self._lock:
            return self._known(migration).cursor

    def ingest(
        self,
        migration: str,
        blocks: Sequence[Block],
        cursor: str,
        fold: Fold,
        *,
        always: bool = False,
        part: Part | None = None,
    ) -> Ingested:
        """Store and fold what is new; ``fold`` runs for fresh blocks, when nothing is stored, or
        ``always``."""
        check_blocks(migration, blocks)
        with self._lock:
            known = self._known(migration)
            unique = {block.id: block for block in blocks}
            fresh = [block for block in unique.values() if block.id not in self._blocks]
            text = known.evidence
            if fresh or always or text is None:
                document = fold(None if text is None else json.loads(text), fresh)
                text = canonical(document)
                for key, fresh_sum in by_part(document, fresh, part).items():
                    known.tallies.setdefault(key, Tally()).add(fresh_sum)
            self._blocks.update(block.id for block in fresh)
            known.blocks.update((block.id, block) for block in fresh)
            known.evidence, known.cursor = text, cursor
            return Ingested(len(fresh), len(blocks) - len(fresh), json.loads(text))

    def evidence(self, migration: str) -> dict[str, Any] | None:
        """The stored evidence; None before the first look."""
        with self._lock:
            text = self._known(migration).evidence
            document: dict[str, Any] | None = None if text is None else json.loads(text)
            return document

    def tallies(self, migration: str, attempt: int) -> list[StageTally]:
        """The sums of an attempt by stage, metric and system."""
        with self._lock:
            held = sorted(self._known(migration).tallies.items())
            return [
                StageTally(*key, replace(tally, sketch=dict(tally.sketch)))
                for key, tally in held
                if key[0] == attempt
            ]

    def blocks(self, migration: str, since: float, until: float) -> Iterator[Block]:
        """Stored blocks in order of time."""
        with self._lock:
            held = list(self._known(migration).blocks.values())
        wanted = [block for block in held if since <= block.start < until]
        yield from sorted(wanted, key=lambda block: (block.start, block.id))

    def rates(
        self, migration: str, metric: str, *, since: float = 0.0, bins: int = 60
    ) -> list[dict[str, Any]]:
        """Counts over time: ``{at, system, n, bad}``."""
        intervals(since, since, bins)  # refuses an impossible number
        with self._lock:
            held = self._known(migration).blocks.values()
            wanted = [b for b in held if b.metric == metric and b.start >= since]
        if not wanted:
            return []
        starts = [block.start for block in wanted]
        begin, width = intervals(min(starts), max(starts), bins)
        sums: dict[tuple[int, str], list[int]] = {}
        for block in wanted:
            place = (int(block.start * 1000) - begin) // width
            counts = sums.setdefault((place, block.system), [0, 0])
            counts[0] += block.n
            counts[1] += block.bad
        return [
            {"at": (begin + place * width) / 1000, "system": system, "n": n, "bad": bad}
            for (place, system), (n, bad) in sorted(sums.items())
        ]

    def keep_samples(self, migration: str, attempt: int, new: Sequence[Sample]) -> int:
        """Store those that are not there yet, and keep the newest."""
        with self._lock:
            held = self._known(migration).samples
            added = {s.id: s for s in new if s.id not in self._samples}
            self._samples.update(added)
            everything = [*held.get(attempt, ()), *(_copy_sample(s) for s in added.values())]
            everything.sort(key=lambda sample: (-sample.at, sample.id))
            held[attempt] = everything[:SAMPLES_KEPT]
            for sample in everything[SAMPLES_KEPT:]:
                self._samples.discard(sample.id)
            return len(added)

    def samples(self, migration: str, attempt: int) -> list[Sample]:
        """The stored disagreements of an attempt, newest first."""
        with self._lock:
            return list(self._known(migration).samples.get(attempt, ()))

    def freeze(self, stop: Freeze) -> Freeze:
        """Stop a scope; gives the stop that holds."""
        with self._lock:
            return self._freezes.add(stop)

    def unfreeze(self, scope: str, *, at: datetime, actor: str) -> Freeze | None:
        """Lift the stop of a scope."""
        with self._lock:
            return self._freezes.lift(scope, at, actor)

    def freezes(self, *, lifted: bool = False) -> list[Freeze]:
        """The stops that nobody lifted, or all."""
        with self._lock:
            return self._freezes.listing(lifted)

    def claim_effects(self, *, now: datetime, lease: float, limit: int = 20) -> list[Effect]:
        """Lease what is due, what was never tried first, and oldest first."""
        with self._lock:
            due = [queued for queued in self._effects.values() if queued.due(now)]
            due = sorted(due, key=lambda each: (each.attempts > 0, each.order))[:limit]
            for queued in due:
                queued.status, queued.attempts = "leased", queued.attempts + 1
                queued.lease_until = now + timedelta(seconds=lease)
            return [replace(_copy_effect(q.effect), attempts=q.attempts) for q in due]

    def finish_effect(self, key: str, result: dict[str, Any]) -> None:
        """Mark as done; the first result stays."""
        with self._lock:
            queued = self._effect(key)
            if queued.status != "done":
                queued.status, queued.lease_until, queued.error = "done", None, None
                queued.result = json.loads(canonical(result))

    def fail_effect(self, key: str, error: str, *, retry_at: datetime) -> None:
        """Give the effect back, to be claimed again from ``retry_at``."""
        with self._lock:
            queued = self._effect(key)
            if queued.status != "done":
                queued.status, queued.lease_until = "failed", None
                queued.error, queued.retry_at = error, retry_at

    def effects(self, migration: str) -> list[dict[str, Any]]:
        """``{key, kind, status, attempts, result, error}`` of a migration's effects."""
        with self._lock:
            self._known(migration)
            held = [q for q in self._effects.values() if q.migration == migration]
            return [
                {
                    "key": queued.effect.key,
                    "kind": queued.effect.kind,
                    "status": queued.status,
                    "attempts": queued.attempts,
                    "result": queued.result,
                    "error": queued.error,
                }
                for queued in sorted(held, key=lambda queued: queued.order[2:])
            ]

    def copies(self, migration: str | None = None) -> Iterator[Copy]:
        """What is held, for :func:`switchover.ledger.verify`."""
        with self._lock:
            slugs = sorted(self._migrations)
        for slug in slugs:
            if migration is None or slug == migration:
                with self._lock:
                    copy = _audited(slug, self._migrations[slug])
                yield copy

    def _known(self, migration: str) -> _Migration:
        if migration not in self._migrations:
            raise UnknownMigration(migration)
        return self._migrations[migration]

    def _effect(self, key: str) -> _Queued:
        if key not in self._effects:
            raise InputError(f"there is no effect {key!r} in the ledger")
        return self._effects[key]

    def _queued(self, step: Step, at: datetime, effects: Sequence[Effect]) -> dict[str, _Queued]:
        slug, revision = step.link.migration, step.link.revision
        queued: dict[str, _Queued] = {}
        for position, effect in enumerate(effects):
            if effect.key not in self._effects and effect.key not in queued:
                order = (stamp(at), slug, revision, position)
                copied = _copy_effect(effect)
                queued[effect.key] = _Queued(copied, slug, order, retry_at=effect.not_before)
        return queued


def begin_migration(
    ledger: Ledger,
    migration: str = "mood",
    *,
    document: dict[str, Any] | None = None,
    at: datetime = _NEW_YEAR,
    actor: str = "ann",
    effects: Sequence[Effect] = (),
) -> Record:
    """Write a migration's first entry, with ``document`` as its plan: where tests begin."""
    document = document or {"migration": migration}
    plan = StoredPlan(1, digest_of(document), document, "plans")
    event = Started(plan.digest, f"salt-{migration}", "string", at.timestamp(), actor)
    state = begin(migration, event)
    return ledger.create(plan, state, event, at=at, actor=actor, effects=effects)


def _audited(slug: str, known: _Migration) -> Copy:
    last, newest = known.links[-1], known.plans[-1]
    state = canonical(known.state.to_dict())
    head = Head(last.revision, state, last.digest, known.seal, newest.version, last.at)
    plans = [
        PlanRow(plan.version, plan.digest, canonical(plan.document), plan.directory)
        for plan in known.plans
    ]
    return Copy(slug, head, list(known.links), plans)


def _copy(plan: StoredPlan) -> StoredPlan:
    document = json.loads(canonical(plan.document))
    return StoredPlan(plan.version, plan.digest, document, plan.directory)


def _copy_effect(effect: Effect) -> Effect:
    return Effect(effect.key, effect.kind, json.loads(canonical(effect.payload)))


def _copy_sample(sample: Sample) -> Sample:
    return Sample.from_json(sample.to_json())
