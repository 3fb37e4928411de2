"""Regular notices: once per occasion, on record, and only while somebody is concerned."""

from __future__ import annotations

from typing import Any

import pytest

from switchover.engine.approve import decide_approval
from switchover.engine.drain import drain
from switchover.engine.inform import attempt, concerned, inform, review_due, today
from switchover.engine.roll_back import roll_back

BERLIN = {"cron": "0 9 * * *", "timezone": "Europe/Berlin"}


def complete(world: Any) -> None:
    """Walk to the end."""
    approval = world.to_approval()
    decide_approval(world.context, "demo", "approve", approver="ada", via="cli", approval=approval)
    assert world.step().action == "enter"
    world.wait(1.1)
    world.traffic()
    assert world.step().action == "enter"
    assert world.case.state.phase.value == "complete"


@pytest.mark.req("K7")
def test_a_notice_is_sent_and_written_down_once(world: Any) -> None:
    """Two runs on the same day make one message; the text is in the ledger."""
    world.start()
    first = inform(world.context, "demo", "notice ops d1", "hello", "#ops", actor="notice")
    second = inform(world.context, "demo", "notice ops d1", "hello!", "#ops", actor="notice")
    assert (first, second) == (True, False)
    drain(world.context)
    sent = [effect.payload for effect in world.effects if effect.kind == "notice"]
    assert sent == [{"migration": "demo", "channel": "#ops", "text": "hello"}]
    notes = [entry for entry in world.ledger.entries("demo") if entry.kind == "noted"]
    assert [(note.actor, note.payload["text"]) for note in notes] == [("notice", "hello")]


@pytest.mark.req("K7")
def test_what_is_on_record_is_read_once(world: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """A migration of years has a long record: a review reads it once, however often it looks."""
    world.start()
    complete(world)
    case, read = world.case, world.ledger.entries
    asked: list[str] = []
    monkeypatch.setattr(world.ledger, "entries", lambda name: asked.append(name) or read(name))
    assert review_due(case) == "day-1"
    assert attempt(case) == list(case.entries)
    assert asked == ["demo"]


@pytest.mark.req("K7")
def test_another_attempt_is_told_of_anew(world: Any) -> None:
    """What was said of the attempt before does not count."""
    world.start()
    assert inform(world.context, "demo", "notice ops d1", "one", "#ops", actor="notice")
    roll_back(world.context, "demo", actor="ada", trigger="manual", reason="bad")
    world.start()
    assert inform(world.context, "demo", "notice ops d1", "two", "#ops", actor="notice")
    drain(world.context)
    texts = [effect.payload["text"] for effect in world.effects if effect.kind == "notice"]
    assert texts == ["one", "two"]


@pytest.mark.req("K7")
def test_without_a_channel_it_is_only_written_down(world: Any) -> None:
    """A plan without Slack has its reviews in the ledger."""
    world.start()
    assert inform(world.context, "demo", "review day-1", "fine", None, actor="review")
    drain(world.context)
    assert [effect for effect in world.effects if effect.kind == "notice"] == []


@pytest.mark.req("K7")
def test_who_is_told_during_traffic_hears_nothing_before_it(world: Any) -> None:
    """Operations in the migration week: from the first canary to a week after completion."""
    world.start()
    assert concerned(world.case, "migration") == ""
    assert "serves nobody" in concerned(world.case, "traffic")
    complete(world)
    assert concerned(world.case, "traffic") == ""
    world.wait(24 * 8)
    assert "complete for 8 days" in concerned(world.case, "traffic")
    assert concerned(world.case, "migration") == ""
    world.wait(24 * 30)
    assert "complete for 38 days" in concerned(world.case, "migration")


@pytest.mark.req("K7")
def test_nobody_is_told_of_what_ended(world: Any) -> None:
    """A rollback has its own messages."""
    world.start()
    roll_back(world.context, "demo", actor="ada", trigger="manual", reason="bad")
    assert concerned(world.case, "migration") == "demo is rolled back"


@pytest.mark.req("P14")
def test_seven_daily_reviews_and_one_of_the_month(world: Any) -> None:
    """Run every day for six weeks, also twice a day: each review is due once."""
    world.start()
    assert review_due(world.case) == ""
    complete(world)
    written = []
    for _ in range(2 * 42):
        name = review_due(world.case)
        if name:
            topic = f"review {name}"
            assert inform(world.context, "demo", topic, "text", None, actor="review")
            written.append(name)
        world.wait(12)
    assert written == [*(f"day-{day}" for day in range(1, 8)), "month-1"]


@pytest.mark.req("P14")
def test_a_missed_day_is_left_out_and_a_missed_month_made_up_for(world: Any) -> None:
    """After an outage of three days the fourth day is reviewed; the month's report may be late."""
    world.start()
    complete(world)
    world.wait(24 * 3.5)
    assert review_due(world.case) == "day-4"
    world.wait(24 * 50)
    assert review_due(world.case) == "month-1"


@pytest.mark.req("K7")
def test_a_day_is_that_of_the_plans_time_zone(world: Any) -> None:
    """At noon UTC it is the same day in Berlin; at 23:30 UTC it is the next."""
    world.start(schedule=BERLIN)
    before = today(world.case)
    hours = 23.5 - world.clock.now().hour - world.clock.now().minute / 60
    world.wait(hours)
    assert today(world.case) > before
