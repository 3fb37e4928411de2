"""What docs/how-to/schedule-and-freeze.md shows is what happens."""

from __future__ import annotations

import re
from datetime import datetime
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from switchover.plan.calendar import blocked, next_run, stopped
from switchover.plan.explain import explain
from switchover.plan.load import lint_plan, load_plan
from switchover.plan.wall_clock import spoken_moment

PAGE = (Path(__file__).parents[3] / "docs/how-to/schedule-and-freeze.md").read_text("utf-8")
EXAMPLES = re.findall(r"```yaml\n(.*?)```", PAGE, re.DOTALL)
BERLIN = ZoneInfo("Europe/Berlin")


@pytest.mark.req("P7")
@pytest.mark.parametrize("example", range(2))
def test_each_example_is_a_part_of_a_plan(write: Any, example: int) -> None:
    """Neither faults nor warnings, and explain tells of every window."""
    file = write(add=EXAMPLES[example])
    report = lint_plan(file)
    assert (report.faults, report.warnings) == ((), ())
    said = explain(load_plan(file)).windows
    assert len(said) == EXAMPLES[example].count("start")
    assert all(line.startswith(("frozen ", "steps only ")) for line in said)


@pytest.mark.req("P7")
def test_the_sentence_on_the_page_is_what_why_says(write: Any) -> None:
    """On the Saturday before, with the next run."""
    schedule = load_plan(write(add=EXAMPLES[0])).plan.schedule
    saturday = datetime(2026, 11, 21, 10, tzinfo=BERLIN)
    run = next_run(schedule, saturday)
    assert run is not None
    said = f"{blocked(schedule, saturday)}; next run {spoken_moment(run, BERLIN)}"
    assert f"\n{said}\n" in PAGE


@pytest.mark.req("P7")
def test_the_last_working_day_is_frozen(write: Any) -> None:
    """Monday 30 November 2026, from 8:00 to midnight."""
    schedule = load_plan(write(add=EXAMPLES[0])).plan.schedule
    assert stopped(schedule, datetime(2026, 11, 30, 7, 59, tzinfo=BERLIN)) is None
    assert "month" in blocked(schedule, datetime(2026, 11, 30, 8, tzinfo=BERLIN))
    assert stopped(schedule, datetime(2026, 12, 1, 8, tzinfo=BERLIN)) is None
