"""The plan's section ``triggers``: what rolls back (RED), and what alerts and holds (AMBER).

A gate asks whether the candidate is bad, over the whole rollout; a trigger whether something is
broken now, and for how long.
"""

from __future__ import annotations

from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from switchover.judge.target import TargetKind
from switchover.judge.trigger import Color
from switchover.plan.catalogue import METRICS
from switchover.plan.form import Model, at_key
from switchover.plan.probes import CommandProbe, HttpProbe, SqlProbe
from switchover.plan.sources import MetricName
from switchover.plan.units import Limit, Seconds

#: What a trigger may ask; a metric is its own affair.
TriggerProbe = Annotated[HttpProbe | SqlProbe | CommandProbe, Field(discriminator="kind")]

_LIMITS = ("at_most", "at_least", "above_legacy")
#: Keys that say something about a metric only, and about a probe only.
_OF_METRIC = (*_LIMITS, "kind", "quantile", "over", "minimum")


class Trigger(Model):
    """A limit on a metric of the candidate, or a probe that has to pass; for how long it may be
    broken."""

    name: str | None = Field(
        None, min_length=1, max_length=80, description="default: the metric's or the probe's"
    )
    metric: MetricName | None = Field(
        None, description="a name of the catalogue below, or one that your code records"
    )
    kind: TargetKind | None = Field(None, description="default: from the metrics catalogue")
    at_most: Limit | None = Field(None, description="upper limit, in the metric's unit")
    at_least: Limit | None = Field(None, description="lower limit, in the metric's unit")
    above_legacy: Limit | None = Field(
        None, gt=0, description="how much more than legacy's: failures, or the average; like 50%"
    )
    quantile: float | None = Field(
        None, gt=0, lt=1, description="of kind quantile; default: the metric's, or 0.95"
    )
    over: Seconds | None = Field(
        None, ge=15, le=604800,
        description="the rolling window; default: RED 5 min, AMBER 15 min, of kind count 24 h",
    )  # fmt: skip
    minimum: int | None = Field(
        None, ge=1, description="fewer in the window are no data; default: 30, of kind count 1"
    )
    probe: TriggerProbe | None = Field(None, description="instead of a metric: what is asked")
    every: Seconds = Field(30.0, ge=1, le=3600, description="time between two asks of the probe")
    after: Seconds | None = Field(
        None, le=86400,
        description="it fires once broken for so long; default: 5 min, of a RED metric 0s",
    )  # fmt: skip
    no_data: Literal["tell", "fire"] = Field(
        "tell", description="what follows when nothing is known of it for judgement.no_data_after"
    )

    @model_validator(mode="after")
    def _asks_one_thing(self) -> Self:
        if (self.metric is None) == (self.probe is None):
            raise at_key("", "a trigger watches one thing; write either metric or probe")
        given = [key for key in _LIMITS if getattr(self, key) is not None]
        if self.metric is not None and not given:
            raise at_key(
                "", f"the trigger on '{self.metric}' has no limit; add at_most, at_least or "
                "above_legacy",
            )  # fmt: skip
        if self.metric is not None and given[1:]:
            raise at_key(given[1], f"a trigger has one limit, and {given[0]} is here too; keep "
                         "one of them")  # fmt: skip
        for key in _OF_METRIC:
            if self.probe is not None and getattr(self, key) is not None:
                raise at_key(key, f"a probe has no {key}; remove it, or watch a metric")
        if self.probe is None and "every" in self.model_fields_set:
            raise at_key("every", "a metric is looked at all the time; remove it")
        return self

    @property
    def title(self) -> str:
        """Its name, or what it watches."""
        return self.name or self.metric or (self.probe.name if self.probe else "")


class Triggers(Model):
    """What rolls back at once, and what alerts and holds."""

    defaults: bool = Field(
        False, description="brings the usual triggers, see the how-to; a trigger of the same name "
        "takes the place of one",
    )  # fmt: skip
    without: list[str] = Field([], description="names of usual triggers that are left out")
    red: list[Trigger] = Field([], description="roll back at once")
    amber: list[Trigger] = Field([], description="alert, and let no step forward")

    @property
    def listed(self) -> tuple[tuple[Color, int, Trigger], ...]:
        """Every trigger that is written down, with its colour and its place there."""
        return (
            *(("red", place, each) for place, each in enumerate(self.red)),
            *(("amber", place, each) for place, each in enumerate(self.amber)),
        )


def kind_of(trigger: Trigger) -> str | None:
    """How its metric is read: as averages against legacy where it is measured, else by its own
    word or the catalogue's; None for a probe or an unknown metric without a kind."""
    known = METRICS.get(trigger.metric or "")
    kind = trigger.kind or (known.kind if known else None)
    if trigger.above_legacy is not None and kind in ("quantile", "memory"):
        return "mean"
    return kind
