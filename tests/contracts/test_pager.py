"""What every pager promises, on the one in memory and on Slack's SDK against a stand-in."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import pytest

from switchover.errors import DependencyUnavailable, InputError
from switchover.incidents.slack import SlackPager
from switchover.ports import Pager
from switchover.testing.pager import MemoryPager
from switchover.testing.slack import SlackServer, Trouble

BLOCKS = [{"type": "section", "text": {"type": "mrkdwn", "text": "more"}}]


@dataclass(frozen=True)
class Subject:
    """A pager, a fresh one on the same service, what was sent, and how to break the service."""

    pager: Pager
    again: Callable[[], Pager]
    sent: Callable[[], list[tuple[str, str | None]]]
    break_once: Callable[[], None]
    mend: Callable[[], None]


@pytest.fixture(params=["memory", "slack"])
def subject(request: pytest.FixtureRequest) -> Iterator[Subject]:
    if request.param == "memory":
        pager = MemoryPager()

        def break_once() -> None:
            pager.error = DependencyUnavailable("Slack", "told to be")

        def mend() -> None:
            pager.error = None

        yield Subject(
            pager,
            lambda: pager,
            lambda: [(m.text, m.thread) for m in pager.messages],
            break_once,
            mend,
        )
        return
    with SlackServer() as server:
        yield Subject(
            SlackPager(server.token, server.base_url),
            lambda: SlackPager(server.token, server.base_url),
            lambda: [(m["text"], m["thread_ts"]) for m in server.messages],
            lambda: server.trouble("chat.postMessage", Trouble(503)),
            lambda: None,
        )


@pytest.mark.req("P9")
def test_message_is_sent_with_its_text(subject: Subject) -> None:
    """A post arrives as it was written, and gives a thread to reply to."""
    assert subject.pager.post("k1", "#mood-migration", "rolled back", BLOCKS)
    assert subject.sent() == [("rolled back", None)]


@pytest.mark.req("INV4")
def test_same_key_is_sent_once_and_gives_the_same_thread(subject: Subject) -> None:
    """A retry, also from another process, finds the message instead of repeating it."""
    first = subject.pager.post("k1", "#mood-migration", "rolled back", BLOCKS)
    assert subject.again().post("k1", "#mood-migration", "rolled back", BLOCKS) == first
    assert len(subject.sent()) == 1


@pytest.mark.req("P9")
def test_other_key_is_another_message(subject: Subject) -> None:
    """Keys tell messages apart, not their text."""
    first = subject.pager.post("k1", "#mood-migration", "the same", BLOCKS)
    assert subject.pager.post("k2", "#mood-migration", "the same", BLOCKS) != first
    assert len(subject.sent()) == 2


@pytest.mark.req("P9")
def test_reply_goes_to_its_thread_once(subject: Subject) -> None:
    """A reply carries the thread it was given, returns it, and is not repeated either."""
    thread = subject.pager.post("k1", "#mood-migration", "rolled back", BLOCKS)
    for _ in range(2):
        assert subject.again().post("k2", "#mood-migration", "measured", [], thread) == thread
    assert subject.sent() == [("rolled back", None), ("measured", thread)]


@pytest.mark.req("R8")
def test_failure_is_named_and_the_retry_sends(subject: Subject) -> None:
    """While the service is away nothing is sent and the error says so; afterwards it goes out."""
    subject.break_once()
    with pytest.raises(DependencyUnavailable, match="Slack is unavailable"):
        subject.pager.post("k1", "#mood-migration", "rolled back", BLOCKS)
    assert subject.sent() == []
    subject.mend()
    subject.pager.post("k1", "#mood-migration", "rolled back", BLOCKS)
    assert len(subject.sent()) == 1


@pytest.mark.req("P6")
def test_a_message_is_replaced_and_not_sent_again(subject: Subject) -> None:
    """Once or twice, by whatever pager: the same message says something else."""
    thread = subject.pager.post("k1", "#mood-migration", "wanted", BLOCKS)
    for _ in range(2):
        subject.again().update("#mood-migration", thread, "settled", BLOCKS)
    assert subject.sent() == [("settled", None)]


@pytest.mark.req("P6")
def test_a_message_that_is_not_there_is_bad_input(subject: Subject) -> None:
    """No retry can mend it."""
    with pytest.raises(InputError):
        subject.pager.update("#mood-migration", "1.000001", "settled", BLOCKS)
