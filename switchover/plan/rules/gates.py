"""Rules on gates: each can be decided in the stages it judges, and its limits make sense."""

from __future__ import annotations

from collections.abc import Iterator
from math import inf

from switchover.judge.gate import BURSTY
from switchover.judge.mean import FARTHEST, LEAST_CAP
from switchover.plan.catalogue import AGREEMENT, FORMS, METRICS, GateKind
from switchover.plan.draft import Draft
from switchover.plan.faults import nearest
from switchover.plan.rules.finding import Finding, rule
from switchover.plan.spec import Gate
from switchover.plan.steps import CanaryStage, ShadowStage
from switchover.plan.tree import Path, Scalar, find
from switchover.plan.units import spoken

#: The gate kinds that can read a metric of each unit.
_KINDS: dict[str, tuple[GateKind, ...]] = {
    "share": ("proportion", "relative_rate"),
    "seconds": ("quantile", "relative_quantile", "mean", "drift"),
    "bytes": ("memory",),
    "events": ("count",),
    "requests": ("sample_ratio",),
}
_RELATIVE = ("relative_rate", "relative_quantile")
#: Kinds whose limit is a part of a whole, with its upper end; a limit of 0 makes sense to some.
_PARTS = {"proportion": 1.0, "drift": 1.0, "paired": 1.0, "sample_ratio": 0.5}
_FROM_NOTHING = ("count", "memory", "paired", "sample_ratio")


def kind_of(gate: Gate) -> GateKind:
    """The gate's kind, its own or the catalogue's."""
    return gate.kind or METRICS[gate.metric].kind


@rule("gates", "stages")
def every_traffic_stage_is_judged(draft: Draft) -> Iterator[Finding]:
    """Each kind of stage with traffic has a gate, and each gate has a stage."""
    kinds = {stage.kind for stage in draft.plan.stages} & {"shadow", "canary"}
    # A right split says nothing about the candidate.
    gates = [gate for gate in draft.plan.gates if kind_of(gate) != "sample_ratio"]
    judged = {kind for gate in gates if not gate.report_only for kind in gate.stages}
    shown = {kind for gate in gates for kind in gate.stages}
    for kind in sorted(kinds - judged):
        advice = "let one of them decide: remove report_only" if kind in shown else (
            f"let a gate's stages include {kind}")  # fmt: skip
        yield Finding(("gates",), f"no gate judges the {kind} stages, so they could never be left",
                      advice, key=True)  # fmt: skip
    for index, gate in enumerate(draft.plan.gates):
        if not kinds & set(gate.stages):
            yield Finding(("gates", index, "stages"), "the plan has no stage that this gate judges",
                          "add such a stage, or change the gate's stages")  # fmt: skip


@rule("gates", "agreement")
def agreement_is_described(draft: Draft) -> Iterator[Finding]:
    """An agreement gate needs the section that says when two answers agree."""
    gates = [i for i, gate in enumerate(draft.plan.gates) if gate.metric == AGREEMENT]
    if gates and draft.plan.agreement is None:
        yield Finding(("gates", gates[0], "metric"),
                      "no agreement section says when two answers agree, and this gate needs it",
                      "add agreement: with the fields to compare")  # fmt: skip
    if not gates and draft.plan.agreement is not None:
        yield Finding(("agreement",), "answers are compared, and no gate judges the result",
                      f"add a gate on {AGREEMENT}", warning=True, key=True)  # fmt: skip


@rule("gates", "stages")
def pairs_are_collected(draft: Draft) -> Iterator[Finding]:
    """Where a gate compares the two systems, the stage sends requests to both."""
    applies = [gate for gate in draft.plan.gates if "canary" in gate.stages]
    agreement = [gate for gate in applies if gate.metric == AGREEMENT or kind_of(gate) == "paired"]
    relative = [gate for gate in applies if kind_of(gate) in (*_RELATIVE, "drift")]
    for index, stage in enumerate(draft.plan.stages):
        if not isinstance(stage, CanaryStage) or stage.shadow > 0:
            continue
        starved = agreement or (relative if stage.percent == 100 else [])
        if starved:
            name = starved[0].name or starved[0].metric
            yield Finding(("stages", index, "shadow"),
                          f"gate '{name}' compares both systems, and with shadow: 0 at "
                          f"{stage.percent:g} % one of them answers nothing it could use",
                          "raise shadow, like shadow: 10%")  # fmt: skip


