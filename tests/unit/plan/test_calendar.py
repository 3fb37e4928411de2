"""Windows of a schedule: what they mean on every minute, also where clocks change."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from switchover.plan.calendar import blocked, free_from, next_run, stopped
from switchover.plan.cron import Cron
from switchover.plan.schedule import Schedule

BERLIN = ZoneInfo("Europe/Berlin")
MINUTE = timedelta(minutes=1)
DAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
#: Weeks with a change of the clocks, forward and back, and one without.
WEEKS = (datetime(2026, 3, 25), datetime(2026, 10, 21), datetime(2026, 6, 1))


def at(text: str) -> datetime:
    """A moment by the clock in Berlin."""
    return datetime.fromisoformat(text).replace(tzinfo=BERLIN)


def schedule(**changes: Any) -> Schedule:
    return Schedule.model_validate({"timezone": "Europe/Berlin", **changes})


FRIDAYS = {"rrule": "FREQ=WEEKLY;BYDAY=FR", "start": "2026-01-02T14:00", "duration": "58h",
           "reason": "no changes before the weekend"}  # fmt: skip


@pytest.mark.req("P7")
@pytest.mark.parametrize(
    ("moment", "frozen"),
    [
        ("2026-11-20T13:59", False),
        ("2026-11-20T14:00", True),
        ("2026-11-22T23:59", True),
        ("2026-11-23T00:00", False),
        ("2026-03-29T23:59", True),
        ("2026-03-30T00:00", False),
        ("2026-10-25T23:59", True),
        ("2026-10-26T00:00", False),
    ],
)
def test_a_recurring_freeze_goes_by_the_wall_clock(moment: str, frozen: bool) -> None:
    """From Friday 14:00 until Monday 0:00, also over the Sundays on which the clocks change."""
    assert bool(blocked(schedule(freeze=[FRIDAYS]), at(moment))) is frozen


@pytest.mark.req("P7")
def test_a_block_says_until_when_it_lasts() -> None:
    """The reason, and the end as a clock of the schedule's zone shows it."""
    said = blocked(schedule(freeze=[FRIDAYS]), at("2026-11-21T10:00"))
    assert said == (
        "frozen by the plan (no changes before the weekend) "
        "until Mon 2026-11-23 00:00 Europe/Berlin"
    )
    weekdays = schedule(weekdays=["mon", "fri"])
    assert blocked(weekdays, at("2026-11-21T10:00")).endswith(
        "(mon, fri only) until Mon 2026-11-23 00:00 Europe/Berlin"
    )


@pytest.mark.req("P7")
def test_a_maintenance_window_is_the_only_time_for_steps() -> None:
    """Inside nothing is in the way; outside the sentence names the next one; a freeze wins."""
    nightly = {"rrule": "FREQ=DAILY", "start": "2026-01-01T02:00", "duration": "3h"}
    plan = schedule(maintenance=[nightly], cron="30 3 * * *")
    assert blocked(plan, at("2026-11-21T02:00")) == ""
    assert blocked(plan, at("2026-11-21T04:59")) == ""
    assert blocked(plan, at("2026-11-21T05:00")) == (
        "outside of the plan's maintenance windows until Sun 2026-11-22 02:00 Europe/Berlin"
    )
    once = {"start": "2026-11-21T03:00", "duration": "1h", "reason": "audit"}
    assert "audit" in blocked(
        schedule(maintenance=[nightly], freeze=[once]), at("2026-11-21T03:30")
    )


@pytest.mark.req("P7")
def test_past_the_last_maintenance_window_nothing_is_promised() -> None:
    """There is no end to name, and the sentence says what to do."""
    plan = schedule(maintenance=[{"start": "2026-11-21T03:00", "end": "2026-11-21T04:00"}])
    stop = stopped(plan, at("2026-11-22T00:00"))
    assert stop is not None
    assert stop.until is None
    assert "start a plan with another one" in stop.reason
    assert free_from(plan, at("2026-11-22T00:00")) is None
    assert next_run(plan, at("2026-11-22T00:00")) is None


def _window(words: dict[str, Any], local: datetime) -> bool:
    """Whether a clock that shows ``local`` is in the window, said the plain way; only for zones
    and hours in which no clock changes."""
    start = datetime.fromisoformat(words["start"])
    length = timedelta(hours=int(words["duration"][:-1]))
    day = start
    while day <= local:
        days = words["rrule"].partition("BYDAY=")[2]
        named = not days or DAYS[day.weekday()][:2].upper() in days
        if named and day <= local < day + length:
            return True
        day += timedelta(days=1)
    return False


