"""Rules on targets: the threshold lies beyond the target, in the metric's unit and direction."""

from __future__ import annotations

from collections.abc import Iterator

from switchover.plan.catalogue import METRICS
from switchover.plan.draft import Draft
from switchover.plan.faults import nearest
from switchover.plan.rules.finding import Finding, rule
from switchover.plan.spec import Plan
from switchover.plan.targets import KINDS, MetricTarget, kind_of
from switchover.plan.tree import Path, Scalar, find
from switchover.plan.units import spoken


@rule("targets")
def targets_have_a_kind(draft: Draft) -> Iterator[Finding]:
    """The metric is known, or its kind is given, and it is one that a window can show."""
    for index, target in enumerate(draft.plan.targets):
        kind, known = kind_of(target), METRICS.get(target.metric)
        at: Path = ("targets", index)
        if kind is None:
            guess = nearest(target.metric, METRICS)
            yield Finding((*at, "metric"), f"'{target.metric}' is not in the metrics catalogue, so "
                          "the target needs a kind",
                          f"did you mean '{guess}'?" if guess else
                          "add a kind, like kind: proportion")  # fmt: skip
        elif kind not in KINDS:
            yield Finding((*at, "metric"), f"a {kind} metric compares both systems over the "
                          "whole rollout, and has no target", "use a gate")  # fmt: skip
        elif known is not None and known.kind != kind:
            yield Finding((*at, "kind"), f"{target.metric} is of kind {known.kind}, not {kind}",
                          "remove kind, or record a metric of your own")  # fmt: skip
        elif target.quantile is not None and kind != "quantile":
            yield Finding((*at, "quantile"), f"a {kind} target has no quantile",
                          "remove it, or use kind: quantile")  # fmt: skip


@rule("targets")
def thresholds_lie_beyond_their_targets(draft: Draft) -> Iterator[Finding]:
    """What is worse than the target alerts, and which way is worse follows from the metric."""
    for index, target in _sound(draft.plan):
        known, kind = METRICS.get(target.metric), kind_of(target)
        if any(_unit_faults(draft, index, target)):
            continue
        lower = known is not None and known.at_least is not None
        upper = kind in ("quantile", "count") or (known is not None and known.at_most is not None)
        path: Path = ("targets", index, "alert")
        shown, aimed = (_written(draft, index, key) for key in ("alert", "target"))
        if target.alert == target.target and kind != "count":
            yield Finding(path, f"alert and target are both {shown}",
                          "leave room between them, or every wobble is an alert")  # fmt: skip
        elif lower and target.alert > target.target:
            yield Finding(path, f"more of {target.metric} is better, so an alert at {shown} would "
                          f"come before the target of {aimed} is missed",
                          f"write an alert below {aimed}")  # fmt: skip
        elif upper and target.alert < target.target:
            yield Finding(path, f"less of {target.metric} is better, so an alert at {shown} would "
                          f"come before the target of {aimed} is missed",
                          f"write an alert above {aimed}")  # fmt: skip


@rule("targets")
def limits_are_of_the_metrics_unit(draft: Draft) -> Iterator[Finding]:
    """Durations have a unit, shares lie between 0 and 1, events are whole."""
    for index, target in _sound(draft.plan):
        yield from _unit_faults(draft, index, target)
        furthest = 0.0 if target.alert < target.target else 1.0
        if kind_of(target) == "proportion" and target.alert == furthest:
            yield Finding(("targets", index, "alert"),
                          f"nothing lies beyond {_written(draft, index, 'alert')}",
                          "leave some room; to allow none at all use kind: count")  # fmt: skip


@rule("targets")
def windows_can_be_filled(draft: Draft) -> Iterator[Finding]:
    """A change lasts no longer than the window that shows it."""
    for index, target in enumerate(draft.plan.targets):
        if target.after > target.over:
            yield Finding(("targets", index, "after"),
                          f"{spoken(target.after)} is longer than the window of "
                          f"{spoken(target.over)}", "shorten it, or lengthen over")  # fmt: skip


def _sound(plan: Plan) -> Iterator[tuple[int, MetricTarget]]:
    """The targets whose kind has no fault of its own."""
    for index, target in enumerate(plan.targets):
        known, kind = METRICS.get(target.metric), kind_of(target)
        if kind in KINDS and (known is None or known.kind == kind):
            yield index, target


def _unit_faults(draft: Draft, index: int, target: MetricTarget) -> Iterator[Finding]:
    known, kind = METRICS.get(target.metric), kind_of(target)
    in_seconds = kind == "quantile" or (known is not None and known.unit == "seconds")
    for key in ("target", "alert"):
        node = find(draft.tree, ("targets", index, key))
        if isinstance(node, Scalar):
            found = unit_fault(str(kind), in_seconds, node, getattr(target, key))
            if found:
                yield Finding(("targets", index, key), *found)


def unit_fault(kind: str, in_seconds: bool, node: Scalar, value: float) -> tuple[str, str] | None:
    """What is wrong with a limit's unit, and what to write."""
    text = str(node.text).strip()
    number, share = not isinstance(node.value, str), text.endswith("%")
    duration = not (number or share or text.endswith("x"))
    if text.endswith("x"):
        return f"{text} is a ratio, and a target has none", "use a gate, like at_most: 1.5x"
    if in_seconds and not duration:
        return f"{text} is not a duration", "write a unit, like 2s or 200ms"
    if kind == "proportion" and (duration or not 0 <= value <= 1):
        return f"{text} is not a share", "write it like 95% or 0.95"
    if kind == "count" and (not number or value != int(value)):
        return f"{text} is not a number of events", "write a whole number, like 0"
    if kind == "mean" and share:
        return f"{text} is a share, and a mean target limits something else", (
            "write a duration, like 600s, or a number"
        )
    return None


def _written(draft: Draft, index: int, key: str) -> str:
    node = find(draft.tree, ("targets", index, key))
    return str(node.text).strip() if isinstance(node, Scalar) else ""
