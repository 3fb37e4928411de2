"""A forecast told to people: a table per stage, then what can't be decided in time."""

from __future__ import annotations

from switchover.cli.session import say, table, warn
from switchover.judge.reading import lasting
from switchover.plan.forecast import Forecast, GateForecast, StageForecast, about
from switchover.plan.units import spoken
from switchover.reporting import figures


def tell(forecast: Forecast) -> None:
    """Print the stages, each with its gates; warnings go to standard error."""
    for stage in forecast.stages:
        say(_headline(stage))
        table("", ["gate", "expected", "decides after", "needs", "comes", "finds"],
              [_row(gate) for gate in stage.gates])  # fmt: skip
        say("")
    for line in forecast.warnings:
        warn(line)
    if forecast.seconds is None:
        say("At what is expected, this plan never comes to its end.")
    else:
        say(f"The stages with traffic take about {lasting(forecast.seconds)}, approvals aside.")


def _headline(stage: StageForecast) -> str:
    bakes = f"bakes {spoken(stage.bake)}" if stage.bake else "no bake time"
    if stage.seconds is None:
        return f"{stage.title} ({bakes}): never decided, because of {stage.slowest}"
    if stage.seconds > stage.bake:
        return (
            f"{stage.title} ({bakes}): decided after about {lasting(stage.seconds)}, "
            f"{stage.slowest} is the slowest"
        )
    return f"{stage.title} ({bakes}): decided at the end of its bake time"


def _row(gate: GateForecast) -> tuple[str, ...]:
    if gate.note:
        return gate.gate, gate.note, "–", "–", "–", "–"
    name = f"{gate.gate} (report only)" if gate.report_only else gate.gate
    return (
        name,
        level(gate, gate.expected),
        "never" if gate.seconds is None else lasting(gate.seconds),
        "–" if gate.need is None else f"{about(gate.need)} {gate.unit}",
        f"{gate.available:,.0f}",
        level(gate, gate.detectable) if gate.detectable is not None else "nothing",
    )


def level(gate: GateForecast, value: float | None) -> str:
    """An expected or detectable figure in the terms of the gate's kind."""
    if value is None:
        return "–"
    if gate.kind in ("quantile", "relative_quantile"):
        return f"{100 * value:.3g} % too slow"
    if gate.kind == "relative_rate":
        return f"{100 * value:.3g} % bad"
    if gate.kind == "count":
        return "no event" if not value else f"an event in {1.0 / value:,.0f}"
    return figures.metric_value(value, gate.kind, gate.metric)
