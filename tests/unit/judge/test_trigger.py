"""Triggers: sure before they roll back, at once where one event is enough, blind and never fine."""

from __future__ import annotations

import itertools
import json
import random
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from switchover.judge.block import Block
from switchover.judge.sketch import bucket_of
from switchover.judge.target import Kept, TargetSpec, observe
from switchover.judge.trigger import (
    TriggerReading,
    TriggerSpec,
    answered,
    due,
    read_metric,
    read_probe,
)

START = 1_800_000_000.0
IDS = itertools.count()


def on(kind: Any, limit: float, *, at_least: bool = False, color: Any = "red", **options: Any
       ) -> TriggerSpec:  # fmt: skip
    """A trigger on a metric over a minute, unless told otherwise."""
    ratio = options.pop("ratio", None)
    shape = {"over": 60.0, "after": 0.0, "minimum": 30, **options}
    window = TargetSpec("m", "m", kind, limit, limit, at_least, **shape)
    return TriggerSpec("m", color, window, ratio=ratio, after=window.after)


FAILING = on("proportion", 0.7, at_least=True)
SLOWER = on("mean", 0.0, ratio=1.5)
ISOLATION = on("count", 0.0, minimum=1, over=86_400.0)
PATH = TriggerSpec("golden path", "red", after=300.0, every=30.0)


def block(at: float, n: int, bad: int = 0, *, system: str = "candidate", value: float = 0.0,
          spread: float = 0.0) -> Block:  # fmt: skip
    """Four seconds of traffic; values lie around ``value``."""
    squares = n * (value * value + spread * spread)
    sketch = {bucket_of(value): n} if value else {}
    return Block(f"b{next(IDS)}", "m", "m", system, at, 4.0, n, bad, n * value, squares, sketch)


def see(spec: TriggerSpec, blocks: list[Block], kept: Kept | None = None) -> Kept:
    """The window after these blocks, looked at after each."""
    kept = kept or {}
    for each in blocks:
        kept = observe(spec.metric, kept, [each], each.start + 4.0)
    return kept


def at(spec: TriggerSpec, kept: Kept, seconds: float, *, alerted: bool = False) -> TriggerReading:
    """The candidate's standing so many seconds after the start."""
    now = START + seconds
    return read_metric(spec, kept, "candidate", now, since=START, alerted=alerted)


def lasting(count: int, n: int, bad: int, begin: float = 0.0, **more: Any) -> list[Block]:
    """``count`` blocks that are all alike."""
    return [block(START + begin + 4 * i, n, bad, **more) for i in range(count)]


@pytest.mark.req("R3")
def test_one_event_is_enough_at_once() -> None:
    """A single isolation violation among a million answers fires, and it is remembered."""
    kept = see(ISOLATION, lasting(10, 100_000, 0))
    assert at(ISOLATION, kept, 40).level == "quiet"
    kept = see(ISOLATION, [block(START + 40, 1, 1)], kept)
    reading = at(ISOLATION, kept, 40.5)
    assert (reading.raises, reading.level, reading.value) == (True, "fires", 1.0)
    assert "1 event" in reading.sentence
    assert at(ISOLATION, see(ISOLATION, lasting(50, 100, 0, 44), kept), 3600).raises


@pytest.mark.req("R3")
@pytest.mark.parametrize(("bad", "fires"), [(20, False), (30, False), (60, True), (100, True)])
def test_failing_requests_fire_once_it_is_sure(bad: int, fires: bool) -> None:
    """30 % allowed: neither 20 % nor exactly 30 % fire, 60 % and a total failure do."""
    reading = at(FAILING, see(FAILING, lasting(15, 100, bad)), 60)
    assert reading.raises is fires
    assert "at least 70 % allowed" in reading.sentence