windows = st.builds(
    lambda days, hour, back, length: {
        "rrule": f"FREQ=WEEKLY;BYDAY={','.join(sorted(days))}" if days else "FREQ=DAILY",
        "start": f"{datetime(2026, 3, 1, hour) - timedelta(days=back):%Y-%m-%dT%H:%M}",
        "duration": f"{length}h",
        "reason": "x",
    },
    st.sets(st.sampled_from(["MO", "TU", "WE", "TH", "FR", "SA", "SU"])),
    # Between 2 and 3 clocks change: what a window means there has tests of its own.
    st.integers(3, 23), st.integers(0, 40), st.sampled_from([1, 5, 23, 24, 48, 72]),
).filter(lambda w: (int(w["start"][11:13]) + int(w["duration"][:-1])) % 24 not in (2,))  # fmt: skip


@pytest.mark.req("P7")
@settings(max_examples=30, deadline=None)
@given(
    freeze=st.lists(windows, max_size=2),
    maintenance=st.lists(windows, max_size=2),
    weekdays=st.sets(st.sampled_from(DAYS), min_size=1),
    week=st.sampled_from(WEEKS),
    minute=st.integers(0, 7 * 24 * 60),
)
def test_windows_mean_what_every_minute_by_itself_says(
    freeze: list[Any], maintenance: list[Any], weekdays: set[str], week: datetime, minute: int
) -> None:
    """Blocked or free, and when that ends, agree with a search that walks over all hours."""
    plan = schedule(freeze=freeze, maintenance=maintenance, weekdays=sorted(weekdays))

    def free(moment: datetime) -> bool:
        local = moment.astimezone(BERLIN).replace(tzinfo=None, fold=0)
        return (
            not any(_window(words, local) for words in freeze)
            and DAYS[local.weekday()] in weekdays
            and (not maintenance or any(_window(words, local) for words in maintenance))
        )

    now = week.replace(tzinfo=BERLIN).astimezone(UTC) + minute * MINUTE
    stop = stopped(plan, now)
    assert (stop is None) is free(now)
    begun = free_from(plan, now)
    hours = [now.replace(minute=0) + timedelta(hours=h) for h in range(1, 24 * 15)]
    expected = now if free(now) else next((hour for hour in hours if free(hour)), None)
    if expected is not None:
        assert begun == expected
    if stop is not None and stop.until is not None:
        assert stop.until > now
        assert not any(free(hour) for hour in hours if hour < stop.until)


@pytest.mark.req("P7")
def test_windows_in_the_hour_that_clocks_change_follow_the_clock() -> None:
    """What begins in the hour that is jumped over begins at the jump, what fits into it wholly
    does not come; in the hour that comes twice the first one counts."""
    short = {"rrule": "FREQ=DAILY", "start": "2026-01-01T02:30", "reason": "x"}
    long_ = schedule(freeze=[{**short, "duration": "1h"}])
    jump = datetime(2026, 3, 29, 1, tzinfo=UTC)
    assert not blocked(long_, jump - MINUTE)
    assert blocked(long_, jump)
    assert not blocked(long_, jump + 30 * MINUTE)
    only = schedule(maintenance=[{**short, "duration": "15m"}])
    assert not any(stopped(only, jump + m * MINUTE) is None for m in range(-60, 60))
    again = datetime(2026, 10, 25, 0, 30, tzinfo=UTC)
    quarter = schedule(freeze=[{**short, "duration": "15m"}])
    assert blocked(quarter, again)
    assert not blocked(quarter, again + timedelta(hours=1))


@pytest.mark.req("P7")
def test_the_next_run_is_one_that_may_step() -> None:
    """Runs in a freeze or on a closed weekday are passed over."""
    plan = schedule(cron="0 15 * * *", weekdays=["fri", "sat", "tue"], freeze=[FRIDAYS])
    assert next_run(plan, at("2026-11-20T09:00")) == at("2026-11-24T15:00")
    assert next_run(plan, at("2026-11-24T15:00")) == at("2026-12-01T15:00")
    never = schedule(cron="0 15 * * 5", freeze=[FRIDAYS])
    assert next_run(never, at("2026-11-20T09:00")) is None
    assert Cron.parse(never.cron).runs_on("fri")