@rule("gates")
def limits_fit_together(draft: Draft) -> Iterator[Finding]:
    """A promote limit looks the way of the rollback limit and is not looser."""
    for index, gate in enumerate(draft.plan.gates):
        at_least, at_most = _limits(gate)
        lower = at_least is not None
        right, wrong = ("promote_at_least", "promote_at_most")[:: 1 if lower else -1]
        own = "at_least" if lower else "at_most"
        if getattr(gate, wrong) is not None:
            yield Finding(("gates", index, wrong), f"the gate limits by {own}, and this is {wrong}",
                          f"use {right}")  # fmt: skip
            continue
        promote, limit = getattr(gate, right), at_least if lower else at_most
        if promote is None or limit is None:
            continue
        if promote < limit if lower else promote > limit:
            yield Finding(("gates", index, right),
                          f"the limit to promote, {promote:g}, is looser than that to roll back, "
                          f"{limit:g}", "make it stricter, or leave it out")  # fmt: skip


@rule("gates")
def limits_leave_room(draft: Draft) -> Iterator[Finding]:
    """Where nothing at all is allowed there is nothing to estimate; counting does that."""
    for index, gate in enumerate(draft.plan.gates):
        kind = kind_of(gate)
        for key in ("at_least", "at_most", "promote_at_least", "promote_at_most"):
            value = getattr(gate, key)
            if value is None:
                continue
            allowed = 1 - value if key.endswith("at_least") else value
            if (allowed <= 0 and kind not in _FROM_NOTHING) or allowed >= _PARTS.get(kind, inf):
                yield Finding(("gates", index, key), f"a {kind} gate can't be held to {value:g}",
                              f"write a share below {_PARTS[kind]:g}, like 2%"
                              if allowed >= _PARTS.get(kind, inf) and kind != "proportion" else
                              "leave some room; to allow none at all use kind: count")  # fmt: skip


@rule("gates")
def units_fit_the_kind(draft: Draft) -> Iterator[Finding]:
    """A duration has a unit and limits a duration; a percentage limits a share."""
    for index, gate in enumerate(draft.plan.gates):
        for key in ("at_least", "at_most", "promote_at_least", "promote_at_most", "cap"):
            path: Path = ("gates", index, key)
            node = find(draft.tree, path)
            if isinstance(node, Scalar) and node.value is not None:
                yield from _unit(kind_of(gate), path, node, _in_seconds(gate))


def _in_seconds(gate: Gate) -> bool:
    """Whether the gate limits a duration: quantiles do, and means of the catalogue's durations."""
    known = METRICS.get(gate.metric)
    return kind_of(gate) == "quantile" or (known is not None and known.kind == "mean")


def _unit(kind: GateKind, path: Path, node: Scalar, in_seconds: bool) -> Iterator[Finding]:
    text = str(node.text).strip()
    number = not isinstance(node.value, str)
    times, share = text.endswith("x"), text.endswith("%")
    duration = not (number or times or share)
    value = float(text.rstrip("x%")) / (100 if share else 1) if not duration else 0.0
    if in_seconds and not duration:
        yield Finding(path, f"{text} is not a duration, and a {kind} gate limits one",
                      "write a unit, like 200ms")  # fmt: skip
    elif kind not in ("quantile", "mean") and duration:
        yield Finding(path, f"{text} is a duration, and a {kind} gate limits something else",
                      _wanted(kind))  # fmt: skip
    elif times and kind not in _RELATIVE:
        yield Finding(path, f"{text} is a ratio, and a {kind} gate limits something else",
                      _wanted(kind))  # fmt: skip
    elif kind == "mean" and share:
        yield Finding(path, f"{text} is a share, and a mean gate limits something else",
                      _wanted(kind))  # fmt: skip
    elif kind == "count" and (share or value != int(value)):
        yield Finding(path, f"{text} is not a number of events", _wanted(kind))
    elif kind in _RELATIVE and value < 1:
        yield Finding(path, f"{text} asks the candidate to be better than legacy",
                      "for 'at most 50 % more' write 1.5x", warning=True)  # fmt: skip
    elif kind == "memory" and value > 5:
        yield Finding(path, f"{text} means {value * 100:g} % more memory than legacy",
                      f"for {value:g} % write {value:g}%", warning=True)  # fmt: skip


def _wanted(kind: GateKind) -> str:
    return {
        "proportion": "write a share, like 0.85 or 85%",
        "memory": "write the growth that is allowed, like 20%",
        "count": "write a whole number, like 0",
        "mean": "write a duration, like 600s, or a number",
        "paired": "write a difference, like 2%",
        "drift": "write a distance, like 10%",
        "sample_ratio": "write a deviation, like 2%",
    }.get(kind, "write a ratio, like 1.5x")


@rule("gates")
def kinds_fit_the_metric(draft: Draft) -> Iterator[Finding]:
    """A gate can read what its metric records; a quantile belongs to kinds that have one."""
    for index, gate in enumerate(draft.plan.gates):
        known = METRICS.get(gate.metric)
        kind = kind_of(gate)
        if known and kind not in _KINDS[known.unit]:
            yield Finding(("gates", index, "kind"),
                          f"a {kind} gate can't read {gate.metric}, measured in {known.unit}",
                          "use kind: " + " or ".join(_KINDS[known.unit]))  # fmt: skip
        guess = None if known else nearest(gate.metric, METRICS)
        if guess:
            yield Finding(("gates", index, "metric"), f"'{gate.metric}' is a metric of your own",
                          f"did you mean '{guess}'?", warning=True)  # fmt: skip
        if gate.quantile is not None and "quantile" not in kind:
            yield Finding(("gates", index, "quantile"), f"a {kind} gate has no quantile",
                          "remove it, or use kind: quantile")  # fmt: skip


