"""Metric probe: what was recorded since the rollback keeps a bound."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from switchover.checks.outcome import Outcome
from switchover.judge.block import Block
from switchover.judge.reading import lasting, percent
from switchover.judge.target import SLOTS, TargetSpec, amount, limit_words, observe, read
from switchover.plan.catalogue import METRICS
from switchover.plan.probes import MetricProbe, measured_as

#: (migration, since, until) -> the recorded blocks that begin in that time.
Blocks = Callable[[str, float, float], Iterable[Block]]

#: How far back it looks without a rollback to look back to, in seconds.
WHILE = 900.0


def probe_metric(
    probe: MetricProbe, migration: str, blocks: Blocks, since: float | None, now: float
) -> Outcome:
    """Hold the estimate of the time since the rollback against the bound; too few observations
    prove nothing, and are a failure."""
    begin = now - (probe.over or WHILE)
    if since is not None:
        # What was recorded before it says nothing of how things are since.
        begin = since if probe.over is None else max(begin, since)
    span = max(1.0, now - begin)
    spec = _spec(probe, span)
    kept = observe(spec, {}, blocks(migration, begin, now), now)
    found = read(spec, kept, probe.system, now, serves=True, alerted=False)
    detail = {"metric": probe.metric, "system": probe.system, "since": begin, "n": found.n,
              "minimum": spec.minimum, "value": found.value, "bound": spec.target}  # fmt: skip
    what = f"{probe.metric} of {probe.system} in the last {lasting(span)}"
    if found.level == "no data":
        return Outcome(
            False, f"{what}: {found.n:,} of {spec.minimum:,} observations that it takes", detail
        )
    assert found.value is not None, "enough was observed"
    if spec.kind == "quantile":
        seen = f"{percent(found.value)} above {amount(spec, spec.target)}"
    else:
        seen = amount(spec, found.value)
    words = f"{what}: {seen} ({found.n:,} observations), {limit_words(spec, spec.target)} expected"
    return Outcome(found.level == "met", words, detail)


def _spec(probe: MetricProbe, span: float) -> TargetSpec:
    """The bound as a target over one window, in which the time since the rollback lies whole."""
    kind, known = measured_as(probe), METRICS.get(probe.metric)
    bound = probe.at_least if probe.at_least is not None else probe.at_most
    assert kind is not None, "the plan's model says how"
    assert bound is not None, "the plan's model says which"
    return TargetSpec(
        name=probe.name,
        metric=probe.metric,
        kind=kind,
        target=bound,
        alert=bound,
        at_least=probe.at_least is not None,
        quantile=probe.quantile or (known.quantile if known else 0.95),
        # The newest slot has only begun, so that the window reaches a slot less far back.
        over=span * SLOTS / (SLOTS - 1),
        after=0.0,
        minimum=probe.minimum or (1 if kind == "count" else 30),
        seconds=kind == "quantile" or (known is not None and known.unit == "seconds"),
    )
