"""Recurrence rules of windows: what is refused, and that none takes long to follow."""

from __future__ import annotations

import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from switchover.errors import PlanError
from switchover.plan.load import load_plan
from switchover.plan.recurrence import recurrence

START = datetime(2026, 1, 2, 14)


@pytest.mark.req("P7")
@pytest.mark.parametrize(
    ("rule", "says"),
    [
        ("FREQ=SECONDLY", "FREQ=SECONDLY is too fine for windows of a schedule; use FREQ=DAILY"),
        ("FREQ=MINUTELY;INTERVAL=5", "too fine"),
        ("FREQ=HOURLY", "BYHOUR"),
        ("FREQ=OFTEN", "FREQ=OFTEN is unknown; use FREQ=DAILY, WEEKLY, MONTHLY or YEARLY"),
        ("BYDAY=FR", "the rule has no FREQ; use"),
        ("", "is no part of a recurrence rule; write it like FREQ=WEEKLY;BYDAY=FR"),
        ("FREQ=WEEKLY;BYDAY", "'BYDAY' is no part"),
        ("FREQ=WEEKLY;FREQ=DAILY", "FREQ is given twice; keep one of them"),
        ("FREQ=WEEKLY;BYDAY=FRI", "'FRI' does not fit BYDAY; use MO, TU"),
        ("FREQ=WEEKLY;BYDAY=1FR", "use FREQ=MONTHLY, or FR"),
        ("FREQ=MONTHLY;BYMONTHDAY=32", "'32' does not fit BYMONTHDAY; use 1 to 31"),
        ("FREQ=DAILY;INTERVAL=0", "'0' does not fit INTERVAL; use 1 to 1000"),
        ("FREQ=DAILY;INTERVAL=1,2", "INTERVAL is one number; write INTERVAL=1"),
        ("FREQ=DAILY;COUNT=5000", "'5000' does not fit COUNT"),
        ("FREQ=DAILY;COUNT=5;UNTIL=20270101", "both end the rule; keep one"),
        ("FREQ=DAILY;UNTIL=soon", "'SOON' does not fit UNTIL; write a day like 20261231"),
        ("FREQ=DAILY;UNTIL=20270101T000000Z", "a local time like"),
        ("FREQ=DAILY;UNTIL=20271399", "is no recurrence rule"),
        ("FREQ=DAILY;UNTIL=20250101", "never comes after 2026-01-02"),
        ("FREQ=YEARLY;BYMONTH=2;BYMONTHDAY=30", "never comes"),
        ("FREQ=DAILY;INTERVAL=7;BYDAY=MO", "never comes"),
        ("FREQ=DAILY;BYSECOND=1", "BYSECOND is not supported in a schedule; use INTERVAL"),
        ("FREQ=YEARLY;BYEASTER=1", "BYEASTER is not supported"),
        ("FREQ=DAILY;BYHOUR=1,2,3,4,5,6;BYMINUTE=0,10,20,30,40", "more than 24 windows a day"),
        ("FREQ=WEEKLY;WKST=XX", "is no recurrence rule"),
        ("DTSTART:20200101\nRRULE:FREQ=DAILY", "the rule has no FREQ"),
    ],
)
def test_a_rule_that_does_not_fit_is_refused_with_advice(rule: str, says: str) -> None:
    """Each refusal says which part is wrong and what to write."""
    with pytest.raises(ValueError, match="; ") as refused:
        recurrence(rule, START)
    assert says in str(refused.value)


@pytest.mark.req("P7")
def test_a_bad_rule_is_told_with_its_line(write: object) -> None:
    """The plan's fault names file, line and column of the rule."""
    window = '{rrule: FREQ=SECONDLY, start: 2026-01-02T14:00, duration: 2h, reason: "x"}'
    file: Path = write(add=f"schedule:\n  freeze:\n    - {window}\n")  # type: ignore[operator]
    with pytest.raises(PlanError) as refused:
        load_plan(file)
    (fault,) = refused.value.faults
    lines = file.read_text().splitlines()
    assert lines[fault.line - 1][fault.column - 1 :].startswith(("FREQ=SECONDLY", "rrule"))
    assert fault.field == "schedule.freeze[0].rrule"


