"""Alerts in the machine: one for each target and system, ended with the migration."""

from __future__ import annotations

import json

import pytest

from switchover.errors import IllegalTransition
from switchover.machine.apply import apply, begin
from switchover.machine.event import (
    Aborted,
    AlertCleared,
    AlertRaised,
    Event,
    Judged,
    RolledBack,
    StageEntered,
    Started,
    Stranded,
    event_from_dict,
)
from switchover.machine.state import State

RAISED = AlertRaised("success_rate", "candidate", 5.0, "80 % in the last 15 min")
CLEARED = AlertCleared("success_rate", "candidate", 9.0, "98 % in the last 15 min")


@pytest.fixture
def state() -> State:
    return begin("m", Started("digest", "salt", "string", 0.0, "ada"))


@pytest.mark.req("R10")
def test_an_alert_is_open_from_raised_to_cleared_and_changes_no_routing(state: State) -> None:
    """The epoch stays, and so does everything that routing shows."""
    alerted = apply(state, RAISED)
    (alert,) = alerted.alerts
    assert (alert.target, alert.system, alert.at) == ("success_rate", "candidate", 5.0)
    assert alerted.epoch == state.epoch
    other = apply(alerted, AlertRaised("success_rate", "legacy", 6.0, "bad too"))
    assert [each.system for each in apply(other, CLEARED).alerts] == ["legacy"]


@pytest.mark.req("R10")
def test_an_alert_is_neither_raised_twice_nor_cleared_unraised(state: State) -> None:
    """So that each episode has one beginning and one end on record."""
    with pytest.raises(IllegalTransition, match="there is no alert on success_rate of candidate"):
        apply(state, CLEARED)
    with pytest.raises(IllegalTransition, match="is alerted already"):
        apply(apply(state, RAISED), RAISED)


@pytest.mark.req("R10")
@pytest.mark.parametrize(
    "end",
    [
        RolledBack(9.0, "ada", "judge", "bad", "halt", "incident"),
        Aborted(9.0, "ada", "no more"),
        StageEntered(1, "complete", "candidate_only", 10_000, 0, 9.0, 9.0),
    ],
)
def test_the_end_of_a_migration_ends_its_alerts(state: State, end: Event) -> None:
    """Nobody watches afterwards, so nothing may look as if it were still open."""
    if isinstance(end, StageEntered):
        state = apply(state, StageEntered(1, "all", "gradual", 10_000, 0, 1.0, 1.0))
        end = StageEntered(2, "complete", "candidate_only", 10_000, 0, 9.0, 9.0)
    ended = apply(apply(state, RAISED), end)
    assert ended.alerts == ()
    with pytest.raises(IllegalTransition):
        apply(ended, RAISED)


@pytest.mark.req("R10")
@pytest.mark.req("K4")
def test_alerts_survive_json_and_older_states_have_none(state: State) -> None:
    """A state reads back as it was; one from before alerts has none."""
    alerted = apply(state, RAISED)
    document = json.loads(json.dumps(alerted.to_dict()))
    assert State.from_dict(document) == alerted
    del document["alerts"]
    assert State.from_dict(document).alerts == ()
    assert event_from_dict("alert_raised", RAISED.to_dict()) == RAISED
    assert event_from_dict("alert_cleared", CLEARED.to_dict()) == CLEARED


@pytest.mark.req("R3")
def test_a_red_alert_keeps_a_failure_past_the_point_of_no_return_one_failure(state: State) -> None:
    """A verdict that changes meanwhile opens no second incident; the end of the alert does allow
    one for the next failure."""
    passed = StageEntered(1, "canary 10 %", "gradual", 1000, 0, 2.0, 3.0,
                          reversibility="point_of_no_return")  # fmt: skip
    state = apply(apply(state, passed), Stranded(4.0, "guard", "red: path", "down", "i-1"))
    state = apply(state, AlertRaised("red path", "candidate", 4.0, "down"))
    state = apply(state, Judged(1, "hold", 5.0, "too early"))
    assert state.stranded == 1
    assert apply(state, AlertCleared("red path", "candidate", 6.0, "up")).stranded == -1
