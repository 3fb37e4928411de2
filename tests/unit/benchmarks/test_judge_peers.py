"""The rules of other tools, on examples that they publish themselves."""

from __future__ import annotations

from math import isnan

import numpy as np
import pytest

from benchmarks.judge.argo import Argo, Phase
from benchmarks.judge.flagger import Flagger
from benchmarks.judge.growthbook import GrowthBook
from benchmarks.judge.kayenta import Kayenta, Label, MannWhitney, classify, mean_ratio
from benchmarks.judge.rule import LOOKS, Limit
from benchmarks.judge.streams import METRIC, Moments, Rates
from switchover.judge.block import Tally
from switchover.judge.gate import GateSpec
from switchover.judge.rollout import Rules, assess, begin, enter_stage, observe
from switchover.judge.verdict import Verdict

FAILURES = GateSpec("failures", "proportion", METRIC, 0.15)
LIMIT = Limit(FAILURES, 0.15, 3.0)


def day(bad: dict[int, int], n: int = 60) -> Rates:
    """``n`` requests a minute, of which ``bad[minute]`` fail; legacy fails 3 a minute."""
    failing = np.zeros(LOOKS, dtype=np.int64)
    for minute, count in bad.items():
        failing[minute] = count
    whole = np.full(LOOKS, n)
    return Rates(whole, failing, whole, np.full(LOOKS, 3))


def values(*numbers: float) -> np.ndarray:
    return np.array(numbers, dtype=float)


@pytest.mark.req("O2")
def test_argo_fails_on_one_more_than_its_failure_limit() -> None:
    """Three failed measurements are allowed by failureLimit 3, wherever they are; four are not."""
    rule = Argo("argo")
    good, failed = Phase.SUCCESSFUL, Phase.FAILED
    assert rule.assess([failed, good, failed, good, failed, good]) == (Phase.SUCCESSFUL, 6)
    assert rule.assess([failed, good, failed, failed, good, failed, good]) == (Phase.FAILED, 6)
    assert Argo("argo", failure_limit=0).assess([good, failed]) == (Phase.FAILED, 2)


@pytest.mark.req("O2")
def test_argo_ends_on_the_fifth_error_in_a_row() -> None:
    """consecutiveErrorLimit 4: a measurement that works begins the count anew."""
    rule, error = Argo("argo"), Phase.ERROR
    assert rule.assess([error] * 4 + [Phase.SUCCESSFUL] + [error] * 4)[0] is Phase.SUCCESSFUL
    assert rule.assess([error] * 6) == (Phase.ERROR, 5)


@pytest.mark.req("O2")
def test_argo_rolls_back_at_the_end_of_the_fourth_failed_interval() -> None:
    """Intervals of five minutes, the estimate over the whole interval."""
    outcome = Argo("argo").judge(day(dict.fromkeys(range(10, 60), 20)), LIMIT, 0)
    assert (outcome.rolled_back, outcome.promoted) == (29, False)
    assert Argo("argo").judge(day({10: 60, 300: 60, 700: 60}), LIMIT, 0).promoted


@pytest.mark.req("O2")
def test_flagger_counts_failed_checks_for_good_and_rolls_back_in_the_next_run() -> None:
    """The tenth failed check is noticed by the run after it; no success takes one back."""
    rule = Flagger("flagger")
    assert rule.rolls_back([False] * 10 + [True]) == 10
    assert rule.rolls_back([False, True] * 10) == 19
    assert rule.rolls_back([False, True] * 9) is None
    assert Flagger("flagger", threshold=1).rolls_back([True, False]) == 2


@pytest.mark.req("O2")
def test_flagger_takes_a_missing_value_for_a_failed_check() -> None:
    """No requests in a minute is no value found."""
    stream = day({}, n=60)
    stream.candidate_n[:10] = 0
    assert Flagger("flagger").judge(stream, LIMIT, 0).rolled_back == 10
    assert Argo("argo").judge(stream, LIMIT, 0).promoted


@pytest.mark.req("O2")
def test_kayenta_finds_the_published_interval_of_the_shift() -> None:
    """Its own test: 10, 20, 30, 40 against 1 to 4 is shifted by 6 to 39, 22.5 by estimate."""
    test = MannWhitney(values(10, 20, 30, 40), values(1, 2, 3, 4))
    ends = [test.root(1.959964), test.root(-1.959964), test.root(0.0)]
    assert ends == pytest.approx([6.0, 39.0, 22.5], abs=1e-3)


