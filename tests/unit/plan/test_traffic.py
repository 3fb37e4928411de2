"""Traffic as people write it."""

from __future__ import annotations

import pytest

from switchover.plan.stages import Stage
from switchover.plan.traffic import Traffic, hours, rate


@pytest.mark.req("O5")
@pytest.mark.parametrize(
    ("text", "per_second"), [("5/s", 5.0), ("90/min", 1.5), ("90 / m", 1.5), ("18/h", 0.005)]
)
def test_a_rate_is_read_in_its_unit(text: str, per_second: float) -> None:
    """Per second, minute, hour or day."""
    assert rate(text) == pytest.approx(per_second)


@pytest.mark.parametrize("text", ["5", "5/w", "/s", "-1/s", "0/s", ""])
def test_what_is_no_rate_is_refused(text: str) -> None:
    """With an example of one."""
    with pytest.raises(ValueError, match="write one like 5/s"):
        rate(text)


@pytest.mark.req("O5")
def test_the_split_and_the_shadow_decide_what_each_system_sees() -> None:
    """Shadow calls count for the system that they go to, and make a pair each."""
    flow = Traffic(10.0).flow(Stage(0, "c", "canary", "gradual", split=2_000, shadow=5_000), {})
    assert (flow.candidate, flow.legacy) == pytest.approx((2 + 8 * 0.5, 8 + 2 * 0.5))
    assert (flow.pair, flow.requests, flow.split) == pytest.approx((5.0, 10.0, 0.2))
    own = Traffic(10.0, own={"candidate": 3.0}).flow(Stage(0, "c", "canary", "gradual"), {})
    assert (own.candidate, own.legacy) == (3.0, 10.0)


@pytest.mark.req("O5")
def test_a_day_has_quiet_hours() -> None:
    """Half of the day brings everything, so six hours from noon on bring twelve hours' worth."""
    traffic = Traffic(1.0, hours("0=0,12=1"), begins=12.0)
    assert traffic.amount(0.0, 6 * 3600.0) == pytest.approx(12 * 3600.0)
    assert traffic.amount(12 * 3600.0, 6 * 3600.0) == 0.0
    assert traffic.lasts(12 * 3600.0, 3600.0) == pytest.approx(12.5 * 3600.0)
    assert traffic.amount(0.0, 10 * 86_400.0) == pytest.approx(10 * 86_400.0)


@pytest.mark.req("O5")
@pytest.mark.parametrize("start", [0.0, 1800.0, 30_000.0])
@pytest.mark.parametrize("seconds", [60.0, 5_000.0, 200_000.0])
def test_the_two_directions_agree(start: float, seconds: float) -> None:
    """However long something takes, that time brings what it takes."""
    traffic = Traffic(1.0, hours("0=0.2,7=1.5,22=0.5"), begins=9.5)
    assert traffic.amount(start, traffic.lasts(start, seconds)) == pytest.approx(seconds)


@pytest.mark.parametrize(
    ("text", "fault"),
    [("7", "is not HOUR=FACTOR"), ("24=1", "hours are 0 to 23"), ("0=0", "without any traffic")],
)
def test_what_is_no_day_is_refused(text: str, fault: str) -> None:
    """In words."""
    with pytest.raises(ValueError, match=fault):
        hours(text)
