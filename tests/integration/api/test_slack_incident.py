"""An incident's thread in Slack: over HTTP in both directions, with Slack in all its moods."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import Any

import httpx
import pytest

from switchover.clock import ManualClock, SystemClock
from switchover.engine.context import Context
from switchover.engine.drain import drain
from switchover.engine.incident import Findings, analyse, close
from switchover.engine.roll_back import roll_back
from switchover.errors import DependencyUnavailable
from switchover.incidents.slack_decision import ACKNOWLEDGE
from switchover.testing.slack import Trouble
from switchover.wiring import build_context
from tests.integration.api.conftest import World

PLACE = "/slack/interactions"
FOUND = Findings(
    root_cause="token=abcdef123456 was in the log", impact="none", prevention="a test",
    mitigated="looked at it", actions=({"text": "x", "owner": "ada", "due": "2026-03-09"},),
)  # fmt: skip


def back(world: World, reason: str = "slow") -> str:
    """Roll back and perform what is due."""
    outcome = roll_back(world.context, "demo", actor="eve", trigger="person", reason=reason)
    drain(world.context)
    return outcome.incident


def head(world: World) -> dict[str, Any]:
    """The incident's first message as it is now."""
    (message,) = [m for m in world.slack.messages if not m["thread_ts"]]
    return message


def thread(world: World) -> list[str]:
    """The replies, oldest first."""
    return [m["text"] for m in world.slack.messages if m["thread_ts"] == head(world)["ts"]]


def click(world: World, user: str) -> None:
    """Click the button of the first message."""
    sent = world.slack.click(world.url + PLACE, head(world), ACKNOWLEDGE, user)
    answer = httpx.post(sent.url, content=sent.body, headers=sent.headers, timeout=30)
    assert answer.status_code == 200


@pytest.mark.req("P9")
def test_a_thread_tells_an_incident_from_alarm_to_resolution(world: World) -> None:
    """One message that shows how it stands, one reply for each thing that changed, no secret."""
    incident = back(world)
    assert "rolled back to legacy" in head(world)["text"]
    click(world, "U0ADA")
    assert world.answers() == [f"Incident {incident} is looked after by ada."]
    world.wait_for(lambda: "ada looks after it." in thread(world))
    assert ACKNOWLEDGE not in str(head(world)["blocks"])
    analyse(world.context, incident, FOUND, actor="ada", via="cli")
    close(world.context, incident, actor="bo", note="all said", via="cli")
    drain(world.context)
    told = thread(world)
    assert told[1] == "ada looks after it."
    assert told[2].startswith("Analysed. Root cause: token=[redacted]")
    assert told[3] == "Resolved: closed by bo: all said."
    assert "Closed: The demonstration" in str(head(world)["blocks"])
    assert "abcdef123456" not in str(world.slack.messages)


@pytest.mark.req("P9")
def test_somebody_on_call_who_is_no_approver_may_look_after_it(world: World) -> None:
    """Slack vouches for the user; a second click changes nothing and names the first."""
    incident = back(world)
    message = dict(head(world))
    click(world, "U0NIGHT")
    world.wait_for(lambda: "Slack user U0NIGHT looks after it." in thread(world))
    sent = world.slack.click(world.url + PLACE, message, ACKNOWLEDGE, "U0ADA")
    httpx.post(sent.url, content=sent.body, headers=sent.headers, timeout=30)
    assert world.answers(2)[1] == f"Incident {incident} is looked after by Slack user U0NIGHT."


@pytest.mark.req("P9", "R8")
def test_a_rate_limit_is_waited_out_and_nothing_is_told_twice(world: World) -> None:
    """429 with Retry-After: the effect comes back no sooner, and the thread is whole then."""
    world.slack.trouble("chat.postMessage", Trouble(429, "ratelimited", retry_after=7200))
    incident = back(world)
    assert world.slack.messages == []
    (row,) = [e for e in world.context.ledger.effects("demo") if e["key"] == f"{incident}:page"]
    assert row["status"] != "done"
    assert "it asks to wait 7200 s" in row["error"]
    drain(world.context)
    assert world.slack.calls["chat.postMessage"] == 1
    later = build_context(world.settings)
    drain(_in_the_future(later, hours=1.9))
    assert world.slack.messages == []
    drain(_in_the_future(later, hours=2.1))
    drain(_in_the_future(later, hours=3))
    assert len([m for m in world.slack.messages if not m["thread_ts"]]) == 1
    assert len(thread(world)) == 1


@pytest.mark.req("P9", "INV4")
def test_a_reply_whose_answer_was_lost_is_not_repeated(world: World) -> None:
    """Slack took it and the connection died: found by its key at the next attempt."""
    incident = back(world)
    world.slack.trouble("chat.postMessage", Trouble(0, done=True))
    analyse(world.context, incident, FOUND, actor="ada", via="cli")
    assert drain(world.context).failed
    drain(_in_the_future(world.context, hours=1))
    assert len([text for text in thread(world) if text.startswith("Analysed")]) == 1


@pytest.mark.req("P9")
def test_a_reason_of_any_length_arrives_cut_and_stays_whole_in_the_incident(world: World) -> None:
    """Slack takes the message, and the report has every character."""
    reason = "the cache was stale & <old>, " * 500
    incident = back(world, reason)
    assert "full text in the incident" in str(head(world)["blocks"])
    (entry,) = [e for e in world.context.ledger.entries("demo") if e.kind == "rolled_back"]
    assert (entry.payload["incident"], entry.payload["reason"]) == (incident, reason)


@pytest.mark.req("P9")
def test_a_click_while_the_ledger_is_away_says_so(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nothing is recorded, and whoever clicked knows."""
    back(world)

    def away(*_: object, **__: object) -> None:
        raise DependencyUnavailable("database", "gone")

    monkeypatch.setattr("switchover.api.slack.acknowledge", away)
    click(world, "U0ADA")
    assert "click again later" in world.answers()[0]


def _in_the_future(context: Context, hours: float) -> Context:
    """The same engine with a clock that is ahead."""
    return replace(context, clock=ManualClock(SystemClock().now() + timedelta(hours=hours)))
