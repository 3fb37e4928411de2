"""What a step of a rollback does: its action, then its probes, within its time limit."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

from switchover.engine.context import Case, persist
from switchover.engine.measure import legacy_epoch
from switchover.engine.project import project
from switchover.engine.proxies import astray, measured
from switchover.engine.push import push
from switchover.engine.roll_back import roll_back
from switchover.errors import InputError, SwitchoverError
from switchover.machine.event import FlagsChanged, RollbackStepBegun
from switchover.machine.state import RETRY
from switchover.plan.probes import Probe
from switchover.plan.rollback_steps import (
    GROUP_STEP,
    Action,
    FlagsOff,
    FlagsOn,
    PlannedStep,
    SplitZero,
)
from switchover.ports import CheckResult

_log = logging.getLogger("switchover.rollback")

#: Migrations of a group that turn at the same time.
_AT_ONCE = 8
#: The shortest time that is left to anything, so that a limit of 0 is none.
_LEAST = 0.05


def perform(case: Case, planned: PlannedStep, begun: RollbackStepBegun) -> list[CheckResult]:
    """Do it and ask its probes; the results in order, up to the first bad one. A failure of any
    kind is a result."""
    step = planned.step
    ends = time.monotonic() + planned.seconds
    action = step.reverse if begun.reverse else step.action
    assert action is not None, "looked at before it began"
    if (planned.level, planned.name) == ("system", GROUP_STEP):
        results = [_tried("group", lambda: turn_group(case, begun.actor))]
    else:
        results = [_tried(step.name, lambda: _act(case, action, planned, begun))]
    # What shall hold is said of the step, not of its way back.
    for probe in [] if begun.reverse else step.probes:
        left = ends - time.monotonic()
        if not results[-1].ok:
            break
        if left < _LEAST:
            late = f"no time is left of {planned.seconds:g} s; raise limit, or look why it is slow"
            results.append(CheckResult(probe.name, False, late, 0.0))
            break
        results.append(_ask(case, probe, left, begun.at))
    return results


def turn_group(case: Case, actor: str) -> CheckResult:
    """Send the group's other migrations back to legacy; one that can't be hides no other."""
    began, group = time.perf_counter(), case.plan.group
    migration, turned, failed = case.state.migration, list[str](), list[str]()
    states = case.context.fleet.groups.get(group.name, []) if group else []
    names = [
        state.migration for state in states
        if state.migration != migration
        and state.phase not in RETRY
    ]  # fmt: skip
    with ThreadPoolExecutor(_AT_ONCE, thread_name_prefix="rollback-group") as pool:
        faults = pool.map(lambda name: _turned(case, name, actor), names)
        for name, fault in zip(names, faults, strict=True):
            turned += [] if fault else [name]
            failed += [f"{name}: {fault}"] if fault else []
    words = "no other migration of the group is left" if group else "it belongs to no group"
    words = f"turned {', '.join(turned)}" if turned else words
    words = f"{words}; not turned: {'; '.join(failed)}" if failed else words
    detail = {"turned": turned, "failed": failed}
    return CheckResult("group", not failed, words, time.perf_counter() - began, detail)


def _turned(case: Case, migration: str, actor: str) -> str:
    """Roll back another migration of the group; gives why it is not known to have turned."""
    state = case.state
    reason = f"{state.migration} went back, and its system with it: {state.reason}"
    try:
        outcome = roll_back(case.context, migration, actor=actor, trigger="group", reason=reason)
    except SwitchoverError as error:
        return str(error)
    unconfirmed = outcome.unconfirmed()
    return str(unconfirmed) if unconfirmed else ""


def _tried(name: str, do: Callable[[], CheckResult]) -> CheckResult:
    began = time.perf_counter()
    try:
        return do()
    except SwitchoverError as error:
        words = str(error)
    except Exception as error:
        # One step with a fault must not keep the others from being taken.
        _log.exception("step %s failed in an unforeseen way", name)
        words = f"a fault of Switchover itself: {type(error).__name__}: {error}"
    return CheckResult(name, False, words, time.perf_counter() - began)


def _act(case: Case, action: Action, planned: PlannedStep, begun: RollbackStepBegun) -> CheckResult:
    step, began = planned.step, time.perf_counter()
    if isinstance(action, FlagsOff | FlagsOn):
        summary = _set_flags(case, action, begun)
        return CheckResult(step.name, True, summary, time.perf_counter() - began)
    if isinstance(action, SplitZero):
        wrong = _not_on_legacy(case, planned.seconds)
        summary = wrong or "every live router and proxy sends all to legacy"
        return CheckResult(step.name, not wrong, summary, time.perf_counter() - began)
    if case.context.actions is None:
        raise InputError("nothing is connected here that could run a step outside")
    back = ":reverse" if begun.reverse else ""
    key = f"{begun.incident}:{planned.level}:{step.name}{back}"
    return case.context.actions.run(
        action, name=step.name, key=key, limit=planned.seconds,
        directory=case.record.plan.directory,
    )  # fmt: skip


def _ask(case: Case, probe: Probe, left: float, since: float) -> CheckResult:
    bounded = probe.model_copy(update={"timeout": min(probe.timeout, left)})

    def ask() -> CheckResult:
        if case.context.probes is None:
            raise InputError("nothing is connected here that could ask a probe")
        return case.context.probes.run(bounded, case.plan, case.record.plan.directory, since=since)

    return _tried(probe.name, ask)


def _set_flags(case: Case, action: FlagsOff | FlagsOn, begun: RollbackStepBegun) -> str:
    on = isinstance(action, FlagsOn)
    word = "on" if on else "off"

    def make(now: Case) -> tuple[FlagsChanged, tuple[()]] | None:
        flags = now.state.flags
        if unknown := sorted(set(action.flags) - set(flags)):
            raise InputError(f"{now.state.migration} has no flag {', '.join(unknown)}")
        wanted = [name for name in action.flags if flags[name].get("enabled", True) is not on]
        if not wanted:
            return None
        event = FlagsChanged(
            at=now.context.timestamp, actor=begun.actor, reason=f"step {begun.step} of a rollback",
            flags={name: {**flags[name], "enabled": on} for name in wanted},
        )  # fmt: skip
        return event, ()

    after = persist(case.context, case.state.migration, make, actor=begun.actor)
    project(after)
    return f"{', '.join(action.flags)} switched {word}"


def _not_on_legacy(case: Case, limit: float) -> str:
    """What still sends requests to the candidate, in words; empty when nothing does."""
    case = case.context.open(case.state.migration)
    project(case)
    faults = push(case)
    routing, state = case.context.routing, case.state
    stored = routing.read(state.migration)
    if stored is None or stored.serves_candidate:
        return "routing does not send all to legacy; see: switchover status"
    found = routing.wait_acknowledged(state.migration, legacy_epoch(case), limit)
    if not found.complete:
        return f"routers have not turned: {', '.join(found.waiting)}"
    return "; ".join(faults) or astray(case, measured(case))