@pytest.mark.req("O2")
@pytest.mark.parametrize(
    ("experiment", "control", "label"),
    [
        ([10] * 5, [1] * 5, Label.HIGH),
        ([10] * 5, [0] * 5, Label.HIGH),
        ([1, 1, 1, 1, 10], [1] * 5, Label.PASS),
        ([5, 4, 3, 2, 1], [1, 2, 3, 4, 5], Label.PASS),
        ([1, 1, 1], [1, 1], Label.PASS),
        ([20, 22, 21, 25, 30], [1, 2.2, 1.1, 2.5, 3], Label.HIGH),
        ([54.9, 54.5, 55.1, 55.6, 57.4], [0] * 5, Label.HIGH),
        ([], [1, 2, 3, 4, 5], Label.NODATA),
    ],
)
def test_kayenta_says_what_its_own_tests_say(experiment, control, label) -> None:
    """Cases of its ClassifierSuite, at the tolerance and confidence used there."""
    seen = classify(values(*experiment), values(*control), 1.0, tolerance=0.1, confidence=0.95)
    assert seen is label


@pytest.mark.req("O2")
def test_kayenta_passes_a_regression_below_the_allowed_increase() -> None:
    """Its own case: means ten times as high pass where thirteen times are allowed."""
    ours, theirs = values(20, 22, 21, 25, 30), values(1, 2.2, 1.1, 2.5, 3)
    assert classify(ours, theirs, 13.0, tolerance=0.1, confidence=0.95) is Label.PASS
    assert mean_ratio(ours, theirs) == pytest.approx(12.04, abs=0.01)
    assert isnan(mean_ratio(ours, values(0, 0)))


@pytest.mark.req("O2")
def test_kayenta_passes_seven_hundreds_in_ten_and_fails_eight() -> None:
    """A case reported to it: 100 in seven minutes of ten against 1 is no regression to it."""
    control = values(*[1] * 10)
    assert classify(values(*[100] * 7, *[1] * 3), control, 1.05) is Label.PASS
    assert classify(values(*[100] * 8, *[1] * 2), control, 1.05) is Label.HIGH
    test = MannWhitney(values(*[100] * 7, *[1] * 3), control)
    assert [test.root(2.326348), test.root(0.0)] == pytest.approx([0.0, 99.0], abs=2e-4)


@pytest.mark.req("O2")
def test_kayenta_passes_sparse_errors() -> None:
    """A case reported to it: 0, 1, 2, 1, 0, 0 errors against none."""
    assert classify(values(0, 1, 2, 1, 0, 0), values(*[0] * 6)) is Label.PASS


@pytest.mark.req("O2")
def test_kayenta_ends_at_the_first_failed_judgement() -> None:
    """Hourly over all minutes so far: bad from minute 30 on is seen after an hour or two."""
    outcome = Kayenta("kayenta", interval=60).judge(
        day(dict.fromkeys(range(30, LOOKS), 20)), LIMIT, 0
    )
    assert outcome.rolled_back in (59, 119)
    assert Kayenta("kayenta", interval=60).judge(day({}), LIMIT, 0).promoted


@pytest.mark.req("O2")
@pytest.mark.parametrize(("relative", "lower"), [(True, -0.42356), (False, -0.12657)])
def test_growthbook_finds_its_published_bound(relative, lower) -> None:
    """Its own tests of the one-sided sequential interval, relative and absolute."""

    def moments(total: float, squares: float, n: int) -> Moments:
        mean = total / n
        variance = (squares - total * mean) / (n - 1)
        return Moments(*(np.array([float(value)]) for value in (n, mean, variance)))

    legacy = moments(1396.87, 52377.9767, 3000)
    candidate = moments(2422.7, 134698.29, 3461)
    bound = GrowthBook("growthbook").lower(candidate, legacy, relative=relative)
    assert bound[0] == pytest.approx(lower, abs=1e-5)


@pytest.mark.req("O2")
def test_growthbook_says_nothing_before_both_systems_vary() -> None:
    """Without a failure of legacy there is no relative difference."""
    stream = day(dict.fromkeys(range(60), 60))
    stream.legacy_bad[:] = 0
    assert GrowthBook("growthbook").judge(stream, LIMIT, 0).promoted


def judged(ours: list[int], theirs: list[int], n: int) -> Verdict:
    """Our verdict on errors a minute, of ``n`` requests each, where 1.05 times is allowed."""
    gates = (GateSpec("errors", "relative_rate", METRIC, 1.05),)
    evidence = enter_stage(begin(gates), "canary", "canary")
    for bad, their_bad in zip(ours, theirs, strict=True):
        look = {METRIC: {"candidate": Tally(n, bad), "legacy": Tally(n, their_bad)}}
        evidence = observe(gates, Rules(), evidence, look)
    return assess(gates, Rules(), evidence, stage_kind="canary", dwell_over=True).verdict


@pytest.mark.req("INV12")
def test_we_roll_back_where_kayenta_passes_seven_hundreds_in_ten() -> None:
    """As errors a minute of 1,000 requests: a regression."""
    assert judged([100] * 7 + [1] * 3, [1] * 10, 1000) is Verdict.ROLLBACK


@pytest.mark.req("INV6")
def test_we_do_not_pass_sparse_errors() -> None:
    """As errors a minute of 20 requests: too little to tell, which is not a pass."""
    assert judged([0, 1, 2, 1, 0, 0], [0] * 6, 20) is Verdict.INSUFFICIENT_EVIDENCE
