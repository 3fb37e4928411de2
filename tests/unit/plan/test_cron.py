from __future__ import annotations

import pytest

from switchover.plan.cron import Cron


@pytest.mark.req("P7")
@pytest.mark.parametrize(
    ("line", "minutes", "hours", "weekdays"),
    [
        ("0 9 * * *", {0}, {9}, {0, 1, 2, 3, 4, 5, 6}),
        ("*/20 8-10 * * 1-5", {0, 20, 40}, {8, 9, 10}, {1, 2, 3, 4, 5}),
        ("5,10 9/6 * * mon-fri", {5, 10}, {9, 15, 21}, {1, 2, 3, 4, 5}),
        ("0 0 * jan-mar 5-7", {0}, {0}, {0, 5, 6}),
        ("0 0 * * SUN", {0}, {0}, {0}),
    ],
)
def test_a_cron_line_means_these_moments(
    line: str, minutes: set[int], hours: set[int], weekdays: set[int]
) -> None:
    """Steps, ranges, lists and names, with Sunday as 0 and as 7."""
    cron = Cron.parse(line)
    assert (cron.minutes, cron.hours, cron.weekdays) == (minutes, hours, weekdays)


@pytest.mark.req("P7")
@pytest.mark.parametrize(
    "line",
    [
        "", "0 9 * *", "0 9 * * * *", "60 9 * * *", "0 24 * * *", "0 9 0 * *", "0 9 32 * *",
        "0 9 * 13 *", "0 9 * * 8", "0 9 * * moo", "0 9 * * 5-1", "*/0 9 * * *", "*/99 9 * * *",
        "0 9 31 2 *", "0 9 31 4,6 *", "a 9 * * *", "1- 9 * * *", ", 9 * * *", "-1 9 * * *",
        "0 9 ? * *", "0 9 * * 1#2", "@daily",
    ],
)  # fmt: skip
def test_a_line_that_means_nothing_is_refused_with_advice(line: str) -> None:
    """Out of range, backwards, empty, never: each says what and what to do."""
    with pytest.raises(ValueError, match="; "):
        Cron.parse(line)


@pytest.mark.req("P7")
@pytest.mark.parametrize(
    ("line", "day", "fires"),
    [
        ("0 9 * * 1-5", "mon", True),
        ("0 9 * * 1-5", "sun", False),
        ("0 9 1 * *", "sun", True),
        ("0 9 1 * mon", "sun", True),
        ("0 9 29 2 *", "wed", True),
    ],
)
def test_a_line_knows_on_which_weekdays_it_can_fire(line: str, day: str, fires: bool) -> None:
    """A day of the month may fall on any weekday; with both fields either is enough."""
    assert Cron.parse(line).runs_on(day) is fires
