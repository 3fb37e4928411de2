from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from switchover.observe.sources.counters import (
    MOST,
    REMEMBERED,
    Growth,
    Series,
    counts,
    growth,
    number,
    whole,
)


def series(name: str, *samples: tuple[float, float]) -> Series:
    return Series(name, {"pod": name}, samples)


@pytest.mark.req("O6")
def test_what_was_counted_before_the_first_reading_is_not_counted() -> None:
    """The first sample is where counting begins."""
    grown = growth(None, [series("a", (10, 1000), (20, 1007))], 20)
    assert grown.sum == 7
    assert grown.known == {"a": [20, 1007]}


@pytest.mark.req("O6")
def test_a_series_that_appears_later_is_counted_from_zero() -> None:
    """The first failure of a label that was not there before is a failure."""
    first = growth(None, [series("a", (10, 5))], 20)
    later = growth(first.known, [series("a", (30, 6)), series("b", (30, 3))], 30)
    assert later.by_series == {"a": 1, "b": 3}


@pytest.mark.req("O6")
def test_a_restart_between_two_samples_gives_no_negative_count() -> None:
    """The counter fell to 4: those 4 were counted since."""
    first = growth(None, [series("a", (10, 100))], 10)
    assert growth(first.known, [series("a", (20, 104), (30, 4), (40, 9))], 40).sum == 4 + 4 + 5


@pytest.mark.req("O6")
def test_samples_that_were_read_before_are_passed_over_and_late_ones_are_not() -> None:
    """Two readings that overlap count each sample once; one that came late is in the second."""
    first = growth(None, [series("a", (10, 1), (20, 3))], 30)
    again = growth(first.known, [series("a", (10, 1), (20, 3), (29, 6), (40, 8))], 40)
    assert (first.sum, again.sum) == (2, 5)


@pytest.mark.req("O6")
def test_what_a_series_counted_before_the_attempt_is_where_it_begins() -> None:
    """Its old samples are seen when one looks back; they are no evidence, and no new series."""
    old = series("a", (10, 40), (20, 50), (35, 53))
    assert growth({}, [old], 40, since=30).sum == 3
    assert growth(None, [old], 40, since=30).sum == 3
    assert growth({}, [series("a", (10, 40))], 40, since=30).known == {"a": [10, 40]}


@pytest.mark.req("O6")
def test_a_series_that_was_away_continues_where_it_was() -> None:
    """An hour without scrapes is not a new process; a day later nobody remembers it."""
    first = growth(None, [series("a", (10, 50))], 10)
    away = growth(first.known, [], 3600)
    assert growth(away.known, [series("a", (4000, 60))], 4000).sum == 10
    assert growth(away.known, [], 11 + REMEMBERED).known == {}


@pytest.mark.req("INV6")
@pytest.mark.parametrize("value", [float("nan"), float("inf"), -1.0])
def test_what_no_counter_reads_is_refused(value: float) -> None:
    """It is an error, and never a count."""
    with pytest.raises(ValueError, match="a counter reads"):
        growth({}, [series("a", (1, value))], 1)


def test_more_series_than_can_be_remembered_are_refused() -> None:
    """The memory of a feed is bounded."""
    with pytest.raises(ValueError, match="more than"):
        growth({}, [series(str(n), (1, 1)) for n in range(MOST + 1)], 1)


def test_numbers_of_events_are_whole_and_the_bad_ones_are_among_all() -> None:
    """A sum of seconds is no count, and bad is a part of total."""
    assert counts(10.0, 3.0) == (10, 3)
    with pytest.raises(ValueError, match="no number of events"):
        whole(2.5)
    with pytest.raises(ValueError, match="no part of total"):
        counts(3, 4)


@pytest.mark.req("INV6")
@pytest.mark.parametrize("value", [True, "5", None, [], float("nan"), 10**400])
def test_what_is_no_number_is_refused(value: object) -> None:
    """Text that looks like a number, true and NaN are none."""
    with pytest.raises(ValueError, match="where a number belongs"):
        number(value)


@pytest.mark.req("O6")
@given(
    steps=st.lists(st.tuples(st.integers(0, 50), st.booleans()), max_size=30),
    cuts=st.lists(st.integers(0, 30), max_size=10),
    back=st.integers(0, 8),
)
def test_however_readings_cut_the_time_the_sums_are_the_true_counts(
    steps: list[tuple[int, bool]], cuts: list[int], back: int
) -> None:
    """One counter, scraped after every step, restarted at some; readings overlap by some samples
    or leave none out."""
    samples: list[tuple[float, float]] = [(0.0, 7.0)]
    value, true = 7.0, 0
    for at, (events, restarts) in enumerate(steps, start=1):
        # A restart shows as a value below the last one; hidden ones nobody can see.
        value = float(min(events, value - 1)) if restarts and value >= 1 else value + events
        true += int(value if value < samples[-1][1] else value - samples[-1][1])
        samples.append((float(at), value))
    read, known, total = 0, None, 0.0
    for cut in [*sorted(min(cut, len(steps)) for cut in cuts), len(steps)]:
        grown: Growth = growth(
            known, [Series("a", {}, samples[max(0, read - back) : cut + 1])], cut
        )
        known, total, read = grown.known, total + grown.sum, cut + 1
        assert grown.sum >= 0
    assert total == true
