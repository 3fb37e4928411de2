from __future__ import annotations

import logging
from typing import Any

import pytest
from openfeature.evaluation_context import EvaluationContext
from openfeature.track import TrackingEventDetails

from switchover.machine.snapshot import Snapshot
from switchover.routing.openfeature import SwitchoverProvider
from switchover.routing.router import Router

pytestmark = pytest.mark.req("T12")


class Noted:
    """A recorder that remembers what it is given."""

    def __init__(self) -> None:
        self.seen: list[tuple[str, Any, str]] = []

    def record(self, metric: str, value: bool | float, system: str) -> None:
        self.seen.append((metric, value, system))


@pytest.fixture
def router() -> Router:
    """Half of the keys are the candidate's; nothing listens where its Redis would be."""
    router = Router("mood", "redis://127.0.0.1:1/0")
    router._held.take(Snapshot("mood", 1, "gradual", 5_000, salt="s").to_json())
    return router


def key_of(router: Router, system: str) -> str:
    """Some key that ``system`` serves."""
    return next(key for key in map(str, range(100)) if router.route(key).system == system)


@pytest.mark.parametrize("system", ["legacy", "candidate"])
def test_event_belongs_to_the_system_that_serves_its_key(router: Router, system: str) -> None:
    """A number is measured, a bool is yes or no, and an event without a value has happened."""
    recorder = Noted()
    provider = SwitchoverProvider(router, recorder=recorder)
    context = EvaluationContext(key_of(router, system))
    provider.track("order_eur", context, TrackingEventDetails(9.5))
    provider.track("satisfied", context, TrackingEventDetails(False))
    provider.track("visited", context)
    assert recorder.seen == [
        ("order_eur", 9.5, system),
        ("satisfied", False, system),
        ("visited", True, system),
    ]


def test_event_without_a_key_is_warned_of_once(
    router: Router, caplog: pytest.LogCaptureFixture
) -> None:
    """It can't be counted for a system, and is not guessed to be anybody's."""
    recorder = Noted()
    provider = SwitchoverProvider(router, recorder=recorder)
    with caplog.at_level(logging.WARNING, "switchover"):
        provider.track("visited")
        provider.track("visited", EvaluationContext())
    assert not recorder.seen
    assert [message for message in caplog.messages if "'visited'" in message] == caplog.messages
    assert len(caplog.messages) == 1


def test_without_a_recorder_tracking_does_nothing(
    router: Router, caplog: pytest.LogCaptureFixture
) -> None:
    """As the specification asks of providers that don't support it."""
    with caplog.at_level(logging.DEBUG):
        SwitchoverProvider(router).track("visited", EvaluationContext("ada"))
    assert not caplog.records
