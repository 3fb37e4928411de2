"""Notices and reviews say what a person outside the team wants to know."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from switchover.incidents.slack_limits import MAX_TEXT
from switchover.machine.state import Alert, Phase, State
from switchover.plan.spec import Contact
from switchover.plan.stages import Stage
from switchover.ports import Entry
from switchover.reporting.notice import LINES, Standing, notice_text, told_since
from switchover.reporting.review import daily_text, month_text

START = datetime(2026, 1, 5, 9, tzinfo=UTC)
STAGES = (
    Stage(0, "checks", "checks", "legacy_only", work=True),
    Stage(1, "canary-25", "canary", "gradual", split=2500, bake=86400.0),
    Stage(2, "canary-100", "canary", "gradual", split=10000, bake=86400.0, approval=True),
    Stage(3, "complete", "complete", "candidate_only", split=10000),
)


def entry(revision: int, kind: str, hours: float, **payload: Any) -> Entry:
    at = START + timedelta(hours=hours)
    payload = {"at": at.timestamp(), **payload}
    return Entry("mood", revision, at, "ada", kind, payload, "", "")


def entered(revision: int, stage: int, hours: float) -> Entry:
    of = STAGES[stage]
    return entry(revision, "stage_entered", hours, title=of.title, split=of.split, mode=of.mode)


JOURNEY = [
    entry(1, "started", 0),
    entered(2, 1, 1),
    entry(3, "judged", 2, verdict="hold", sentence="few data"),
    entry(4, "approval_decided", 30, id="a", status="approved", approver="bo", via="cli",
          reason="looks good"),
    entered(5, 2, 31),
    entered(6, 3, 60),
]  # fmt: skip


@pytest.fixture
def standing() -> Standing:
    """In the first canary, an hour after it began."""
    state = State("mood", stage=1, split=2500, mode="gradual", entered_at=START.timestamp())
    return Standing("Mood v3", state, STAGES, JOURNEY[:3], "the stage bakes")


@pytest.mark.req("K7")
def test_a_notice_tells_where_it_stands_and_what_comes_next(standing: Standing) -> None:
    """Stage, share, reason to wait, next step and whether people are asked."""
    text = notice_text(standing)
    assert "Mood v3: stage 2 of 4 (canary 25 %) since 2026-01-05 09:00 UTC" in text
    assert "the candidate serves 25 %" in text
    assert "Now: the stage bakes." in text
    assert "Next: canary 100 %, which people must approve." in text
    assert "Stage canary 25 % began" in text


@pytest.mark.req("K7")
def test_inner_affairs_are_left_out(standing: Standing) -> None:
    """A verdict that turned and turned back is not for the clinic's ears."""
    assert "few data" not in notice_text(standing)
    quiet = replace(standing, entries=[JOURNEY[2]], since="the last one")
    assert "Nothing happened since the last one." in notice_text(quiet)


@pytest.mark.req("K7")
def test_open_alerts_and_whom_to_ask_are_told(standing: Standing) -> None:
    """The first contact is the one to ask."""
    alerted = replace(
        standing,
        alerts=(Alert("success", "candidate", 0.0, "success is 88 %, alert below 90 %"),),
        contacts=[Contact(name="Ada Meyer", role="owner", reach="ada@clinic.example")],
    )
    text = notice_text(alerted)
    assert "• success is 88 %, alert below 90 %" in text
    assert "Questions: Ada Meyer (owner), ada@clinic.example" in text


@pytest.mark.req("K7")
def test_a_long_history_is_cut_to_its_newest_lines(standing: Standing) -> None:
    """And it says how much was left out."""
    many = [entry(n, "held", n, reason=f"reason {n}") for n in range(1, LINES + 11)]
    text = notice_text(replace(standing, entries=many))
    assert "(10 more before)" in text
    assert "reason 10\n" not in text
    assert f"reason {LINES + 10}" in text


@pytest.mark.req("P14")
def test_a_quiet_day_has_nothing_to_do(standing: Standing) -> None:
    """A plan whose gates all need legacy has none that judges after completion."""
    state = replace(standing.state, stage=3, phase=Phase.COMPLETE)
    quiet = replace(standing, state=state, entries=[], since="completion")
    text = daily_text(quiet, 2, None)
    assert "day 2 after completion" in text
    assert "No gate judges any more." in text
    assert text.endswith("Nothing to do.")


@pytest.mark.req("P14")
def test_an_open_alert_is_something_to_do(standing: Standing) -> None:
    """The last line says so."""
    alert = Alert("p95", "candidate", 0.0, "p95 is 6 s")
    text = daily_text(replace(standing, alerts=(alert,)), 1, None)
    assert text.splitlines()[-1].startswith("To do: look at the open alerts")


@pytest.mark.req("P14")
def test_the_months_report_tells_the_whole_story(standing: Standing) -> None:
    """Time, attempts, stages, approvals, rollbacks, and what is left to do."""
    everything = [
        entry(1, "started", -100),
        entry(2, "rolled_back", -90, trigger="judge", reason="errors"),
        *JOURNEY,
    ]
    text = month_text(replace(standing, entries=[]), everything)
    assert "2 attempts and 1 rollback" in text
    assert "It took 6 d 16 h from start to completion" in text
    assert "Stages:\n• checks: 1 h\n• canary 25 %: 1 d 6 h\n• canary 100 %: 1 d 5 h\n" in text
    assert "• bo, 2026-01-06 15:00: looks good" in text
    assert "Rolled back to legacy (judge): errors" in text
    assert "Retire legacy" in text


@pytest.mark.req("K7")
def test_long_reasons_push_nothing_off_the_end_of_a_message(standing: Standing) -> None:
    """Slack cuts what is too long, and the end says which alerts are open and whom to ask."""
    many = [entry(n, "held", n, reason="word " * 200) for n in range(1, LINES + 11)]
    told = replace(
        standing,
        entries=many,
        why="gate; " * 500,
        alerts=(Alert("success", "candidate", 0.0, "success is 88 %, alert below 90 %"),),
        contacts=[Contact(name="Ada Meyer", role="owner", reach="ada@clinic.example")],
    )
    text = notice_text(told)
    assert len(text) < MAX_TEXT
    assert text.endswith("Questions: Ada Meyer (owner), ada@clinic.example")
    assert "word …" in text


@pytest.mark.req("K7")
def test_what_a_namesake_was_told_is_not_what_one_was_told() -> None:
    """`clinic` and `clinic-night` have notes of their own."""
    note = entry(7, "noted", 70, topic="notice clinic-night 2026-01-08", text="x")
    entries = [*JOURNEY, note]
    assert told_since(entries, "notice clinic ") == ("", 0)
    assert told_since(entries, "notice clinic-night ") == ("the last one, 2026-01-08 07:00", 7)
    assert told_since(entries, "review day-") == ("completion", 6)
    assert told_since(entries, "") == ("completion", 6)
