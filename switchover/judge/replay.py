"""Replay: judge recorded observations look by look, as the engine would have."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import repeat
from math import floor, isfinite

from switchover.judge.block import SYSTEMS, Look, Tally
from switchover.judge.gate import GateSpec
from switchover.judge.rollout import Rules, assess, begin, enter_stage, observe
from switchover.judge.sketch import bucket_of
from switchover.judge.verdict import StageReading, Verdict

#: Kinds of gates that read an observation as a share of good ones, and as a measured value.
SHARES = frozenset({"proportion", "relative_rate"})
QUANTILES = frozenset({"quantile", "relative_quantile"})


@dataclass(frozen=True, slots=True)
class Observation:
    """One recorded value, or ``n`` of them at once.

    ``value`` of a yes/no metric is the share of good ones (1 or 0 for a single one), of a count
    the number of events, of anything else the measured value. ``at`` is in seconds. Raises
    ``ValueError``.
    """

    at: float
    system: str
    metric: str
    value: float
    n: int = 1

    def __post_init__(self) -> None:
        if self.system not in SYSTEMS:
            raise ValueError(f"unknown system {self.system!r}; one of {', '.join(SYSTEMS)}")
        if not isfinite(self.at) or self.n < 1:
            raise ValueError(f"time {self.at} or count {self.n} of {self.metric} is impossible")


@dataclass(frozen=True, slots=True)
class ReplayStage:
    """A stage to walk through: its title, its kind, and its least stay in seconds."""

    title: str
    kind: str
    bake: float = 0.0


@dataclass(frozen=True, slots=True)
class ReplayedLook:
    """The reading at the end of a look, and the stage it was taken in."""

    at: float
    stage: int
    reading: StageReading


def replay(
    gates: Sequence[GateSpec],
    rules: Rules,
    observations: Iterable[Observation],
    *,
    every: float = 60.0,
    stage: str = "replay",
    stage_kind: str = "canary",
    bake: float = 0.0,
) -> Iterator[tuple[float, StageReading]]:
    """A reading at the end of every look that saw something: its time, and the verdict.

    A look spans ``every`` seconds, the stage ``bake`` at least. Observations come sorted by
    time; raises ``ValueError`` where they don't.
    """
    stages = (ReplayStage(stage, stage_kind, bake),)
    looks = _looks(kinds_by_metric(gates), observations, every)
    for seen in walk(gates, rules, stages, looks, every=every):
        yield seen.at, seen.reading


def walk(
    gates: Sequence[GateSpec],
    rules: Rules,
    stages: Sequence[ReplayStage],
    looks: Iterable[tuple[float, Look]],
    *,
    every: float = 60.0,
) -> Iterator[ReplayedLook]:
    """Judge ``looks`` (when each began, and what it saw; in order of time) from stage to stage.

    A look that promotes is the last one of its stage, as if approvals came at once; the last
    stage goes on to the end, and so does the stage that rolled back.
    """
    place, since, gone = 0, None, False
    evidence = enter_stage(begin(gates), stages[0].title, stages[0].kind)
    for began, look in looks:
        since = began if since is None else since
        stage, ends = stages[place], began + every
        evidence = observe(gates, rules, evidence, look, at=began)
        reading = assess(
            gates,
            rules,
            evidence,
            stage_kind=stage.kind,
            dwell_over=ends - since >= stage.bake,
            dwell_left=max(0.0, stage.bake - (ends - since)),
        )
        yield ReplayedLook(ends, place, reading)
        gone = gone or reading.verdict is Verdict.ROLLBACK
        if reading.verdict is Verdict.PROMOTE and not gone and place + 1 < len(stages):
            place, since = place + 1, ends
            evidence = enter_stage(evidence, stages[place].title, stages[place].kind)


def kinds_by_metric(gates: Iterable[GateSpec]) -> dict[str, set[str]]:
    """The kinds of gates that look at each metric."""
    kinds: dict[str, set[str]] = {}
    for gate in gates:
        kinds.setdefault(gate.metric, set()).add(gate.kind)
    return kinds


def tally_values(kinds: Collection[str], values: Sequence[float]) -> Tally:
    """Single observations, many at once, as the counts that gates of ``kinds`` look at.

    A value that is no finite number counts above every limit, as the recorder counts it.
    """
    finite = values if isfinite(sum(values)) else [value for value in values if isfinite(value)]
    tally = Tally(
        n=len(values),
        total=sum(finite),
        total_squares=sum([value * value for value in finite]),
    )
    if not QUANTILES.isdisjoint(kinds):
        sketch = tally.sketch
        for bucket in map(bucket_of, values):
            sketch[bucket] = sketch.get(bucket, 0) + 1
    if not SHARES.isdisjoint(kinds):
        tally.bad = tally.n - sum(map(round, values))
    elif "count" in kinds:
        events = [round(value) for value in values]
        tally.bad = sum(events)
        # More events than opportunities were written down: each event was one at least.
        tally.n = sum(map(max, repeat(1), events))
    return tally


def tally_share(kinds: Collection[str], value: float, n: int) -> Tally:
    """``n`` observations written down at once as the same counts."""
    tally = Tally(n=n, total=value * n, total_squares=value * value * n)
    if not QUANTILES.isdisjoint(kinds):
        tally.sketch[bucket_of(value)] = n
    if not SHARES.isdisjoint(kinds):
        tally.bad = n - round(value * n)
    elif "count" in kinds:
        tally.bad = round(value)
        tally.n = max(n, tally.bad)
    return tally


def _looks(
    kinds: dict[str, set[str]], observations: Iterable[Observation], every: float
) -> Iterator[tuple[float, Look]]:
    look: dict[str, dict[str, Tally]] = {}
    began = previous = None
    for seen in observations:
        if previous is not None and seen.at < previous:
            raise ValueError(f"observations are not sorted by time: {seen.at} after {previous}")
        previous = seen.at
        if began is None or seen.at >= began + every:
            if began is not None:
                yield began, look
            look, began = {}, floor(seen.at / every) * every
        _refuse_impossible(kinds.get(seen.metric, set()), seen)
        tally = look.setdefault(seen.metric, {}).setdefault(seen.system, Tally())
        tally.add(tally_share(kinds.get(seen.metric, set()), seen.value, seen.n))
    if began is not None:
        yield began, look


def _refuse_impossible(kinds: Collection[str], seen: Observation) -> None:
    if not SHARES.isdisjoint(kinds):
        if not 0.0 <= seen.value <= 1.0:
            raise ValueError(f"{seen.metric} at {seen.at}: a share of good ones from 0 to 1")
    elif "count" in kinds and not 0.0 <= seen.value < float("inf"):
        raise ValueError(f"{seen.metric} at {seen.at}: a number of events from 0")