@pytest.mark.req("R3")
def test_a_total_failure_needs_few_requests() -> None:
    """Twenty-odd failures of thirty make it sure; half of that does not."""
    fired = [n for n in range(30, 60) if at(FAILING, see(FAILING, [block(START, n, n)]), 4).raises]
    assert fired[0] == 30
    small = replace(FAILING, window=replace(FAILING.metric, minimum=1))
    counts = [n for n in range(1, 40) if at(small, see(small, [block(START, n, n)]), 4).raises]
    assert 15 <= counts[0] <= 25


@pytest.mark.req("R3")
@pytest.mark.req("INV12")
def test_a_candidate_on_the_limit_is_not_rolled_back_in_eight_seeded_hours() -> None:
    """Exactly 30 % failing, looked at with every block: no false alarm, as the bound gives it a
    chance of 1 % in a year. Three standard errors would fire in between."""
    rng = random.Random(11)
    sure = loose = 0
    amber = replace(FAILING, color="amber")
    kept: Kept = {}
    for turn in range(8 * 900):
        now = START + 4.0 * turn
        bad = sum(rng.random() < 0.3 for _ in range(8))
        kept = observe(FAILING.metric, kept, [block(now, 8, bad)], now)
        sure += read_metric(FAILING, kept, "candidate", now, since=START).raises
        loose += read_metric(amber, kept, "candidate", now, since=START).raises
    assert sure == 0
    assert loose > 0


@pytest.mark.req("R3")
def test_a_sudden_failure_need_not_fill_its_share_of_the_window() -> None:
    """After five good minutes at 100 requests/s, one bad slot is enough, and what is told is of
    that slot; AMBER waits until a third of the window is bad."""
    spec = on("proportion", 0.7, at_least=True, over=300.0)
    amber = replace(spec, color="amber")
    kept = see(spec, lasting(75, 400, 0))
    waited: dict[str, int] = {}
    for turn in range(60):
        kept = see(spec, [block(START + 300 + 4 * turn, 400, 400)], kept)
        for each in (spec, amber):
            if at(each, kept, 303 + 4 * turn).raises:
                waited.setdefault(each.color, 4 * turn)
    assert waited["red"] <= 8
    assert 80 <= waited["amber"] <= 120
    told = at(spec, see(spec, lasting(75, 400, 0) + lasting(5, 400, 400, 300)), 319).sentence
    assert "0 %, at least 70 % allowed, in the last 20 s (2,000 observations)" in told


