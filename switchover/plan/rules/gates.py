"""Rules on gates: each can be decided in the stages it judges, and its limits make sense."""

from __future__ import annotations

from collections.abc import Iterator

from switchover.plan.catalogue import METRICS, GateKind
from switchover.plan.draft import Draft
from switchover.plan.faults import nearest
from switchover.plan.rules.finding import Finding, rule
from switchover.plan.spec import CanaryStage, Gate
from switchover.plan.tree import Path, Scalar, find

#: The gate kinds that can read a metric of each unit.
_KINDS: dict[str, tuple[GateKind, ...]] = {
    "share": ("proportion", "relative_rate"),
    "seconds": ("quantile", "relative_quantile"),
    "bytes": ("memory",),
    "events": ("count",),
}
_RELATIVE = ("relative_rate", "relative_quantile")
AGREEMENT = "prediction_agreement_rate"


def kind_of(gate: Gate) -> GateKind:
    """The gate's kind, its own or the catalogue's."""
    return gate.kind or METRICS[gate.metric].kind


@rule("gates", "stages")
def every_traffic_stage_is_judged(draft: Draft) -> Iterator[Finding]:
    """Each kind of stage with traffic has a gate, and each gate has a stage."""
    kinds = {stage.kind for stage in draft.plan.stages} & {"shadow", "canary"}
    judged = {kind for gate in draft.plan.gates for kind in gate.stages}
    for kind in sorted(kinds - judged):
        yield Finding(("gates",), f"no gate judges the {kind} stages, so they could never be left",
                      f"let a gate's stages include {kind}", key=True)  # fmt: skip
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
    agreement = [gate for gate in applies if gate.metric == AGREEMENT]
    relative = [gate for gate in applies if kind_of(gate) in _RELATIVE]
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
        if kind in ("count", "memory"):
            continue
        for key in ("at_least", "at_most", "promote_at_least", "promote_at_most"):
            value = getattr(gate, key)
            if value is None:
                continue
            allowed = 1 - value if key.endswith("at_least") else value
            if allowed <= 0 or (kind == "proportion" and allowed >= 1):
                yield Finding(("gates", index, key), f"a {kind} gate can't be held to {value:g}",
                              "leave some room; to allow none at all use kind: count")  # fmt: skip


@rule("gates")
def units_fit_the_kind(draft: Draft) -> Iterator[Finding]:
    """A duration has a unit and limits a duration; a percentage limits a share."""
    for index, gate in enumerate(draft.plan.gates):
        for key in ("at_least", "at_most", "promote_at_least", "promote_at_most"):
            path: Path = ("gates", index, key)
            node = find(draft.tree, path)
            if isinstance(node, Scalar) and node.value is not None:
                yield from _unit(kind_of(gate), path, node)


def _unit(kind: GateKind, path: Path, node: Scalar) -> Iterator[Finding]:
    text = str(node.text).strip()
    number = not isinstance(node.value, str)
    times, share = text.endswith("x"), text.endswith("%")
    duration = not (number or times or share)
    value = float(text.rstrip("x%")) / (100 if share else 1) if not duration else 0.0
    if kind == "quantile" and not duration:
        yield Finding(path, f"{text} is not a duration, and a quantile gate limits one",
                      "write a unit, like 200ms")  # fmt: skip
    elif kind != "quantile" and duration:
        yield Finding(path, f"{text} is a duration, and a {kind} gate limits something else",
                      _wanted(kind))  # fmt: skip
    elif times and kind not in _RELATIVE:
        yield Finding(path, f"{text} is a ratio, and a {kind} gate limits something else",
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


def _limits(gate: Gate) -> tuple[float | None, float | None]:
    known = METRICS.get(gate.metric)
    if gate.at_least is None and gate.at_most is None and known:
        return known.at_least, known.at_most
    return gate.at_least, gate.at_most
