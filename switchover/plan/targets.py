"""The plan's section ``targets``: how well whoever serves has to do, and when people are told."""

from __future__ import annotations

from collections.abc import Iterable
from typing import get_args

from pydantic import Field

from switchover.judge.target import TargetKind, TargetSpec
from switchover.plan.catalogue import METRICS
from switchover.plan.form import Model
from switchover.plan.sources import MetricName
from switchover.plan.units import Limit, Seconds

#: Kinds of metric that a target can be set for.
KINDS: tuple[TargetKind, ...] = get_args(TargetKind)


class MetricTarget(Model):
    """A target for whoever serves, with a threshold beyond which people are alerted. It moves no
    traffic; a gate does."""

    name: str | None = Field(None, max_length=80, description="default: the metric's name")
    metric: MetricName = Field(
        description="a name of the catalogue below, or one that your code records"
    )
    kind: TargetKind | None = Field(None, description="default: from the metrics catalogue")
    target: Limit = Field(description="what the metric should reach; better than alert")
    alert: Limit = Field(description="people are told once the metric is surely beyond this")
    quantile: float | None = Field(
        None, gt=0, lt=1, description="of kind quantile; default: the metric's, or 0.95"
    )
    over: Seconds = Field(900.0, ge=60, le=86400, description="the rolling window")
    after: Seconds = Field(300.0, description="an alert comes and goes after so long a time")
    minimum: int | None = Field(
        None, ge=1, description="fewer in the window are no data; default: 30, of kind count 1"
    )
    hold: bool = Field(
        False, description="no step forward while alerted, or without data in a stage with traffic"
    )


def compile_targets(targets: Iterable[MetricTarget]) -> tuple[TargetSpec, ...]:
    """The targets as the judge wants them; for a plan that has passed its rules."""
    return tuple(_compile(target) for target in targets)


def kind_of(target: MetricTarget) -> str | None:
    """The target's kind, its own or the catalogue's; None for an unknown metric without one."""
    known = METRICS.get(target.metric)
    return target.kind or (known.kind if known else None)


def _compile(target: MetricTarget) -> TargetSpec:
    known = METRICS.get(target.metric)
    kind = next((kind for kind in KINDS if kind == kind_of(target)), None)
    if kind is None:
        raise ValueError(f"{target.metric}: a metric of its kind can have no target")
    return TargetSpec(
        name=target.name or target.metric,
        metric=target.metric,
        kind=kind,
        target=target.target,
        alert=target.alert,
        at_least=target.target > target.alert,
        quantile=target.quantile or (known.quantile if known else 0.95),
        over=target.over,
        after=target.after,
        minimum=target.minimum or (1 if kind == "count" else 30),
        hold=target.hold,
        seconds=kind == "quantile" or (known is not None and known.unit == "seconds"),
    )
