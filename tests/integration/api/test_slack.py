"""Approving by Slack's buttons, over HTTP in both directions."""

from __future__ import annotations

import time
from pathlib import Path

import httpx
import pytest

from switchover.errors import DependencyUnavailable
from switchover.incidents.slack_decision import APPROVE, REJECT
from switchover.ledger.approvers import SqlApprovers
from switchover.testing.slack_click import click_payload, signed_click
from tests.integration.api.conftest import PLAN, World, world_on

PLACE = "/slack/interactions"


def buttons(message: dict) -> list[str]:  # type: ignore[type-arg]
    """The action ids of a message."""
    return [e["action_id"] for b in message["blocks"] if b["type"] == "actions"
            for e in b["elements"]]  # fmt: skip


@pytest.mark.req("P6")
def test_a_click_approves_and_the_buttons_vanish(world: World) -> None:
    """Ledger and message say who, by which way and why; the one who clicked is told."""
    approval = world.ask()
    assert buttons(world.message()) == [APPROVE, REJECT]
    answer = world.click(APPROVE, "U0ADA", "agreement is steady")
    assert (answer.status_code, answer.content) == (200, b"")
    assert world.answers() == [f"Recorded for ada: {approval} is approved."]
    last = world.context.ledger.entries("demo")[-1].payload
    assert (last["approver"], last["via"], last["identity"]) == ("ada", "slack", "slack")
    assert last["reason"] == "agreement is steady"
    world.wait_for(lambda: buttons(world.message()) == [])
    assert "Approved by ada (slack): agreement is steady" in str(world.message()["blocks"])
    world.wait_for(lambda: world.prefect.runs[f"{approval}:run"]["state"] == "COMPLETED")
    world.wait_for(lambda: f"{approval}:advance" in world.prefect.runs)


@pytest.mark.req("P6")
def test_a_click_rejects_without_a_reason(world: World) -> None:
    """The field is optional, and an empty one is no reason."""
    world.ask()
    world.click(REJECT, "U0BO")
    assert "is rejected" in world.answers()[0]
    assert world.approval.status == "rejected"
    world.wait_for(lambda: "Rejected by bo (slack)" in str(world.message()["blocks"]))


@pytest.mark.req("P6")
def test_a_stranger_is_told_how_to_be_enrolled(world: World) -> None:
    """Nobody but the one who clicked sees it, and nothing is decided."""
    world.ask()
    world.click(APPROVE, "U0NOBODY")
    assert "switchover approvers add NAME --slack U0NOBODY" in world.answers()[0]
    (answer,) = world.slack.answers
    assert answer["user"] == "U0NOBODY"
    assert (answer["response_type"], answer["replace_original"]) == ("ephemeral", False)
    assert world.approval.status == "pending"


@pytest.mark.req("P6")
def test_four_eyes_hold_in_slack_too(world: World) -> None:
    """Who started the migration is refused, and told why."""
    world.ask()
    world.click(APPROVE, "U0CARL")
    assert "four eyes" in world.answers()[0]
    assert world.approval.status == "pending"


@pytest.mark.req("P6")
def test_a_click_on_a_settled_request_says_so(world: World) -> None:
    """Somebody else was faster by another way; the click changes nothing."""
    world.ask()
    message = dict(world.message())
    click = world.slack.click(world.url + PLACE, message, APPROVE, "U0ADA")
    assert world.decide("bo", "reject").status_code == 200
    assert httpx.post(click.url, content=click.body, headers=click.headers).status_code == 200
    assert "already rejected" in world.answers()[0]
    # The way in does not matter for the message: its buttons are gone as well.
    world.wait_for(lambda: buttons(world.message()) == [])


@pytest.mark.req("P6")
def test_the_message_counts_the_quorum(
    sqlite_url: str, fresh_redis_url: str, tmp_path: Path
) -> None:
    """After one of two the buttons stay, and it is seen who approved and who may yet."""
    plan = PLAN.replace("min_approvers: 1", "min_approvers: 2")
    with world_on(sqlite_url, fresh_redis_url, tmp_path, plan=plan) as world:
        world.ask()
        world.message()
        world.click(APPROVE, "U0ADA")
        assert world.answers() == ["Recorded for ada; still wanted: 1 more of bo."]
        world.wait_for(lambda: "Approved so far" in str(world.message()["blocks"]))
        assert buttons(world.message()) == [APPROVE, REJECT]
        # Who started is not offered.
        assert "carl" not in str(world.message()["blocks"])
        world.click(APPROVE, "U0BO")
        assert "is approved" in world.answers(2)[1]
        world.wait_for(lambda: "Approved by ada, bo (slack)" in str(world.message()["blocks"]))


