from __future__ import annotations

from typing import Any

import pytest

from switchover.errors import InputError
from switchover.routing.breaker import Breaker


class Clock:
    now = 0.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


def breaker(clock: Clock, **options: Any) -> Breaker:
    return Breaker(**{"consecutive": 3, "cool_down": 10.0, "probes": 2, **options}, clock=clock)


def end(breaker: Breaker, *outcomes: bool) -> None:
    for ok in outcomes:
        breaker.settle(breaker.admit(), ok)


@pytest.mark.req("T4")
def test_failures_in_a_row_open_it(clock: Clock) -> None:
    """A success in between begins the count anew; open, no call is admitted."""
    tried = breaker(clock)
    end(tried, False, False, True, False, False)
    assert tried.state == "closed"
    end(tried, False)
    assert (tried.state, tried.admit(), tried.opened) == ("open", 0, 1)


@pytest.mark.req("T4")
def test_share_of_failures_within_the_window_opens_it(clock: Clock) -> None:
    """Failures that never come in a row still count; those before the window don't."""
    tried = breaker(clock, rate=0.5, minimum=6, window=60.0)
    end(tried, True, False, True, False, True)
    assert tried.state == "closed"
    end(tried, False)
    assert tried.state == "open"
    aged = breaker(clock, rate=0.5, minimum=6, window=60.0)
    end(aged, True, False, True, False, True)
    clock.now += 61
    end(aged, False)
    assert aged.state == "closed"


@pytest.mark.req("T4")
def test_few_calls_are_no_rate(clock: Clock) -> None:
    """Below the minimum one bad call of two proves nothing."""
    tried = breaker(clock, minimum=20)
    end(tried, True, False, False, True, False)
    assert tried.state == "closed"


@pytest.mark.req("T4")
def test_it_is_tried_with_a_few_probes_and_closes_when_all_succeed(clock: Clock) -> None:
    """After cooling down two calls go, and no third before their end."""
    tried = breaker(clock)
    end(tried, False, False, False)
    clock.now += 10
    assert tried.state == "half_open"
    first, second = tried.admit(), tried.admit()
    assert first
    assert second
    assert tried.admit() == 0
    tried.settle(first, True)
    assert (tried.state, tried.admit()) == ("half_open", 0)
    tried.settle(second, True)
    assert tried.state == "closed"


@pytest.mark.req("T4")
def test_failing_probe_opens_it_again_for_the_whole_time(clock: Clock) -> None:
    """One is enough, whatever the others do."""
    tried = breaker(clock)
    end(tried, False, False, False)
    clock.now += 10
    first, second = tried.admit(), tried.admit()
    tried.settle(first, False)
    tried.settle(second, True)
    assert (tried.state, tried.opened) == ("open", 2)
    clock.now += 9.9
    assert tried.admit() == 0


@pytest.mark.req("T4")
def test_calls_from_before_say_nothing_about_now(clock: Clock) -> None:
    """Slow calls that began before it opened neither close it nor open it again."""
    tried = breaker(clock)
    slow = [tried.admit() for _ in range(4)]
    end(tried, False, False, False)
    clock.now += 10
    assert tried.state == "half_open"
    for ticket, ok in zip(slow, (False, True, True, True), strict=True):
        tried.settle(ticket, ok)
    assert tried.state == "half_open"


@pytest.mark.req("T4")
def test_probes_that_never_come_back_do_not_block_it_for_ever(clock: Clock) -> None:
    """Their places are given anew after the same time; an abandoned one at once."""
    tried = breaker(clock)
    end(tried, False, False, False)
    clock.now += 10
    lost = [tried.admit(), tried.admit()]
    tried.abandon(lost[0])
    assert tried.admit()
    assert not tried.admit()
    clock.now += 10
    assert tried.admit()
    tried.settle(lost[1], False)
    assert tried.state == "half_open"


@pytest.mark.req("T4")
@pytest.mark.parametrize(
    "odd",
    [{"consecutive": 0}, {"rate": 0}, {"rate": 1.1}, {"window": 0}, {"cool_down": 0},
     {"minimum": 0}, {"probes": 0}],
)  # fmt: skip
def test_impossible_settings_are_refused(odd: dict[str, float]) -> None:
    """Each limit has a range."""
    with pytest.raises(InputError, match="breaker needs"):
        Breaker(**odd)  # type: ignore[arg-type]