@rule("gates")
def options_fit_the_kind(draft: Draft) -> Iterator[Finding]:
    """An option that the kind does not read would be believed in for nothing."""
    for index, gate in enumerate(draft.plan.gates):
        kind, at = kind_of(gate), ("gates", index)
        for option, kinds in (("cap", ("mean",)), ("noise", ("proportion",)), ("bursty", BURSTY)):
            if getattr(gate, option) and kind not in kinds:
                yield Finding((*at, option), f"{option} means nothing to a {kind} gate",
                              f"remove it; it belongs to {', '.join(kinds)}")  # fmt: skip
        if gate.noise == gate.metric:
            yield Finding((*at, "noise"), f"'{gate.noise}' is what this gate judges: the worse it "
                          "is, the more is allowed",
                          "name how often legacy agrees with itself, like noise_rate")  # fmt: skip
        if gate.critical and (gate.report_only or kind in ("count", "sample_ratio")):
            other = "report_only says that it decides nothing" if gate.report_only else (
                "count rolls back by itself anyway" if kind == "count" else
                "sample_ratio never rolls back")  # fmt: skip
            yield Finding((*at, "critical"), f"critical means nothing here: {other}", "remove it")
        if kind == "sample_ratio" and gate.promote_at_most is not None:
            yield Finding((*at, "promote_at_most"), "a sample_ratio gate has one limit only",
                          "keep at_most")  # fmt: skip
        if kind == "sample_ratio" and "canary" not in gate.stages:
            yield Finding((*at, "stages"), "only a canary splits requests", "judge canary stages")
        limit = _limits(gate)[1]
        if kind == "mean" and gate.cap is not None and limit and gate.cap < LEAST_CAP * limit:
            yield Finding((*at, "cap"), f"the cap {gate.cap:g} is too close to the limit {limit:g}",
                          f"write {LEAST_CAP * limit:g} at least")  # fmt: skip
        for option in ("at_most", "promote_at_most", "cap") if kind == "mean" else ():
            value = getattr(gate, option)
            if value and not 1.0 / FARTHEST <= value <= FARTHEST / 10.0:
                yield Finding((*at, option), f"nobody measures {value:g}", "use another unit")


@rule("gates", "stages")
def warm_ups_end(draft: Draft) -> Iterator[Finding]:
    """A warm-up as long as a stage's bake would leave nothing to judge by its end."""
    staged = [stage for stage in draft.plan.stages if isinstance(stage, CanaryStage | ShadowStage)]
    for index, gate in enumerate(draft.plan.gates):
        bakes = [stage.bake for stage in staged if stage.kind in gate.stages]
        if bakes and gate.warm_up > 0 and gate.warm_up >= min(bakes):
            yield Finding(("gates", index, "warm_up"),
                          f"the shortest stage bakes {spoken(min(bakes))}, no longer than this",
                          "shorten it, or let the stage bake longer", warning=True)  # fmt: skip


@rule("gates", "targets")
def metrics_have_one_form(draft: Draft) -> Iterator[Finding]:
    """A metric is of bools, of numbers, or of pairs of outcomes; recorders refuse the rest."""
    first: dict[str, tuple[int, str]] = {}
    for index, gate in enumerate(draft.plan.gates):
        form = FORMS.get(kind_of(gate))
        reads = [] if form is None else [("metric", gate.metric, form)]
        if gate.noise is not None:
            reads.append(("noise", gate.noise, "yes or no"))
        for key, metric, wanted in reads:
            place, known = first.setdefault(metric, (index, wanted))
            if known != wanted:
                yield Finding(("gates", index, key),
                              f"'{metric}' is read as {wanted} here and as {known} by "
                              f"gates[{place}]",
                              "record two metrics of different names")  # fmt: skip
    for index, target in enumerate(draft.plan.targets):
        place, known = first.get(target.metric, (0, ""))
        # A metric of the catalogue has its kind from there.
        own = target.kind is not None and target.metric not in METRICS
        wanted = FORMS[target.kind] if own and target.kind else known
        if known != wanted and known:
            yield Finding(("targets", index, "kind"),
                          f"'{target.metric}' is read as {wanted} here and as {known} by "
                          f"gates[{place}]", "record two metrics of different names")  # fmt: skip


def _limits(gate: Gate) -> tuple[float | None, float | None]:
    known = METRICS.get(gate.metric)
    if gate.at_least is None and gate.at_most is None and known:
        return known.at_least, known.at_most
    return gate.at_least, gate.at_most
