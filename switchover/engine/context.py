"""What every use case works with: the ports, bundled, and a migration opened for work."""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from functools import cached_property
from typing import Any

from switchover.clock import Clock
from switchover.engine.fleet import Fleet
from switchover.engine.probing import Probing
from switchover.errors import LostRace
from switchover.judge.gate import GateSpec
from switchover.judge.rollout import Rules
from switchover.judge.target import TargetSpec
from switchover.judge.trigger import TriggerSpec
from switchover.machine.event import Event
from switchover.machine.inquiry import inquiry_of
from switchover.machine.state import TERMINAL, Phase, State
from switchover.plan.load import restore_plan
from switchover.plan.spec import Plan
from switchover.plan.stages import Stage, compile_gates, compile_rules, compile_stages
from switchover.plan.targets import compile_targets
from switchover.plan.usual_triggers import compile_triggers
from switchover.plan.validation import PlannedWave, compile_waves
from switchover.plan.work_items import ItemTable
from switchover.ports import (
    ActionRunner,
    AdapterValidator,
    Approvers,
    BlockStream,
    CheckRunner,
    DataChecker,
    Effect,
    Entry,
    Guards,
    ItemStore,
    ItemTracker,
    Ledger,
    MetricSource,
    ProbeRunner,
    Record,
    Rehearsals,
    RoutingStore,
    Spool,
    TrafficSplits,
)

#: How often a use case reads again and decides anew after another writer came first.
ATTEMPTS = 20

#: The longest wait before that, in seconds; random, so that writers fall out of step.
_STEP_ASIDE = 0.02

#: Performs one effect of the outbox; returns what is worth recording.
Handler = Callable[[Effect], dict[str, Any]]


@dataclass(frozen=True, slots=True)
class ItemPorts:
    """How work items are reached: ``store`` opens a table of the side that it is told."""

    store: Callable[[ItemTable, str], ItemStore]
    tracker: ItemTracker


@dataclass(frozen=True)
class Context:
    """The ports. Built by ``switchover.wiring`` or by a test."""

    ledger: Ledger
    routing: RoutingStore
    stream: BlockStream
    clock: Clock
    checks: CheckRunner
    adapters: AdapterValidator
    data: DataChecker
    handlers: Mapping[str, Handler] = field(default_factory=dict)
    splits: Callable[[Plan], TrafficSplits] | None = None
    items: ItemPorts | None = None
    sources: Callable[[Plan], Sequence[MetricSource]] | None = None
    approvers: Approvers | None = None
    probes: ProbeRunner | None = None
    guards: Guards | None = None
    actions: ActionRunner | None = None
    rehearsals: Rehearsals | None = None
    probing: Probing = field(default_factory=Probing)
    spool: Spool | None = None
    shared_fleet: Fleet | None = None

    @property
    def fleet(self) -> Fleet:
        """All migrations: as they are now, or as the sweep found them that shares a look."""
        return self.shared_fleet or Fleet(self.ledger)

    def open(self, migration: str) -> Case:
        """Read a migration as it is now."""
        return Case(self, self.ledger.read(migration))

    @property
    def timestamp(self) -> float:
        """Now, in seconds since the Unix epoch."""
        return self.clock.now().timestamp()


@dataclass(frozen=True)
class Case:
    """One migration at one revision, with what its plan compiles to."""

    context: Context
    record: Record

    @property
    def state(self) -> State:
        return self.record.state

    @cached_property
    def plan(self) -> Plan:
        return restore_plan(self.record.plan.document)

    @cached_property
    def entries(self) -> Sequence[Entry]:
        """All entries of the migration, oldest first; read once."""
        return self.context.ledger.entries(self.state.migration)

    @cached_property
    def stages(self) -> tuple[Stage, ...]:
        return compile_stages(self.plan)

    @cached_property
    def gates(self) -> tuple[GateSpec, ...]:
        return compile_gates(self.plan)

    @cached_property
    def targets(self) -> tuple[TargetSpec, ...]:
        return compile_targets(self.plan.targets)

    @cached_property
    def triggers(self) -> tuple[TriggerSpec, ...]:
        return compile_triggers(self.plan)

    @cached_property
    def rules(self) -> Rules:
        return compile_rules(self.plan)

    @cached_property
    def waves(self) -> tuple[PlannedWave, ...]:
        """The waves of the validation after a rollback; none for an engine without probes."""
        if self.context.probes is None:
            return ()
        return compile_waves(self.plan.rollback.validation)

    @property
    def stage(self) -> Stage:
        """The present stage."""
        return self.stages[self.state.stage]

    @property
    def watched(self) -> bool:
        """Whether it is judged: until it ends, and a completed one for as long as the plan says."""
        state = self.state
        if state.phase is Phase.COMPLETE:
            until = state.entered_at + self.plan.judgement.watch_after_complete
            return self.context.timestamp < until
        return state.phase not in TERMINAL

    @property
    def validated(self) -> bool:
        """Whether a rollback is being proved: waves of its validation are not on record yet."""
        if self.state.phase is not Phase.ROLLED_BACK:
            return False
        found = inquiry_of(self.state.inquiries, self.state.incident)
        return found is not None and bool(set(found.awaited) - set(found.failing))

    def append(
        self,
        event: Event,
        *,
        actor: str,
        effects: Sequence[Effect] = (),
        at: datetime | None = None,
    ) -> Case:
        """Write ``event`` as the next revision; raises ``LostRace`` if somebody was first."""
        record = self.context.ledger.append(
            self.state.migration,
            self.state.revision,
            event,
            at=at or self.context.clock.now(),
            actor=actor,
            effects=effects,
        )
        return Case(self.context, record)


def persist(
    context: Context, migration: str, make: Callable[[Case], tuple[Event, Sequence[Effect]] | None],
    *, actor: str,
) -> Case:  # fmt: skip
    """Append what ``make`` gives for the present state; on a lost race read and ask again.

    ``make`` returns None when there is nothing (left) to write. For events that are right
    whatever came in between; a step forward uses :meth:`Case.append` and gives way instead.
    An event that names its actor is written under that name.
    """
    for _ in range(ATTEMPTS - 1):
        case = context.open(migration)
        made = make(case)
        if made is None:
            return case
        try:
            return case.append(made[0], actor=_named(made[0], actor), effects=made[1])
        except LostRace:
            time.sleep(random.uniform(0, _STEP_ASIDE))
    case = context.open(migration)
    made = make(case)
    if made is None:
        return case
    return case.append(made[0], actor=_named(made[0], actor), effects=made[1])


def _named(event: Event, actor: str) -> str:
    return str(getattr(event, "actor", actor))
