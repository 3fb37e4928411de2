"""How far the steps of a rollback are, read from the ledger, for whoever goes on or looks."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

from switchover.clock import iso
from switchover.engine.context import Case
from switchover.engine.rollback_progress import Due, Progress, StepRun, due, progress, steps_of
from switchover.errors import InputError
from switchover.plan.rollback_steps import LEVELS, PlannedStep, action_words


@dataclass(frozen=True, slots=True)
class StepsOutcome:
    """How far the steps came: ``left`` may begin now, ``frozen`` is why people are needed, and
    ``waiting`` (seconds since the Unix epoch) until when steps may run elsewhere. ``rows`` has
    every step of the levels that were entered, as JSON."""

    migration: str
    incident: str
    level: str
    rows: tuple[dict[str, Any], ...]
    left: tuple[str, ...] = ()
    frozen: str = ""
    waiting: float = 0.0

    @property
    def over(self) -> bool:
        """Whether nothing is left that goes on by itself."""
        return not (self.waiting or self.left)

    @property
    def sentence(self) -> str:
        """The same for people."""
        if self.frozen:
            return f"people are needed: {self.frozen}"
        if self.waiting:
            return "steps of the rollback are running"
        if self.left:
            return f"steps are left: {', '.join(self.left)}"
        if not self.rows:
            return "the rollback has no steps besides the traffic"
        bad = [row["step"] for row in self.rows if row["state"] in ("failed", "unknown")]
        never = [row["step"] for row in self.rows if row["state"] == "left out"]
        ended = len(self.rows) - len(never)
        words = f"{ended} step{'s' * (ended != 1)} of the rollback ended"
        words += f", without success: {', '.join(bad)}" if bad else " well"
        words += f"; left out: {', '.join(never)}" if never else ""
        if self.rows[0]["level"] == "component" != self.level:
            words += "; the whole migration went back, under an incident of its own"
        return words

    def to_dict(self) -> dict[str, Any]:
        waiting = iso(self.waiting) if self.waiting else None
        return {**asdict(self), "waiting": waiting, "over": self.over, "sentence": self.sentence}


def opened(case: Case, incident: str = "") -> Progress:
    """How far the steps of ``incident`` are; of the migration's last one by default.

    Raises ``InputError`` where there is none.
    """
    wanted = incident or case.state.incident
    if not wanted:
        name = case.state.migration
        raise InputError(
            f"{name} has no rollback whose steps could be taken; what one would take says: "
            f"switchover rollback {name} --dry-run"
        )
    return progress(case.context.ledger.entries(case.state.migration), wanted)


def look(case: Case, incident: str) -> tuple[Progress, Due]:
    """How far the steps are, and what is due now."""
    found = opened(case, incident)
    if case.state.incident != incident:
        # Another attempt, or another rollback: what was begun ends, nothing else begins.
        return found, Due()
    levels, group = case.plan.rollback.levels, case.plan.group is not None
    return found, due(levels, found, case.context.timestamp, group=group)


def outcome_of(case: Case, incident: str) -> StepsOutcome:
    """How far they came, in a form for people and programs."""
    found, left = look(case, incident)
    return StepsOutcome(
        case.state.migration, incident, found.level,
        tuple(_row(found, planned, left) for planned in all_steps(case, found)),
        tuple(planned.name for planned in left.begin), found.frozen or left.reason, left.waiting,
    )  # fmt: skip


def planned_steps(case: Case, found: Progress, level: str) -> tuple[PlannedStep, ...]:
    """The steps of one level of this rollback, in order."""
    return steps_of(case.plan.rollback.levels, found, level, case.plan.group is not None)


def all_steps(case: Case, found: Progress) -> list[PlannedStep]:
    """The steps of all levels that were entered; a component's other levels have an incident of
    their own."""
    mine = found.levels[:1] if found.component else found.levels
    return [each for level in LEVELS if level in mine for each in planned_steps(case, found, level)]


def find_level(case: Case, found: Progress, name: str) -> str:
    """The entered level that has the step ``name``, the last one first; raises ``InputError``."""
    steps = all_steps(case, found)
    for planned in reversed(steps):
        if planned.name == name:
            return planned.level
    known = ", ".join(planned.name for planned in steps) or "none"
    raise InputError(f"this rollback has no step {name!r}; its steps: {known}")


def _row(found: Progress, planned: PlannedStep, left: Due) -> dict[str, Any]:
    run = found.run(planned)
    back = found.reverses.get((planned.level, planned.name))
    return {
        "step": planned.name,
        "level": planned.level,
        "method": planned.step.method,
        "does": action_words(planned.step.action),
        "state": _state(run, found, left, planned.level),
        "summary": run.summary if run else "",
        "began": iso(run.began) if run else None,
        "ended": iso(run.ended) if run and run.ended else None,
        "seconds": run.seconds if run else None,
        "reversed": (back.outcome or "running") if back else "",
    }


def _state(run: StepRun | None, found: Progress, left: Due, level: str) -> str:
    if run is not None:
        return run.outcome or "running"
    if level in {passed for passed, _ in found.passed_over}:
        return "left out"
    return "left out" if left.over and not found.frozen else "waits"