@pytest.mark.req("P6")
def test_a_replayed_click_is_refused(world: World) -> None:
    """The very same request a second time gets 403, whatever it would have changed."""
    world.ask()
    click = world.slack.click(world.url + PLACE, world.message(), APPROVE, "U0NOBODY")
    answers = [httpx.post(click.url, content=click.body, headers=click.headers) for _ in range(2)]
    assert [answer.status_code for answer in answers] == [200, 403]
    assert "was here before" in answers[1].json()["error"]


@pytest.mark.req("P6")
@pytest.mark.parametrize("age", [-301, 330])  # the request takes a moment
def test_an_old_click_is_refused(world: World, age: int) -> None:
    """A right signature of another time is no proof."""
    world.ask()
    payload = click_payload(world.message(), APPROVE, "U0ADA", "", "")
    click = signed_click(world.url + PLACE, world.slack.signing_secret, payload, time.time() + age)
    answer = httpx.post(click.url, content=click.body, headers=click.headers)
    assert answer.status_code == 403
    assert world.approval.status == "pending"


@pytest.mark.req("P6")
def test_a_forged_click_is_refused(world: World) -> None:
    """Another secret, a changed body, and no signature at all."""
    world.ask()
    payload = click_payload(world.message(), APPROVE, "U0ADA", "", "")
    forged = signed_click(world.url + PLACE, "another-secret", payload)
    right = signed_click(world.url + PLACE, world.slack.signing_secret, payload)
    for body, headers in (
        (forged.body, forged.headers),
        (right.body.replace(b"U0ADA", b"U0BOB"), right.headers),
        (right.body, {"Content-Type": "application/x-www-form-urlencoded"}),
    ):
        answer = httpx.post(world.url + PLACE, content=body, headers=headers)
        assert answer.status_code == 403
        assert set(answer.json()) == {"error", "what_to_do", "request_id"}
    assert world.approval.status == "pending"


@pytest.mark.req("P6")
def test_other_interactions_are_taken_and_ignored(world: World) -> None:
    """Slack sends every click in the app's messages; what is no decision changes nothing."""
    for payload, status in (
        ({"type": "view_submission"}, 200),
        ({"type": "block_actions", "actions": [{"action_id": "other"}]}, 200),
        ({"type": "block_actions", "actions": [{"action_id": APPROVE}]}, 400),
        ({"type": "block_actions"}, 400),
        ([], 200),
    ):
        click = signed_click(world.url + PLACE, world.slack.signing_secret, payload)
        answer = httpx.post(click.url, content=click.body, headers=click.headers)
        assert answer.status_code == status, payload
    assert world.slack.answers == []


@pytest.mark.req("P6")
def test_an_answer_goes_nowhere_but_to_slack(world: World) -> None:
    """An address of another host is not called, and the decision stands."""
    world.ask()
    payload = click_payload(world.message(), APPROVE, "U0ADA", "", world.url + "/health")
    click = signed_click(world.url + PLACE, world.slack.signing_secret, payload)
    httpx.post(click.url, content=click.body, headers=click.headers)
    world.wait_for(lambda: world.approval.status == "approved")
    assert world.slack.answers == []


@pytest.mark.req("P6")
def test_without_a_signing_secret_there_are_no_buttons(
    sqlite_url: str, fresh_redis_url: str, tmp_path: Path
) -> None:
    """The message names the commands instead, and the address refuses every click."""
    nothing = {"SWITCHOVER_SLACK_SIGNING_SECRET": ""}
    with world_on(sqlite_url, fresh_redis_url, tmp_path, **nothing) as world:
        world.ask()
        assert buttons(world.message()) == []
        assert "switchover approve demo" in str(world.message()["blocks"])
        click = signed_click(world.url + PLACE, "x", {})
        answer = httpx.post(click.url, content=click.body, headers=click.headers)
        assert answer.status_code == 404


@pytest.mark.req("P6")
def test_a_click_during_an_outage_is_told_so_without_addresses(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The click is answered in time, nothing is decided, and the next one counts."""
    world.ask()
    world.message()

    def away(self: SqlApprovers, user: str) -> str:
        raise DependencyUnavailable("database", "refused at postgresql://switchover@10.1.2.3/x")

    with monkeypatch.context() as patch:
        patch.setattr(SqlApprovers, "by_slack", away)
        assert world.click(APPROVE, "U0ADA").status_code == 200
        (told,) = world.answers()
    assert told == "Not recorded, as the database can't be reached; click again later."
    assert world.approval.status == "pending"
    world.click(APPROVE, "U0ADA", "now then")
    assert "is approved" in world.answers(2)[1]
