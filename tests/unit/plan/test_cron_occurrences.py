"""When a cron line stands: against a search over every minute, in zones whose clocks change."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from switchover.plan.cron import Cron, last_occurrence, next_occurrence

MINUTE = timedelta(minutes=1)
#: Zone -> days (UTC) around a change of its clocks.
CHANGES = {
    "UTC": datetime(2026, 2, 28, tzinfo=UTC),
    "Europe/Berlin": datetime(2026, 3, 28, 12, tzinfo=UTC),
    "America/New_York": datetime(2026, 10, 31, 12, tzinfo=UTC),
    "Australia/Lord_Howe": datetime(2026, 4, 4, tzinfo=UTC),  # by half an hour
    "Asia/Kolkata": datetime(2026, 6, 1, tzinfo=UTC),
}


def stands(cron: Cron, zone: ZoneInfo, moment: datetime) -> bool:
    """The plain definition, for one minute: what clocks show, and what they jumped over."""
    local = moment.astimezone(zone)
    before = (moment - MINUTE).astimezone(zone)
    naive, earlier = local.replace(tzinfo=None, fold=0), before.replace(tzinfo=None, fold=0)
    if local.fold and len(cron.hours) < 24:
        return False
    passed = int((naive - earlier) / MINUTE) if naive > earlier else 1
    return any(_names(cron, naive - step * MINUTE) for step in range(passed))


def _names(cron: Cron, local: datetime) -> bool:
    of_month, of_week = local.day in cron.days, local.isoweekday() % 7 in cron.weekdays
    either = cron.any_day or cron.any_weekday
    return (
        local.minute in cron.minutes
        and local.hour in cron.hours
        and local.month in cron.months
        and ((of_month and of_week) if either else (of_month or of_week))
    )


lines = st.builds(
    " ".join,
    st.tuples(
        st.sampled_from(["0", "30", "*/20", "5,35"]),
        st.sampled_from(["*", "2", "1-3", "9", "*/6"]),
        st.sampled_from(["*", "*", "29", "*/2", "1,28"]),
        st.sampled_from(["*", "*", "2-4", "10"]),
        st.sampled_from(["*", "*", "1-5", "sun"]),
    ),
)


@pytest.mark.req("P7")
@settings(max_examples=30, deadline=None)
@given(line=lines, zone=st.sampled_from(sorted(CHANGES)), minute=st.integers(0, 36 * 60))
def test_occurrences_are_those_of_every_minute(line: str, zone: str, minute: int) -> None:
    """The last one and the next one, where clocks jump, go back, and where they don't."""
    cron, place = Cron.parse(line), ZoneInfo(zone)
    now = CHANGES[zone] + minute * MINUTE + timedelta(seconds=minute % 60)
    last, following = last_occurrence(cron, place, now), next_occurrence(cron, place, now)
    floor = now.replace(second=0)
    past = [floor - step * MINUTE for step in range(30 * 60)]
    ahead = [floor + step * MINUTE for step in range(1, 30 * 60)]
    found = next((moment for moment in past if stands(cron, place, moment)), None)
    coming = next((moment for moment in ahead if stands(cron, place, moment)), None)
    assert last is not None
    assert following is not None
    assert last == found if found else last < past[-1]
    assert following == coming if coming else following > ahead[-1]


@pytest.mark.req("P7")
def test_the_rarest_line_is_found_across_a_century_without_a_leap_day() -> None:
    """29 February 2104 comes eight years after the one of 2096."""
    leap = Cron.parse("0 9 29 2 *")
    assert next_occurrence(leap, ZoneInfo("UTC"), datetime(2097, 1, 1, tzinfo=UTC)) == datetime(
        2104, 2, 29, 9, tzinfo=UTC
    )
    assert last_occurrence(leap, ZoneInfo("UTC"), datetime(2104, 2, 28, tzinfo=UTC)) == datetime(
        2096, 2, 29, 9, tzinfo=UTC
    )


@pytest.mark.req("P7")
def test_a_daily_line_comes_once_in_the_night_that_clocks_go_back() -> None:
    """2:30 comes twice then; the first one counts."""
    cron, berlin = Cron.parse("30 2 * * *"), ZoneInfo("Europe/Berlin")
    first = datetime(2026, 10, 25, 0, 30, tzinfo=UTC)
    assert last_occurrence(cron, berlin, first + timedelta(hours=2)) == first
    assert next_occurrence(cron, berlin, first) == datetime(2026, 10, 26, 1, 30, tzinfo=UTC)
