"""Replay: judge recorded observations look by look, as the engine would have."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import repeat
from math import floor, isfinite

from switchover.judge.block import SYSTEMS, Look, Tally
from switchover.judge.gate import GateSpec, candidate_of
from switchover.judge.rollout import Rules, assess, begin, enter_stage, observe
from switchover.judge.silence import awaited, heard_in, silent_words, unread
from switchover.judge.sketch import beyond, bucket_of
from switchover.judge.verdict import StageReading, Verdict

#: Kinds of gates that read an observation as a share of good ones, and those that need a sketch.
SHARES = frozenset({"proportion", "relative_rate"})
SKETCHES = frozenset({"quantile", "relative_quantile", "mean", "drift"})

#: Kinds that know a single bad answer.
BAD_ONES = frozenset({"proportion", "quantile", "relative_rate", "paired", "count"})


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
    """A stage to walk through: its title, its kind, its least stay in seconds, and the share
    that the candidate is meant to serve. ``begins`` is when it began in a recorded rollout."""

    title: str
    kind: str
    bake: float = 0.0
    split: float | None = None
    begins: float | None = None


@dataclass(frozen=True, slots=True)
class NoData:
    """Missing evidence: seconds until it is told, and whether it rolls back."""

    after: float
    rolls_back: bool = False


@dataclass(frozen=True, slots=True)
class ReplayedLook:
    """The reading at the end of a look, and the stage it was taken in. ``bad`` counts the bad
    answers of the candidate so far by gate, for gates that know single bad ones; ``silence`` is
    the sentence of missing evidence."""

    at: float
    stage: int
    reading: StageReading
    bad: Mapping[str, int] = field(default_factory=dict)
    silence: str = ""


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
    no_data: NoData | None = None,
) -> Iterator[ReplayedLook]:
    """Judge ``looks`` (when each began, and what it saw; in order of time) from stage to stage.

    A look that promotes is the last one of its stage, as if approvals came at once; the last
    stage goes on to the end, and so does the stage that rolled back. Stages of a recorded
    rollout begin when they did. With ``no_data``, a gap in the recording is a look of its own,
    at the moment at which the engine would tell of it.
    """
    tour = _Walk(gates, rules, stages, every, no_data)
    for began, look in looks:
        gap = tour.gap(began)
        if gap is not None:
            yield gap
        yield tour.look(began, look)


class _Walk:
    """Where a replay stands."""

    def __init__(
        self,
        gates: Sequence[GateSpec],
        rules: Rules,
        stages: Sequence[ReplayStage],
        every: float,
        no_data: NoData | None,
    ) -> None:
        self._gates, self._rules, self._stages = gates, rules, stages
        self._every, self._no_data = every, no_data
        self._place, self._gone = 0, False
        self._since: float | None = stages[0].begins
        self._evidence = enter_stage(begin(gates), stages[0].title, stages[0].kind, stages[0].split)
        self._heard: dict[str, float] = {}
        self._bad: dict[str, int] = {}
        self._last: float | None = None

    def look(self, began: float, look: Look) -> ReplayedLook:
        if self._since is None:
            self._since = began
        self._follow(began)
        ends = began + self._every
        age = max(0.0, began - self._since)
        self._evidence = observe(self._gates, self._rules, self._evidence, look, at=began, age=age)
        self._heard.update(dict.fromkeys(heard_in(look), ends))
        self._heard = unread(self._gates, self._rules, self._evidence, self._heard, self._since)
        self._bad = _counted(self._gates, self._bad, look)
        seen = self._read(ends)
        self._gone = self._gone or seen.reading.verdict is Verdict.ROLLBACK
        if seen.reading.verdict is Verdict.PROMOTE and not self._gone:
            following = self._place + 1
            if following < len(self._stages) and self._stages[following].begins is None:
                self._enter(following, ends)
        return seen

    def gap(self, began: float) -> ReplayedLook | None:
        """The look between the last one and ``began`` that first found evidence missing."""
        if self._last is None or self._no_data is None:
            return None
        oldest, _ = self._oldest()
        told = (floor((oldest + self._no_data.after) / self._every) + 1) * self._every
        if not self._last < told <= began:
            return None
        seen = self._read(told)
        self._gone = self._gone or seen.reading.verdict is Verdict.ROLLBACK
        return seen

    def _follow(self, began: float) -> None:
        """Enter the stages that a recorded rollout had entered by then."""
        for place in range(self._place + 1, len(self._stages)):
            begins = self._stages[place].begins
            if begins is None or begins > began or self._gone:
                break
            self._enter(place, begins)

    def _enter(self, place: int, at: float) -> None:
        self._place, self._since = place, at
        stage = self._stages[place]
        self._evidence = enter_stage(self._evidence, stage.title, stage.kind, stage.split)

    def _oldest(self) -> tuple[float, str]:
        """When the gate that waits the longest heard of what it needs, and what that is."""
        keys = awaited(self._gates, self._stages[self._place].kind)
        heard, what = min(((self._heard.get(key, 0.0), key) for key in keys), default=(0.0, ""))
        return max(heard, self._since or 0.0), what

    def _read(self, at: float) -> ReplayedLook:
        stage, stayed = self._stages[self._place], at - (self._since or 0.0)
        reading = assess(
            self._gates,
            self._rules,
            self._evidence,
            stage_kind=stage.kind,
            dwell_over=stayed >= stage.bake,
            dwell_left=max(0.0, stage.bake - stayed),
        )
        self._last, words = at, ""
        if self._no_data is not None:
            heard, what = self._oldest()
            if at - heard > self._no_data.after:
                words = silent_words(what, at - heard)
                reading = _silenced(reading, words, self._no_data.rolls_back)
        return ReplayedLook(at, self._place, reading, self._bad, words)


def _silenced(reading: StageReading, words: str, rolls_back: bool) -> StageReading:
    """What the engine does of a reading while evidence is missing."""
    if reading.verdict is Verdict.ROLLBACK:
        return reading
    if rolls_back:
        return replace(reading, verdict=Verdict.ROLLBACK, sentence=f"Roll back: {words}")
    if reading.verdict is Verdict.PROMOTE:
        return replace(reading, verdict=Verdict.HOLD, sentence=f"Hold: {words}")
    return replace(reading, sentence=f"{reading.sentence}; {words}")


def _counted(gates: Sequence[GateSpec], bad: Mapping[str, int], look: Look) -> dict[str, int]:
    """The candidate's bad answers by gate, with those of a look more."""
    counts = dict(bad)
    for gate in gates:
        fresh = candidate_of(look, gate.metric)
        if fresh is None or gate.kind not in BAD_ONES:
            continue
        more = beyond(fresh.sketch, bucket_of(gate.limit)) if gate.kind == "quantile" else fresh.bad
        counts[gate.name] = counts.get(gate.name, 0) + more
    return counts


def kinds_by_metric(gates: Iterable[GateSpec]) -> dict[str, set[str]]:
    """The kinds of gates that look at each metric."""
    kinds: dict[str, set[str]] = {}
    for gate in gates:
        kinds.setdefault(gate.metric, set()).add(gate.kind)
        if gate.noise is not None:
            kinds.setdefault(gate.noise, set()).add("proportion")
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
    if not SKETCHES.isdisjoint(kinds):
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
    if not SKETCHES.isdisjoint(kinds):
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
