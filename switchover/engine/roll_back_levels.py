"""Roll back less or more than one migration: one component, or the whole system (R2)."""

from __future__ import annotations

import uuid
from collections.abc import Sequence

from switchover.engine.context import Case, Context, persist
from switchover.engine.measure import spread
from switchover.engine.outbox import component_effects, measured_effects
from switchover.engine.project import project
from switchover.engine.reconcile import reconcile
from switchover.engine.roll_back import RolledBackOutcome, roll_back
from switchover.engine.rollback_steps import escalate_to
from switchover.engine.step_action import turn_group
from switchover.errors import (
    DependencyUnavailable,
    InputError,
    LostRace,
    NegativeAnswer,
    Refused,
    SwitchoverError,
)
from switchover.machine.event import ComponentRolledBack, Event, RollbackMeasured
from switchover.machine.state import RETRY, Phase
from switchover.plan.rollback_steps import LEVELS
from switchover.ports import CheckResult, Effect


def check_level(level: str, component: str) -> None:
    """Raise ``InputError`` unless there is such a level, and both belong together."""
    if level not in LEVELS:
        raise InputError(f"there is no level {level!r}; use one of {', '.join(LEVELS)}")
    if (level == "component") is not bool(component):
        raise InputError(
            "level component and the name of a component belong together; give both or neither"
        )


def roll_back_level(
    context: Context, migration: str, level: str, component: str = "", *, actor: str, reason: str,
    insist: bool = False,
) -> tuple[RolledBackOutcome, CheckResult | None]:  # fmt: skip
    """Roll back as much as a person says; with ``system`` also gives how the rest of it did.

    Raises what :func:`check_level` does, and what the rollback of the level does.
    """
    check_level(level, component)
    if level == "component":
        return roll_back_component(context, migration, component, actor=actor, reason=reason), None
    if level == "system":
        return roll_back_system(context, migration, actor=actor, reason=reason, insist=insist)
    outcome = roll_back(
        context, migration, actor=actor, trigger="person", reason=reason, insist=insist
    )
    return outcome, None


def left_behind(migration: str, group: CheckResult | None) -> NegativeAnswer | None:
    """What to tell when not the whole system is known to have turned; None when it is."""
    if group is None or group.ok:
        return None
    return NegativeAnswer(f"{migration} is on legacy, but not the whole system: {group.summary}")


def component_flags(case: Case, component: str) -> list[str]:
    """The flags of a component, by name; raises ``InputError`` for one that nobody knows."""
    found = sorted(name for name, flag in case.state.flags.items()
                   if flag.get("component") == component)  # fmt: skip
    if not found and component not in case.plan.rollback.levels.component:
        known = {str(flag.get("component")) for flag in case.state.flags.values()}
        known |= set(case.plan.rollback.levels.component)
        names = ", ".join(sorted(known - {"", "None"})) or "none"
        raise InputError(
            f"{case.state.migration} has no component {component!r}; its components: {names}"
        )
    return found


def roll_back_component(
    context: Context, migration: str, component: str, *, actor: str, reason: str,
    trigger: str = "person",
) -> RolledBackOutcome:  # fmt: skip
    """Switch the flags of one component off and hold the migration; who serves stays as it is.

    It is on record before routers hear of it, so it needs the database, as a rollback of the
    whole migration does not. Asking twice while it is held for that gives one incident. Raises
    ``Refused`` where all of the migration is on legacy already.
    """
    try:
        reconcile(context, migration)
    except DependencyUnavailable as error:
        raise DependencyUnavailable(
            error.name,
            f"{error.detail}; one component alone can't go back without it: `switchover rollback "
            f"{migration}` sends everything to legacy with Redis alone",
        ) from error
    now = context.timestamp
    incident = f"{migration}-{uuid.uuid4().hex[:12]}"

    def make(case: Case) -> tuple[Event, Sequence[Effect]] | None:
        if case.state.phase in RETRY:
            raise Refused(f"{migration} is on legacy with everything already")
        flags = component_flags(case, component)
        if is_back(case, component, flags):
            return None
        event = ComponentRolledBack(
            at=now, actor=actor, trigger=trigger, reason=reason, incident=incident,
            component=component, flags=flags,
        )  # fmt: skip
        return event, component_effects(case, event)

    case = persist(context, migration, make, actor=actor)
    pending: list[str] = []
    measured: RollbackMeasured | None = None
    try:
        project(case)
        measured = _measure(context, case, now, case.state.incident == incident, actor)
    except (DependencyUnavailable, LostRace) as error:
        pending.append(f"{error}: routers switch the flags off when it is back and anything runs")
    return RolledBackOutcome(
        migration=migration,
        incident=case.state.incident,
        seconds=measured.seconds if measured else None,
        routers=measured.routers if measured else 0,
        complete=bool(measured and measured.complete),
        recorded=True,
        pending=tuple(pending),
    )


def is_back(case: Case, component: str, flags: Sequence[str]) -> bool:
    """Whether the migration's last incident is a rollback of this component that stands."""
    if case.state.phase is not Phase.HELD and case.state.phase is not Phase.COMPLETE:
        return False
    if any(case.state.flags[name].get("enabled", True) for name in flags):
        return False
    for entry in reversed(case.context.ledger.entries(case.state.migration)):
        if entry.payload.get("incident") == case.state.incident and entry.kind == (
            ComponentRolledBack.kind
        ):
            return bool(entry.payload["component"] == component)
    return False


def _measure(
    context: Context, case: Case, since: float, fresh: bool, actor: str
) -> RollbackMeasured:
    """How long the routers took. That is no rehearsal of a rollback, so it counts as none."""
    state = case.state
    found = spread(context, state.migration, state.incident, state.epoch, since)
    event = RollbackMeasured(
        state.incident, found.at, found.seconds, found.routers, found.complete, reached=False
    )
    if fresh:
        persist(
            context, state.migration,
            lambda now: (event, measured_effects(now, state.incident))
            if now.state.incident == state.incident else None,
            actor=actor,
        )  # fmt: skip
    return event


def roll_back_system(
    context: Context, migration: str, *, actor: str, reason: str, insist: bool = False,
    trigger: str = "person",
) -> tuple[RolledBackOutcome, CheckResult]:  # fmt: skip
    """Roll back the migration, then every other of its group; the system level's steps follow.

    The first turns with Redis alone. Without the database nobody knows who belongs to the group:
    the result says so, and asking again completes it.
    """
    outcome = roll_back(
        context, migration, actor=actor, trigger=trigger, reason=reason, insist=insist
    )
    try:
        case = context.open(migration)
        group = turn_group(case, actor)
        if outcome.recorded:
            escalate_to(context, migration, case.state.incident, "system", actor, reason)
    except SwitchoverError as error:
        words = f"the rest of the system is not known to have turned: {error}; repeat this"
        return outcome, CheckResult("group", False, words, 0.0)
    return outcome, group
