"""Say what a plan will do, from the very list of stages that the engine executes."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict, dataclass
from typing import Any

from switchover.judge.gate import GateSpec
from switchover.judge.target import TargetSpec, amount, limit_words
from switchover.plan.catalogue import METRICS
from switchover.plan.explain_sources import SourceRow, source_row
from switchover.plan.explain_triggers import trigger_words
from switchover.plan.flags import candidate_flags
from switchover.plan.load import LoadedPlan
from switchover.plan.rollback_steps import compile_steps, step_words, waves
from switchover.plan.schedule import Schedule, Window
from switchover.plan.spec import Gate, Plan
from switchover.plan.stages import Stage, compile_gates, compile_stages
from switchover.plan.targets import compile_targets
from switchover.plan.together import place_of
from switchover.plan.units import spoken
from switchover.plan.validation import compile_waves, wave_words
from switchover.plan.work_items import WorkItems

_MODES = {
    "legacy_only": "legacy serves everybody",
    "parallel": "legacy serves everybody, the candidate answers too",
    "gradual": "the split decides who serves",
    "candidate_only": "the candidate serves everybody",
}


@dataclass(frozen=True, slots=True)
class Row:
    """One stage: ``split`` and ``shadow`` in percent, ``bake`` in seconds.

    ``before`` is what it takes to begin, ``needs`` what it takes to leave it, in sentences.
    """

    index: int
    key: str
    title: str
    mode: str
    meaning: str
    split: float
    shadow: float
    bake: float
    before: tuple[str, ...]
    needs: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Explanation:
    """What a plan will do; ``minimum`` is the sum of all bake times in seconds."""

    migration: str
    title: str
    move: str
    digest: str
    stages: tuple[Row, ...]
    schedule: str
    windows: tuple[str, ...]
    minimum: float
    sources: tuple[SourceRow, ...]
    targets: tuple[str, ...]
    rollback: tuple[str, ...]
    triggers: tuple[str, ...] = ()
    checklist: tuple[str, ...] = ()
    group: tuple[str, ...] = ()

    def to_dict(self) -> dict[str, Any]:
        """JSON-able, as ``plan explain --json`` prints it."""
        return asdict(self)

    def lines(self) -> tuple[str, ...]:
        """Plain text for a terminal or a log; sources are for a table of their own."""
        text = [f"{self.title} ({self.migration})", self.move, ""]
        told: dict[tuple[str, ...], int] = {}
        for row in self.stages:
            text.append(f"{row.index + 1}. {row.title}: {row.meaning}")
            shares = [f"split {row.split:g} %"] * (row.split > 0)
            shares += [f"shadow {row.shadow:g} %"] * (row.shadow > 0)
            shares += [f"bakes {spoken(row.bake)}"] * (row.bake > 0)
            if shares:
                text.append("   " + ", ".join(shares))
            text += [f"   to begin: {line}" for line in row.before]
            if row.needs in told:
                text.append(f"   to leave: the same as for stage {told[row.needs]}")
            else:
                text += [f"   to leave: {line}" for line in row.needs]
            if row.needs:
                told.setdefault(row.needs, row.index + 1)
        text += [f"Checklist before the first canary: {line}" for line in self.checklist]
        text += [f"Group: {line}" for line in self.group]
        text += ["", f"At least {spoken(self.minimum)} in all. {self.schedule}"]
        text += [f"Window: {line}" for line in self.windows]
        text += [f"Target: {line}" for line in self.targets]
        text += [f"Trigger: {line}" for line in self.triggers]
        text += [f"Rollback: {line}" for line in self.rollback]
        return tuple(text)


def explain(loaded: LoadedPlan) -> Explanation:
    """What ``loaded`` will do, stage by stage."""
    plan = loaded.plan
    stages, specs = compile_stages(plan), compile_gates(plan)
    legacy, candidate = plan.systems.legacy, plan.systems.candidate
    return Explanation(
        migration=plan.migration,
        title=plan.title,
        move=f"legacy {legacy.version} at {legacy.url} → candidate {candidate.version} "
        f"at {candidate.url}, kept apart by {plan.request_key.field}",
        digest=loaded.digest,
        stages=tuple(_row(plan, stage, specs) for stage in stages),
        schedule=_schedule(plan.schedule),
        windows=_windows(plan.schedule),
        minimum=sum(stage.bake for stage in stages),
        sources=tuple(map(source_row, plan.sources)),
        targets=tuple(map(_target_words, compile_targets(plan.targets))),
        rollback=_rollback(plan, specs),
        triggers=trigger_words(plan),
        checklist=plan.checklist.words() if plan.checklist else (),
        group=plan.group.words() if plan.group else (),
    )


def gate_words(gate: Gate, spec: GateSpec) -> str:
    """A gate as a sentence, from its compiled form: ``latency: 99 % of … within 200 ms``."""
    metric, limit = spec.metric, spec.limit
    words = {
        "proportion": f"{metric} at least {(1 - limit) * 100:g} %",
        "quantile": f"{spec.quantile * 100:g} % of {metric} within {spoken(limit)}",
        "relative_rate": f"failures in {metric} at most {limit:g} times legacy's",
        "relative_quantile": f"{spec.quantile * 100:g} % quantile of {metric} "
        f"at most {limit:g} times legacy's",
        "mean": f"{metric} on average at most {_measured(metric, limit)}",
        "paired": f"failures in {metric} at most {limit * 100:g} points above legacy's",
        "drift": f"{metric} distributed as legacy's, up to {limit * 100:g} %",
        "sample_ratio": f"{metric} split as wanted, up to {limit * 100:g} points",
        "memory": f"{metric} at most {limit * 100:g} %",
        "count": f"{metric} at most {limit:g}",
    }[spec.kind]
    known = METRICS.get(metric)
    upper = gate.at_least is None and (gate.at_most or (known and known.at_most)) is not None
    if spec.kind == "proportion" and upper:
        words = f"{metric} at most {limit * 100:g} %"
    if spec.to_promote != limit:
        strict = 1 - spec.to_promote if "at least" in words else spec.to_promote
        unit = spoken(strict) if spec.kind == "quantile" else _measured(metric, strict)
        words += f" (to promote: {unit})"
    words += "".join(f", {option}" for option in _options(spec))
    return words if spec.name == metric else f"{spec.name}: {words}"


def _target_words(spec: TargetSpec) -> str:
    name = spec.metric if spec.name == spec.metric else f"{spec.name}: {spec.metric}"
    words = f"{name} {limit_words(spec, spec.target)} over {spoken(spec.over)}; people are alerted "
    words += f"beyond {amount(spec, spec.alert)}"
    words += f" for {spoken(spec.after)}" * (spec.after > 0)
    return words + ", and nothing goes on meanwhile" * spec.hold


def _measured(metric: str, value: float) -> str:
    known = METRICS.get(metric)
    return spoken(value) if known is not None and known.unit == "seconds" else f"{value:g}"


def _options(spec: GateSpec) -> Iterator[str]:
    if spec.critical:
        yield "critical"
    if spec.report_only:
        yield "for report only"
    if spec.warm_up:
        yield f"not in a stage's first {spoken(spec.warm_up)}"
    if spec.noise is not None:
        yield f"on top of {spec.noise}"
    if spec.bursty:
        yield "judged by whole intervals"


def _row(plan: Plan, stage: Stage, specs: tuple[GateSpec, ...]) -> Row:
    return Row(
        index=stage.index,
        key=stage.key,
        title=stage.title,
        mode=stage.mode,
        meaning=_MODES.get(stage.mode, stage.mode),
        split=stage.split / 100,
        shadow=stage.shadow / 100,
        bake=stage.bake,
        before=(*_before(plan, stage), *_meeting(plan, stage), *filter(None, [stage.warning])),
        needs=_needs(plan, stage, specs),
    )


def _before(plan: Plan, stage: Stage) -> tuple[str, ...]:
    if not stage.approval or plan.approvals is None:
        return ()
    approvals = plan.approvals
    eyes = ", not whoever started the migration" if approvals.four_eyes else ""
    count = "one" if approvals.min_approvers == 1 else f"{approvals.min_approvers} different people"
    roles = "".join(f", {n} of {role} among them" for role, n in approvals.require.items())
    code = ", by personal code" if approvals.identity == "code" else ""
    return (
        f"approval by {count} of {', '.join(approvals.people)}{roles}{eyes}{code}; "
        f"without it after {spoken(approvals.expires)}: {approvals.on_expiry}",
    )


def _meeting(plan: Plan, stage: Stage) -> Iterator[str]:
    """What else has to be there: the checklist, and other migrations."""
    stages = compile_stages(plan)
    if plan.checklist and stage.index == next(s.index for s in stages if s.split):
        yield "the checklist is complete"
    for need in plan.group.depends_on if plan.group else ():
        if place_of(need.before, stages) == stage.index:
            yield f"{need.migration} has reached {need.reached}"
    for place in plan.group.barrier if plan.group else ():
        if place_of(place, stages) == stage.index:
            yield "every migration of the group is ready for its stage, or past it"


def _needs(plan: Plan, stage: Stage, specs: tuple[GateSpec, ...]) -> tuple[str, ...]:
    if stage.kind == "checks":
        return tuple(f"check passes: {check.name} ({check.system})" for check in plan.checks)
    if stage.kind == "adapters":
        return tuple(f"adapter keeps {consumer.name}'s contract" for consumer in plan.consumers)
    if stage.kind == "complete":
        return ()
    needs = [
        "gate " + gate_words(gate, spec)
        for gate, spec in zip(plan.gates, specs, strict=True)
        if stage.kind in spec.stages
    ]
    if stage.data_check:
        needs += [f"data check passes: {check.name}" for check in plan.data_checks]
        needs += _items(plan.work_items)
    return tuple(needs)


def _items(items: WorkItems | None) -> list[str]:
    """How work items are reconciled, in a sentence."""
    if items is None:
        return []
    left = f"at most {items.at_most} items" if items.at_most else "no item"
    repaired = [f"{rule.legacy} / {rule.candidate}: {rule.repair.replace('_', ' ')}"
                for rule in items.rules if rule.repair != "report"]  # fmt: skip
    how = f"repaired (legacy / candidate): {', '.join(repaired)}" if repaired else "none repaired"
    return [
        f"work items agree: {left} of {items.legacy.table} and {items.candidate.table} in two "
        f"states for over {spoken(items.settle)}; {how}"
    ]


def _schedule(schedule: Schedule) -> str:
    return (
        f"The plan's schedule is '{schedule.cron}' ({schedule.timezone}), at most one step each "
        f"time, on {', '.join(schedule.weekdays)}; `switchover deploy PLAN` brings it to Prefect."
    )


def _windows(schedule: Schedule) -> tuple[str, ...]:
    frozen = [f"frozen {_window(each)} ({each.reason})" for each in schedule.freeze]
    steps = [
        f"steps only {_window(each)}" + f" ({each.reason})" * bool(each.reason)
        for each in schedule.maintenance
    ]
    return (*frozen, *steps)


def _window(window: Window) -> str:
    start = f"{window.start:%Y-%m-%d %H:%M}"
    if window.rrule is not None:
        return f"for {spoken(window.duration or 0)} at each {window.rrule} from {start}"
    if window.end is not None:
        return f"{start} to {window.end:%Y-%m-%d %H:%M}"
    return f"for {spoken(window.duration or 0)} from {start}"


def _rollback(plan: Plan, specs: tuple[GateSpec, ...]) -> tuple[str, ...]:
    names = ", ".join(spec.name for spec in specs)
    if plan.rollback.automatic:
        lines = [f"automatic when the evidence against {names} reaches the limit"]
    else:
        lines = [f"by hand only; the judge reports when {names} ask for it"]
    if plan.judgement.no_data == "rollback":
        lines.append(f"automatic after {spoken(plan.judgement.no_data_after)} without evidence")
    if candidates := candidate_flags(plan):
        lines.append(f"switches off {', '.join(candidates)}")
    lines.append(f"promised within {spoken(plan.rollback.target)}")
    if plan.drill is not None:
        lines.append(plan.drill.words())
    proof = [f"validated in {wave_words(w)}" for w in compile_waves(plan.rollback.validation)]
    return (*lines, *_way_back(plan), *proof)


def _way_back(plan: Plan) -> Iterator[str]:
    """The steps of every level, in the order in which they can begin."""
    levels = plan.rollback.levels
    for path, title, _ in levels.lists():
        component = path[1] if path[0] == "component" else ""
        for number, wave in enumerate(waves(compile_steps(levels, path[0], component)), start=1):
            side = ", side by side" * (len(wave) > 1)
            yield from (f"{title}, {number}{side}: {step_words(each)}" for each in wave)
