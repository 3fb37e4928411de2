from __future__ import annotations

import threading
from typing import Any

import pytest

from switchover.errors import InputError
from switchover.routing.shadow_thread import ThreadShadow


class Recorded:
    def __init__(self) -> None:
        self.seen: list[tuple[Any, ...]] = []

    def compare(self, legacy: Any, candidate: Any) -> None:
        self.seen.append(("pair", legacy, candidate))

    def compare_failed(self, kind: str) -> None:
        self.seen.append(("failed", kind))

    def compare_noise(self, first: Any, second: Any) -> None:
        self.seen.append(("noise", first, second))


@pytest.mark.req("INV9")
def test_a_thread_asks_the_other_side_and_compares() -> None:
    """Pairs, errors, timeouts and noise reach the recorder from a thread."""
    recorder = Recorded()

    def broken() -> str:
        raise RuntimeError("down")

    def late() -> str:
        raise TimeoutError

    shadow = ThreadShadow(recorder, concurrency=1, noise=1.0)
    shadow.after("legacy", "a", lambda: "b", again=lambda: "c")
    shadow.after("legacy", "a", broken)
    shadow.after("legacy", "a", late)
    shadow.after("candidate", "a", broken)
    shadow.close()
    assert recorder.seen == [
        ("pair", "a", "b"),
        ("noise", "a", "c"),
        ("failed", "error"),
        ("failed", "timeout"),
    ]
    assert shadow.counters == {"ok": 1, "noise": 1, "error": 1, "timeout": 1, "legacy_error": 1}


@pytest.mark.req("INV9")
def test_a_full_queue_sheds_at_once() -> None:
    """The caller never waits for room."""
    recorder, gate, began = Recorded(), threading.Event(), threading.Event()

    def held() -> str:
        began.set()
        gate.wait(10)
        return "a"

    shadow = ThreadShadow(recorder, concurrency=1, queue=1, deadline=30)
    shadow.after("legacy", "a", held)
    assert began.wait(10)
    taken = [shadow.after("legacy", "a", lambda: "a") for _ in range(3)]
    gate.set()
    shadow.close()
    assert taken == [True, False, False]
    assert shadow.counters == {"ok": 2, "shed": 2}


@pytest.mark.req("INV9")
def test_a_call_past_its_deadline_counts_as_a_timeout() -> None:
    """A late answer is no agreement, even when it is the same."""
    recorder, gate = Recorded(), threading.Event()
    shadow = ThreadShadow(recorder, deadline=0.01)
    shadow.after("legacy", "a", lambda: "a" if not gate.wait(0.1) else "never")
    shadow.close()
    assert recorder.seen == [("failed", "timeout")]


@pytest.mark.req("INV9")
def test_unsafe_methods_and_closed_shadows_take_nothing() -> None:
    """The same rules as under asyncio."""
    shadow = ThreadShadow(Recorded(), allow=["PUT"])
    assert not shadow.after("legacy", "a", lambda: "a", method="POST")
    assert shadow.after("legacy", "a", lambda: "a", method="put")
    shadow.close()
    assert not shadow.after("legacy", "a", lambda: "a")
    with pytest.raises(InputError, match="concurrency"):
        ThreadShadow(concurrency=0)
