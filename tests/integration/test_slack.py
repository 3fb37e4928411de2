"""Slack's own SDK against a server that keeps Slack's rules."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from datetime import timedelta

import pytest

from switchover.clock import ManualClock, SystemClock
from switchover.errors import DependencyUnavailable, InputError
from switchover.incidents.slack import SlackPager
from switchover.testing.slack import SlackServer, Trouble

CHANNEL = "#mood-migration"


@pytest.fixture
def slack() -> Iterator[SlackServer]:
    with SlackServer() as server:
        yield server


@pytest.fixture
def pager(slack: SlackServer) -> SlackPager:
    return SlackPager(slack.token, slack.base_url)


@pytest.mark.req("INV4")
def test_post_whose_answer_was_lost_is_found_and_not_repeated(
    slack: SlackServer, pager: SlackPager
) -> None:
    """The connection dies after Slack took the message: the retry finds it by its key."""
    slack.trouble("chat.postMessage", Trouble(0, done=True))
    with pytest.raises(DependencyUnavailable, match="Slack"):
        pager.post("k1", CHANNEL, "rolled back", [])
    assert pager.post("k1", CHANNEL, "rolled back", []) == slack.messages[0]["ts"]
    assert len(slack.messages) == 1
    assert slack.calls["chat.postMessage"] == 1


@pytest.mark.req("INV4")
def test_key_is_found_behind_many_other_messages(slack: SlackServer, pager: SlackPager) -> None:
    """A busy channel does not hide the message: the history is read page by page."""
    slack.page = 3
    first = pager.post("k0", CHANNEL, "first", [])
    for number in range(1, 8):
        pager.post(f"k{number}", CHANNEL, "later", [])
    assert pager.post("k0", CHANNEL, "first", []) == first
    assert len(slack.messages) == 8


@pytest.mark.req("INV4")
def test_a_channel_too_busy_to_search_is_told_of(
    slack: SlackServer, pager: SlackPager, monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:  # fmt: skip
    """Better twice than not at all; and the log says which message that may be."""
    monkeypatch.setattr("switchover.incidents.slack._PAGES", 2)
    slack.page = 3
    for number in range(8):
        pager.post(f"k{number}", CHANNEL, "x", [])
    caplog.clear()
    pager.post("k0", CHANNEL, "x", [])
    assert len(slack.messages) == 9
    assert "do not have k0" in caplog.text


@pytest.mark.req("P9")
def test_old_messages_are_not_searched(slack: SlackServer) -> None:
    """The search ends two days back, so that it stays a few calls in a busy channel."""
    SlackPager(slack.token, slack.base_url).post("k1", CHANNEL, "x", [])
    later = ManualClock(SystemClock().now() + timedelta(days=3))
    SlackPager(slack.token, slack.base_url, clock=later).post("k1", CHANNEL, "x", [])
    assert len(slack.messages) == 2


@pytest.mark.req("P9")
def test_rate_limit_carries_the_wait_that_slack_asks_for(
    slack: SlackServer, pager: SlackPager
) -> None:
    """429 is passed on with its Retry-After, for the outbox to wait as long."""
    slack.trouble("chat.postMessage", Trouble(429, "ratelimited", retry_after=30))
    with pytest.raises(DependencyUnavailable, match="wait 30 s") as raised:
        pager.post("k1", CHANNEL, "x", [])
    assert raised.value.retry_after == 30
    assert slack.messages == []


@pytest.mark.req("R8")
@pytest.mark.parametrize("trouble", [Trouble(500), Trouble(502, "bad gateway"), Trouble(0)])
def test_outage_is_a_dependency_that_is_away(
    slack: SlackServer, pager: SlackPager, trouble: Trouble
) -> None:
    """Server errors and broken connections are for another attempt; no wait is made up."""
    slack.trouble("conversations.list", trouble)
    with pytest.raises(DependencyUnavailable, match="Slack") as raised:
        pager.post("k1", CHANNEL, "x", [])
    assert raised.value.retry_after is None


@pytest.mark.req("R8")
def test_nobody_listening_is_a_dependency_that_is_away(slack: SlackServer) -> None:
    """A refused connection names Slack."""
    address = slack.base_url
    gone = SlackPager(slack.token, address.replace(address.split(":")[2], "1/api/"), timeout=2)
    with pytest.raises(DependencyUnavailable, match="Slack"):
        gone.post("k1", "C0000MOOD", "x", [])


@pytest.mark.req("P9")
@pytest.mark.parametrize(
    ("error", "advice"),
    [("token_revoked", "SWITCHOVER_SLACK_TOKEN"), ("not_in_channel", "invite the app")],
)
def test_refusal_tells_what_a_person_has_to_do(
    slack: SlackServer, pager: SlackPager, error: str, advice: str
) -> None:
    """What no retry can mend is bad input, with advice."""
    slack.trouble("chat.postMessage", Trouble(200, error))
    with pytest.raises(InputError, match=f"{error}.*{advice}"):
        pager.post("k1", CHANNEL, "x", [])


@pytest.mark.req("P9")
def test_wrong_token_is_bad_input_and_never_shown(slack: SlackServer) -> None:
    """The message names the setting, and the token stays out of it."""
    with pytest.raises(InputError, match=r"invalid_auth.*SWITCHOVER_SLACK_TOKEN") as raised:
        SlackPager("xoxb-wrong-token-1234", slack.base_url).check()
    assert "xoxb-wrong" not in str(raised.value)
    with pytest.raises(InputError, match="SWITCHOVER_SLACK_TOKEN"):
        SlackPager("")


@pytest.mark.req("P9")
def test_missing_scope_is_named(slack: SlackServer, pager: SlackPager) -> None:
    """An app that may not read the history is told which scope it lacks."""
    slack.scopes.discard("channels:history")
    with pytest.raises(InputError, match="scope channels:history"):
        pager.post("k1", CHANNEL, "x", [])


@pytest.mark.req("P9")
def test_unknown_channel_is_bad_input(pager: SlackPager) -> None:
    """A channel that is nowhere is named."""
    with pytest.raises(InputError, match="no channel #nowhere"):
        pager.post("k1", "#nowhere", "x", [])


@pytest.mark.req("P9")
def test_channel_id_needs_no_look_up(slack: SlackServer, pager: SlackPager) -> None:
    """An id goes as it is, so an app without channels:read can post."""
    slack.scopes.discard("channels:read")
    pager.post("k1", "C0000MOOD", "x", [])
    assert "conversations.list" not in slack.calls


@pytest.mark.req("P9")
def test_oversized_message_arrives_cut_and_without_secrets(
    slack: SlackServer, pager: SlackPager
) -> None:
    """What Slack would refuse for its size is cut; tokens are taken out of text and blocks."""
    secret = "password=hunter22 "
    block = {"type": "section", "text": {"type": "mrkdwn", "text": secret + "y" * 9000}}
    pager.post("k1", CHANNEL, secret + slack.token + "z" * 50_000, [block] * 90)
    sent = slack.messages[0]
    assert len(sent["blocks"]) == 50
    assert "full text in the incident" in sent["text"]
    assert "hunter22" not in str(sent)
    assert slack.token not in str(sent)


@pytest.mark.req("P9")
def test_check_names_the_app(pager: SlackPager) -> None:
    """The token can be tried without posting."""
    assert pager.check() == "switchover"


@pytest.mark.req("P9")
def test_sdk_is_imported_only_when_used() -> None:
    """Who builds a pager and never posts does not pay for Slack's SDK."""
    program = (
        "import sys; from switchover.incidents.slack import SlackPager; SlackPager('t'); "
        "sys.exit('slack_sdk' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", program], check=False).returncode == 0