@pytest.mark.req("P7")
def test_a_rule_of_long_ago_is_followed_from_nearby() -> None:
    """Skipping whole periods changes nothing of what a rule means."""
    for text, start in [
        ("FREQ=DAILY;INTERVAL=3", datetime(2000, 1, 1, 9)),
        ("FREQ=WEEKLY;INTERVAL=2;BYDAY=MO,TH;WKST=SU", datetime(2000, 1, 5, 9)),
        ("FREQ=WEEKLY;INTERVAL=5", datetime(2000, 1, 5, 9)),
        ("FREQ=DAILY;BYMONTH=2;BYDAY=TU", datetime(2000, 1, 5, 9)),
    ]:
        found = recurrence(text, start)
        low, high = datetime(2026, 2, 1), datetime(2027, 3, 1)
        plain = [time for time in found.rule.between(low, high, inc=True) if time < high]
        assert list(found.between(low, high)) == plain
        assert found.after(low) == plain[0]


@pytest.mark.req("P7")
@settings(max_examples=80, deadline=None)
@given(
    frequency=st.sampled_from(["DAILY", "WEEKLY", "MONTHLY", "YEARLY"]),
    interval=st.integers(1, 1000),
    days=st.sets(st.sampled_from(["MO", "WE", "SU"])),
    months=st.sets(st.integers(1, 12), max_size=2),
    year=st.integers(2000, 2030),
)
def test_following_a_rule_takes_few_steps(
    frequency: str, interval: int, days: set[str], months: set[int], year: int
) -> None:
    """Whatever the rule, it is read and followed over a year in a bounded number of calls."""
    text = f"FREQ={frequency};INTERVAL={interval}"
    text += f";BYDAY={','.join(sorted(days))}" * bool(days)
    text += f";BYMONTH={','.join(map(str, sorted(months)))}" * bool(months)
    calls = 0

    def count(frame: object, event: str, argument: object) -> None:
        nonlocal calls
        calls += event == "call"

    sys.setprofile(count)
    try:
        found = recurrence(text, datetime(year, 1, 1, 9))
        list(found.between(datetime(2026, 6, 1), datetime(2027, 6, 1)))
    except ValueError as refused:
        assert "never comes" in str(refused)  # noqa: PT017
    finally:
        sys.setprofile(None)
    assert calls < 400_000


@pytest.mark.req("P7")
def test_the_day_that_until_names_is_still_in() -> None:
    """UNTIL=20260104 ends after the window of that day."""
    found = recurrence("FREQ=DAILY;UNTIL=20260104", START)
    assert list(found.between(START, START + timedelta(days=30))) == [
        START + timedelta(days=n) for n in range(3)
    ]
    assert recurrence("RRULE:FREQ=DAILY;COUNT=2", START).after(START + timedelta(days=2)) is None


@pytest.mark.req("P7")
def test_a_plan_without_rules_does_not_import_dateutil() -> None:
    """Its import takes as long as many a command."""
    code = (
        "import sys; from switchover.plan.schedule import Schedule; "
        "import switchover.plan.calendar; Schedule(); assert 'dateutil' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code], check=True, timeout=60)


@pytest.mark.req("P7")
@pytest.mark.parametrize("rule", ["FREQ=MONTHLY;BYDAY=1FR", "FREQ=YEARLY;UNTIL=20270101"])
def test_a_rule_without_even_periods_is_followed_once(rule: str) -> None:
    """A plan may have hundreds of windows, and is looked at every minute."""
    found = recurrence(rule, datetime(2000, 1, 1, 9))
    low, high = datetime(2026, 1, 1), datetime(2027, 6, 1)
    plain = [time for time in found.rule.between(low, high, inc=True) if time < high]
    first = list(found.between(low, high))
    calls = 0

    def count(frame: object, event: str, argument: object) -> None:
        nonlocal calls
        calls += event == "call"

    sys.setprofile(count)
    again = list(found.between(low, high))
    sys.setprofile(None)
    assert first == again == plain
    assert list(found.between(datetime(2001, 1, 1), datetime(2001, 2, 1)))
    assert calls < 200


@pytest.mark.req("P7")
def test_threads_follow_one_rule_together() -> None:
    """Each sees every time, also of a rule that ends meanwhile."""
    start = datetime(2000, 1, 1, 9)
    plain = list(recurrence("FREQ=MONTHLY;UNTIL=20251231", start).rule)
    for turn in range(5):
        found = recurrence("FREQ=MONTHLY;UNTIL=20251231", start - timedelta(hours=turn))
        with ThreadPoolExecutor(8) as pool:
            lists = list(pool.map(lambda _: list(found.between(START.min, START.max)), range(8)))  # noqa: B023
        assert all(len(each) == len(plain) for each in lists)
