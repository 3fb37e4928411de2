from __future__ import annotations

from math import inf

import pytest
from hypothesis import given
from hypothesis import strategies as st

from switchover.judge.sketch import above, quantile
from switchover.observe.sources.counters import MOST, Series
from switchover.observe.sources.histogram import decumulated, grown, missing_bound, sketch_of

BOUNDS = [0.005, 0.01, 0.025, 0.05, 0.1, 0.2, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, inf]


@pytest.mark.req("O6")
@given(st.lists(st.integers(0, 10_000), min_size=len(BOUNDS), max_size=len(BOUNDS)))
def test_how_many_lie_above_a_bound_is_exact(counts: list[int]) -> None:
    """At every bound of the histogram the sketch tells what the histogram does, and no event is
    lost or made."""
    sketch = sketch_of(list(zip(BOUNDS, counts, strict=True)))
    assert sum(sketch.values()) == sum(counts)
    for index, bound in enumerate(BOUNDS[:-1]):
        assert above(sketch, bound) == sum(counts[index + 1 :])


@pytest.mark.req("O6")
def test_a_quantile_lies_in_its_bucket_where_prometheus_puts_it() -> None:
    """A thousand values in (0.1, 0.2] are spread evenly: the median is 0.15."""
    sketch = sketch_of([(0.1, 0), (0.2, 1000), (inf, 0)])
    assert quantile(sketch, 0.5) == pytest.approx(0.15, rel=0.02)
    assert quantile(sketch, 0.9) == pytest.approx(0.19, rel=0.02)


@pytest.mark.req("INV6")
def test_values_above_the_last_bound_are_above_every_limit() -> None:
    """Nobody knows how slow they were; that is never good."""
    assert above(sketch_of([(1.0, 5), (inf, 3)]), 1e9) == 3


@pytest.mark.req("INV6")
@pytest.mark.parametrize(
    ("cumulative", "message"),
    [
        ({0.1: 5, 0.2: 4, inf: 6}, "counts less"),
        ({0.1: 5, 0.2: 6}, "Inf"),
        ({inf: 6}, "Inf"),
        ({-1.0: 0, 1.0: 4, inf: 4}, "up to -1"),
    ],
)
def test_what_is_no_histogram_is_refused(cumulative: dict[float, int], message: str) -> None:
    """A part of one, or one of negative values, is an error."""
    with pytest.raises(ValueError, match=message):
        decumulated(cumulative)


def test_buckets_are_taken_apart() -> None:
    """Prometheus' buckets include the smaller ones."""
    assert decumulated({inf: 9, 0.1: 2, 0.5: 6}) == [(0.1, 2), (0.5, 4), (inf, 3)]


@pytest.mark.req("INV6")
def test_a_limit_within_a_bucket_is_named() -> None:
    """How many of (0.1, 0.25] lie above 0.2 nobody knows."""
    assert missing_bound([0.1, 0.25, inf], [0.1, 0.2]) == 0.2
    assert missing_bound([0.1, 0.2001, inf], [0.1, 0.2]) is None


def process(name: str, *samples: tuple[float, dict[str, float]]) -> list[Series]:
    """The buckets of one process, sample by sample."""
    bounds = samples[0][1]
    return [
        Series(f"{name} {le}", {"pod": name, "le": le}, [(at, row[le]) for at, row in samples])
        for le in bounds
    ]


@pytest.mark.req("O6")
def test_a_process_restarts_with_all_its_buckets() -> None:
    """The small bucket fell, the large one has passed its old value: both began anew."""
    first = grown(None, process("a", (10, {"0.1": 100, "+Inf": 110})), 10)
    assert first.counts == {0.1: 0, inf: 0}
    later = grown(first.known, process("a", (20, {"0.1": 90, "+Inf": 115})), 20)
    assert later.counts == {0.1: 90, inf: 115}
    assert grown(later.known, process("a", (20, {"0.1": 90, "+Inf": 115})), 30).counts[inf] == 0


@pytest.mark.req("O6")
def test_processes_add_up_and_a_new_one_counts_from_zero() -> None:
    """As series do."""
    first = grown(None, process("a", (10, {"0.1": 5, "+Inf": 6})), 10)
    both = process("a", (20, {"0.1": 7, "+Inf": 9})) + process("b", (20, {"0.1": 1, "+Inf": 1}))
    assert grown(first.known, both, 20).counts == {0.1: 3, inf: 4}


@pytest.mark.req("O6")
def test_what_a_process_counted_before_the_attempt_is_where_it_begins() -> None:
    """Looking back shows it, and counts none of it."""
    old = process("a", (10, {"0.1": 40, "+Inf": 50}), (35, {"0.1": 41, "+Inf": 53}))
    assert grown({}, old, 40, since=30).counts == {0.1: 1, inf: 3}
    assert grown(None, old, 40, since=30).counts == {0.1: 1, inf: 3}


@pytest.mark.req("O6")
def test_a_process_that_comes_back_with_other_buckets_began_anew() -> None:
    """A release may change them."""
    first = grown(None, process("a", (10, {"0.1": 5, "+Inf": 6})), 10)
    assert grown(first.known, process("a", (20, {"0.2": 8, "+Inf": 9})), 20).counts[inf] == 9


@pytest.mark.req("INV6")
def test_buckets_that_do_not_fit_together_are_refused() -> None:
    """Two processes with different bounds, half a histogram, none at all, and too many."""
    two = process("a", (1, {"0.1": 5, "+Inf": 6})) + process("b", (1, {"0.2": 5, "+Inf": 6}))
    with pytest.raises(ValueError, match="different buckets"):
        grown(None, two, 1)
    with pytest.raises(ValueError, match="no label le"):
        grown(None, [Series("a", {}, [(1, 1)])], 1)
    with pytest.raises(ValueError, match="a bucket reads nan"):
        grown(None, process("a", (1, {"0.1": float("nan"), "+Inf": 6})), 1)
    many = {str(number): 1.0 for number in range(MOST + 1)}
    with pytest.raises(ValueError, match="select fewer"):
        grown(None, process("a", (1, many)), 1)