@pytest.mark.req("R3")
def test_latencies_of_heavy_tail_on_the_limit_do_not_fire() -> None:
    """Log-normal times exactly 50 % above legacy's, 1,000 seeded windows: no false alarm. At two
    and a half times nearly every one fires."""
    rng = random.Random(3)

    def window(factor: float) -> bool:
        sides = {}
        for system, scale in (("legacy", 1.0), ("candidate", factor)):
            values = [scale * rng.lognormvariate(-3.0, 0.7) for _ in range(400)]
            sums = [400.0, 0.0, 0.0, sum(values), sum(v * v for v in values)]
            sides[system] = {str(int(START // 4)): sums}
        return read_metric(SLOWER, sides, "candidate", START, since=START).raises

    assert sum(window(1.5) for _ in range(1000)) == 0
    assert sum(window(2.5) for _ in range(200)) > 180


@pytest.mark.req("R3")
def test_against_legacy_both_have_to_be_seen() -> None:
    """Slower than legacy fires; without legacy there is nothing to compare with, and it says so."""
    ours = lasting(15, 100, 0, value=0.2, spread=0.05)
    theirs = lasting(15, 100, 0, system="legacy", value=0.1, spread=0.05)
    both = at(SLOWER, see(SLOWER, [b for pair in zip(ours, theirs, strict=True) for b in pair]), 60)
    assert both.raises
    assert both.value == pytest.approx(2.0)
    assert "2 times legacy's average, at most 1.5 times allowed" in both.sentence
    alone = at(SLOWER, see(SLOWER, ours), 60)
    assert (alone.level, alone.raises, alone.value) == ("no data", False, None)
    assert "0 of 30 observations of legacy" in alone.sentence


@pytest.mark.req("R3")
@pytest.mark.req("INV6")
def test_averages_without_their_spread_are_no_data() -> None:
    """A source that tells sums and no squares can't be judged, however large they are."""
    bare = [
        replace(each, total_squares=0.0)
        for each in [
            *lasting(15, 100, 0, value=9.0),
            *lasting(15, 100, 0, system="legacy", value=0.1),
        ]
    ]
    bare.sort(key=lambda each: each.start)
    reading = at(SLOWER, see(SLOWER, bare), 60)
    assert (reading.level, reading.raises) == ("no data", False)
    assert "does not tell how values spread" in reading.sentence


@pytest.mark.req("R3")
def test_failures_against_legacys_are_of_both() -> None:
    """Three times legacy's failures fire at twice allowed; as many as legacy's do not."""
    spec = on("proportion", 0.0, ratio=2.0)
    legacy = lasting(15, 300, 6, system="legacy")
    for bad, fires in ((1, False), (2, False), (20, True)):
        ours = lasting(15, 100, bad)
        mixed = [b for pair in zip(legacy, ours, strict=True) for b in pair]
        assert at(spec, see(spec, mixed), 60).raises is fires
    spotless = lasting(15, 300, 0, system="legacy")
    mixed = [b for pair in zip(spotless, lasting(15, 100, 30), strict=True) for b in pair]
    reading = at(spec, see(spec, mixed), 60)
    assert reading.raises
    assert reading.value is None
    json.dumps(reading.to_dict(), allow_nan=False)


@pytest.mark.req("R3")
def test_it_has_to_last() -> None:
    """With a duration, a failure fires only once it was sure at every slot of that time."""
    spec = replace(FAILING, window=replace(FAILING.metric, after=60.0))
    kept = see(spec, lasting(30, 100, 0))
    levels = []
    for turn in range(40):
        kept = see(spec, [block(START + 120 + 4 * turn, 100, 100)], kept)
        levels.append(at(spec, kept, 124 + 4 * turn).level)
    assert levels[0] == "beyond"
    assert 15 <= levels.index("fires") <= 17
    assert set(levels[levels.index("fires") :]) == {"fires"}


@pytest.mark.req("R3")
@pytest.mark.req("INV6")
@settings(max_examples=60, deadline=None)
@given(
    minutes=st.lists(st.sampled_from(["good", "bad", "silent"]), min_size=1, max_size=60),
    after=st.sampled_from([0.0, 30.0, 120.0]),
    color=st.sampled_from(["red", "amber"]),
)
def test_an_alert_never_flutters(minutes: list[str], after: float, color: Any) -> None:
    """Whatever comes, nothing both raises and clears; without data neither; and what is kept,
    written down and read again in between (a restart), says the same."""
    spec = replace(FAILING, color=color, window=replace(FAILING.metric, after=after))
    kept: Kept = {}
    alerted, turns = False, 0
    for index, what in enumerate(minutes):
        now = START + 12.0 * index
        if what != "silent":
            kept = observe(spec.metric, kept, [block(now, 400, 400 * (what == "bad"))], now + 4)
        reading = read_metric(spec, kept, "candidate", now + 4, since=START, alerted=alerted)
        again = json.loads(json.dumps(kept))
        assert reading == read_metric(
            spec, again, "candidate", now + 4, since=START, alerted=alerted
        )
        assert not (reading.raises and reading.clears)
        if reading.unread:
            assert not reading.raises
            assert not reading.clears
        if reading.raises != reading.clears and reading.raises != alerted:
            alerted, turns = reading.raises, turns + 1
    lasting_at_least = max(1.0, after / 12.0)
    assert turns <= 1 + len(minutes) / lasting_at_least


@pytest.mark.req("R3")
@pytest.mark.req("INV6")
@pytest.mark.parametrize("spec", [FAILING, PATH])
def test_what_is_not_known_fires_only_where_the_plan_says_so(spec: TriggerSpec) -> None:
    """An hour without data is told, with how long; with no_data: fire it fires after the limit."""

    def stand(which: TriggerSpec, seconds: float) -> TriggerReading:
        if which.window is None:
            return read_probe(which, {}, START + seconds, since=START)
        return at(which, {}, seconds)

    told = stand(spec, 3600)
    assert (told.level, told.raises, told.clears, told.unread) == ("no data", False, False, 3600)
    strict = replace(spec, unread_fires=True)
    assert not stand(strict, 599).raises
    assert stand(strict, 601).raises


def results(spec: TriggerSpec, answers: list[bool | None], every: float = 30.0) -> dict[str, Any]:
    """What is known after these answers, written down and read again after each."""
    known: dict[str, Any] = {}
    for index, ok in enumerate(answers):
        known = json.loads(json.dumps(answered(spec, known, START + every * index, ok, "said")))
    return known


@pytest.mark.req("R3")
def test_a_golden_path_is_down_for_five_minutes_first() -> None:
    """Eleven failures in a row span five minutes, ten do not; one success begins anew."""
    for answers, level in (
        ([False] * 10, "beyond"), ([False] * 11, "fires"),
        ([False] * 6 + [True] + [False] * 6, "beyond"), ([False] * 11 + [True], "quiet"),
    ):  # fmt: skip
        known = results(PATH, answers)
        reading = read_probe(PATH, known, START + 30.0 * len(answers), since=START)
        assert reading.level == level, answers
        assert reading.raises is (level == "fires")


@pytest.mark.req("R3")
@pytest.mark.req("INV6")
def test_a_gap_between_two_failures_is_no_time_of_being_down() -> None:
    """Nobody asked for an hour: the second failure begins anew, and in between nothing is known."""
    known = answered(PATH, {}, START, False, "no answer")
    assert read_probe(PATH, known, START + 1800, since=START).level == "no data"
    known = answered(PATH, known, START + 3600, False, "no answer")
    reading = read_probe(PATH, known, START + 3601, since=START)
    assert (reading.level, reading.raises) == ("beyond", False)


@pytest.mark.req("R3")
@pytest.mark.req("INV6")
def test_a_probe_that_can_not_be_asked_says_nothing_of_the_candidate() -> None:
    """Neither down nor up: the reason is told, and the last result grows old."""
    known = answered(PATH, {}, START, None, "variable X is not set")
    blind = read_probe(PATH, known, START + 30, since=START)
    assert (blind.level, blind.raises) == ("no data", False)
    assert "variable X is not set" in blind.sentence
    known = results(PATH, [False] * 8 + [None] * 8)
    assert read_probe(PATH, known, START + 30 * 16, since=START).level == "no data"


@pytest.mark.req("R3")
@settings(max_examples=100, deadline=None)
@given(st.lists(st.sampled_from([True, False, None]), min_size=1, max_size=40))
def test_down_for_longer_than_its_time_is_what_the_answers_say(answers: list[bool | None]) -> None:
    """It fires exactly if all known answers of the last five minutes, and one before, failed."""
    known = results(PATH, answers)
    reading = read_probe(PATH, known, START + 30.0 * (len(answers) - 1), since=START)
    told = [(index, ok) for index, ok in enumerate(answers) if ok is not None]
    run: list[int] = []
    for index, ok in told:
        goes_on = bool(run) and 30.0 * (index - run[-1]) <= PATH.stale
        run = [*(run if goes_on else []), index] if not ok else []
    fresh = bool(run) and 30.0 * (len(answers) - 1 - run[-1]) <= PATH.stale
    assert reading.raises is (fresh and 30.0 * (run[-1] - run[0]) >= 300.0)


@pytest.mark.req("R3")
def test_a_probe_is_due_once_in_its_time() -> None:
    """From the last asking on, whether an answer came or not; an older answer changes nothing."""
    assert due(PATH, {}, START)
    assert not due(PATH, {"asked": START}, START + 29)
    assert due(PATH, {"asked": START}, START + 30)
    newer = answered(PATH, {"asked": START + 60}, START + 60, True, "fine")
    assert answered(PATH, newer, START, False, "late") == newer
    assert newer["asked"] == START + 60
