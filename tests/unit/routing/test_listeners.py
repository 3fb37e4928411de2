"""Listeners hear of every change, in order, and can't get into the router's way."""

from __future__ import annotations

import threading
from queue import Queue

import pytest

from switchover import Router
from switchover.machine.snapshot import Snapshot
from switchover.routing.held import Change

WAIT = 10.0


@pytest.fixture
def router() -> Router:
    """A router without Redis; documents are handed to it."""
    return Router("demo", "redis://127.0.0.1:1/0")


def take(router: Router, epoch: int, split: int = 0, **flags: dict[str, object]) -> None:
    """Hand over one document."""
    mode = "gradual" if split else "legacy_only"
    router._held.take(Snapshot("demo", epoch, mode, split, salt="s", flags=flags).to_json())


@pytest.mark.req("T9", "T12")
def test_a_change_names_the_flags_it_touches(router: Router) -> None:
    """Changed, new and removed ones, and with the split those that follow it."""
    heard: Queue[Change] = Queue()
    router.on_change(heard.put)
    take(router, 1, a={}, b={"follows_split": True}, c={})
    take(router, 2, a={"split": 10}, b={"follows_split": True}, d={})
    take(router, 3, 500, a={"split": 10}, b={"follows_split": True}, d={})
    router._held.expire(-1.0)
    take(router, 3, 500, a={"split": 10}, b={"follows_split": True}, d={})
    assert [heard.get(timeout=WAIT) for _ in range(5)] == [
        Change("document", 1, ("a", "b", "c")),
        Change("document", 2, ("a", "c", "d")),
        Change("document", 3, ("b",)),
        Change("stale", 3, ("b",)),
        Change("back", 3, ("b",)),
    ]


@pytest.mark.req("INV5")
def test_a_listener_that_hangs_delays_no_rollback(router: Router) -> None:
    """It is called in a thread of its own, and one fault does not silence the others."""
    entered, leave = threading.Event(), threading.Event()
    heard: Queue[Change] = Queue()

    def hang(change: Change) -> None:
        entered.set()
        leave.wait(WAIT)
        raise RuntimeError("mine")

    router.on_change(hang)
    router.on_change(heard.put)
    take(router, 1, 10_000)
    assert entered.wait(WAIT)
    router._held.take(Snapshot("demo", 2, "emergency_rollback").to_json())
    assert router.route("u1").reason == "emergency_rollback"
    leave.set()
    assert [heard.get(timeout=WAIT).epoch for _ in range(2)] == [1, 2]


@pytest.mark.req("T9")
def test_who_has_left_hears_nothing(router: Router) -> None:
    """The way out is what ``on_change`` gives."""
    heard: Queue[str] = Queue()
    leave = router.on_change(lambda change: heard.put("gone"))
    router.on_change(lambda change: heard.put("here"))
    leave()
    take(router, 1)
    assert heard.get(timeout=WAIT) == "here"
    assert heard.empty()
