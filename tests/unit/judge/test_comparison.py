"""Both systems side by side: what differs beyond doubt is said, the rest is not."""

from __future__ import annotations

import json

import pytest

from switchover.judge.block import Tally
from switchover.judge.comparison import Figure, Shape, compare
from switchover.judge.sketch import HIGHEST, bucket_of

SUCCESS = Shape("success_rate", "share", 1)
LATENCY = Shape("response_time_p95", "values", -1, "seconds")


def rate(n: int, bad: int) -> Tally:
    """Counts of a yes/no metric."""
    return Tally(n, bad)


def times(*values: tuple[float, int]) -> Tally:
    """A tally of measured values with their counts."""
    tally = Tally()
    for value, count in values:
        tally.n += count
        tally.total += value * count
        tally.total_squares += value * value * count
        tally.sketch[bucket_of(value)] = tally.sketch.get(bucket_of(value), 0) + count
    return tally


def named(figures: tuple[Figure, ...]) -> dict[str, Figure]:
    """By their name."""
    return {figure.figure: figure for figure in figures}


@pytest.mark.req("O3")
def test_a_clear_improvement_of_quality_is_called_better() -> None:
    """Ten points more of many are beyond doubt; the interval holds the difference."""
    (figure,) = compare(SUCCESS, [(rate(5000, 1000), rate(5000, 500))])
    assert (figure.legacy, figure.candidate) == (0.8, 0.9)
    assert figure.low is not None
    assert figure.high is not None
    assert 0 < figure.low < 0.1 < figure.high
    assert (figure.outcome, figure.basis) == ("better", "time-uniform")
    assert figure.ratio == pytest.approx(1.125)


@pytest.mark.req("O3")
def test_a_wobble_is_not_called_a_difference() -> None:
    """One point of a few hundred is nothing to speak of."""
    (figure,) = compare(SUCCESS, [(rate(300, 30), rate(300, 33))])
    assert figure.outcome == "unclear"
    assert figure.low is not None
    assert figure.low < 0


@pytest.mark.req("O3")
def test_where_less_is_better_more_is_worse() -> None:
    """Errors count the bad ones, and times that grow are worse."""
    errors = Shape("error_rate", "share", -1)
    (figure,) = compare(errors, [(rate(5000, 50), rate(5000, 500))])
    assert (figure.legacy, figure.candidate, figure.outcome) == (0.01, 0.1, "worse")
    slow = named(compare(LATENCY, [(times((0.1, 4000)), times((0.2, 4000)))]))
    assert set(slow) == {"mean", "p50", "p95", "p99"}
    assert {figure.outcome for figure in slow.values()} == {"worse"}
    assert slow["mean"].basis == "asymptotic"
    assert slow["p95"].difference == pytest.approx(0.1, rel=0.03)


@pytest.mark.req("O3")
def test_a_tail_is_found_where_the_mean_hides_it() -> None:
    """Five slow ones of a hundred move p99 and hardly the median."""
    legacy, candidate = times((0.1, 10_000)), times((0.09, 9_500), (0.29, 500))
    found = named(compare(LATENCY, [(legacy, candidate)]))
    assert found["p50"].outcome == "better"
    assert found["p99"].outcome == "worse"


@pytest.mark.req("O3")
def test_too_few_values_for_a_quantile_have_no_upper_bound() -> None:
    """Ten values can't tell how far p99 may lie."""
    found = named(compare(LATENCY, [(times((0.1, 10)), times((0.2, 10)))]))
    assert (found["p99"].low, found["p99"].high) == (None, None)
    assert found["p99"].outcome == "unclear"


@pytest.mark.req("O3")
def test_stages_are_weighed_alike_for_both_systems() -> None:
    """Bad times that legacy had alone are not held against it: the same in each stage is the
    same overall, where plain sums would differ by a factor."""
    calm = rate(9000, 90), rate(1000, 10)
    rough = rate(1000, 100), rate(9000, 900)
    (figure,) = compare(SUCCESS, [calm, rough])
    assert figure.difference == pytest.approx(0.0)
    assert figure.outcome == "unclear"
    assert figure.legacy == pytest.approx(0.945)


@pytest.mark.req("O3")
def test_a_stage_without_one_of_them_is_left_out() -> None:
    """There is nothing to compare with, and nothing at all without any stage."""
    (figure,) = compare(SUCCESS, [(rate(100, 0), rate(0, 0)), (rate(100, 10), rate(100, 10))])
    assert (figure.legacy_n, figure.legacy) == (100, 0.9)
    assert compare(SUCCESS, [(rate(100, 0), rate(0, 0))]) == ()


@pytest.mark.req("O3")
def test_a_gauge_is_shown_without_an_interval() -> None:
    """Readings of memory hang together, so nothing is claimed of their difference."""
    memory = Shape("memory_usage_delta", "gauge", -1, "bytes")
    found = named(compare(memory, [(times((1e8, 100)), times((2e8, 100)))]))
    assert {figure.basis for figure in found.values()} == {"none"}
    assert {figure.outcome for figure in found.values()} == {""}
    assert found["mean"].ratio == pytest.approx(2.0)


@pytest.mark.req("O3")
def test_unreadable_values_make_figures_that_are_still_json() -> None:
    """A quantile at infinity is unknown, as are its difference and ratio."""
    broken = times((0.1, 50))
    broken.n, broken.sketch[HIGHEST] = 150, 100
    found = named(compare(LATENCY, [(times((0.1, 100)), broken)]))["p99"]
    assert (found.candidate, found.difference, found.ratio) == (None, None, None)
    assert "NaN" not in json.dumps(found.to_dict())
    assert "Infinity" not in json.dumps(found.to_dict())


@pytest.mark.req("O3")
def test_requests_are_counted() -> None:
    """Who served how many, over all stages."""
    served = Shape("requests_served", "requests")
    (figure,) = compare(served, [(rate(90, 0), rate(10, 0)), (rate(50, 0), rate(50, 0))])
    assert (figure.figure, figure.legacy, figure.candidate) == ("count", 140, 60)


@pytest.mark.req("O3")
def test_a_mean_is_unknown_where_a_value_is_no_finite_number() -> None:
    """Sums leave such values out, so answers that never came would make a better mean."""
    slow = times((0.03, 300))
    slow.n += 700
    slow.sketch[HIGHEST] = 700
    mean = named(compare(LATENCY, [(times((0.1, 1000)), slow)]))["mean"]
    assert (mean.legacy, mean.candidate) == (pytest.approx(0.1), None)
    assert (mean.low, mean.high, mean.outcome) == (None, None, "unclear")
