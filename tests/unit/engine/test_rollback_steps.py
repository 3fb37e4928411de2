"""Steps of a rollback: each once, in order, side by side where nothing orders them."""

from __future__ import annotations

import threading
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from switchover.engine.hold import hold
from switchover.engine.rollback_standing import find_level, opened
from switchover.engine.rollback_steps import GRACE, settled_by_hand, take
from switchover.errors import InputError, Refused
from tests.unit.engine.steps_world import Killed, Steps, step


@pytest.fixture
def steps(world: Any) -> Steps:
    """A world whose actions and probes are the test's."""
    return Steps(world)


@pytest.mark.req("R2")
def test_steps_run_in_the_declared_order_after_the_traffic(steps: Steps) -> None:
    """Traffic is at legacy before the first begins; each is on record with its key."""
    modes: list[str] = []

    def note() -> bool:
        modes.append(steps.world.routing.read("demo").mode)
        return True

    steps.actions.answers = {"cache": note, "workers": note}
    steps.start({"service": [step("cache"), step("workers")]})
    incident = steps.back()
    outcome = steps.go(incident)
    assert modes == ["emergency_rollback"] * 2
    assert steps.actions.done == [
        ("cache", f"{incident}:service:cache"), ("workers", f"{incident}:service:workers"),
    ]  # fmt: skip
    assert steps.ended() == [("cache", "done"), ("workers", "done")]
    assert (outcome.over, outcome.frozen, outcome.sentence) == (
        True, "", "2 steps of the rollback ended well",
    )  # fmt: skip


@pytest.mark.req("R2")
def test_what_was_left_out_is_not_told_as_ended(steps: Steps) -> None:
    """A level that failed begins no further step, and people who read that it ended must know."""
    steps.actions.answers = {"a": lambda: False}
    steps.start({"service": [step("a"), step("b")], "system": [step("c")]})
    outcome = steps.go(steps.back())
    assert steps.ended() == [("a", "failed"), ("c", "done")]
    assert outcome.sentence == "2 steps of the rollback ended, without success: a; left out: b"


@pytest.mark.req("R2", "R8")
def test_a_step_whose_probes_nobody_can_ask_has_failed_and_says_so(steps: Steps) -> None:
    """An engine that was built without probes leaves no step behind that seems to run."""
    probes = [{"name": "up", "kind": "http", "path": "/"}]
    steps.start({"service": [step("a", probes=probes, on_failure="continue"), step("b")]})
    incident = steps.back()
    steps.world.context = replace(steps.world.context, probes=None)
    outcome = steps.go(incident)
    assert steps.ended() == [("a", "failed"), ("b", "done")]
    assert outcome.rows[0]["summary"] == "up: nothing is connected here that could ask a probe"


@pytest.mark.req("R2")
def test_independent_steps_run_at_the_same_time(steps: Steps) -> None:
    """Both wait for each other, so neither ends unless both have begun; the third comes after."""
    meet = threading.Barrier(2, timeout=20)

    def together() -> bool:
        meet.wait()
        return True

    steps.actions.answers = {"a": together, "b": together}
    steps.start({"service": [step("a"), step("b", after=[]), step("c", after=["a", "b"])]})
    assert steps.go(steps.back()).frozen == ""
    assert sorted(steps.actions.names[:2]) == ["a", "b"]
    assert steps.actions.names[2:] == ["c"]


@pytest.mark.req("R2", "INV4")
def test_steps_on_record_are_not_done_again(steps: Steps) -> None:
    """A second run of the whole changes nothing."""
    steps.start({"service": [step("a"), step("b")]})
    incident = steps.back()
    first = steps.go(incident)
    before = steps.world.case.state.revision
    assert steps.go(incident) == first
    assert (steps.actions.names, steps.world.case.state.revision) == (["a", "b"], before)


@pytest.mark.req("R2", "INV4")
@pytest.mark.parametrize(
    ("repeatable", "outcome", "begun"), [(True, "done", ["a", "a", "b"]), (False, "unknown", ["a"])]
)
def test_a_step_whose_runner_died_is_repeated_only_if_it_may_be(
    steps: Steps, repeatable: bool, outcome: str, begun: list[str]
) -> None:
    """Until its time is over it counts as running elsewhere; then it runs again, or people are
    told."""

    def die() -> bool:
        raise Killed

    steps.start({"service": [step("a", repeatable=repeatable, limit="60s"), step("b")]})
    incident = steps.back()
    steps.actions.answers["a"] = die
    with pytest.raises(Killed):
        take(steps.world.context, "demo", incident, "service", "a", actor="t")
    del steps.actions.answers["a"]
    waiting = steps.go(incident)
    assert (waiting.over, steps.actions.names) == (False, ["a"])
    steps.world.clock.advance(timedelta(seconds=60 + GRACE))
    after = steps.go(incident)
    assert steps.actions.names == begun
    assert steps.ended()[0] == ("a", outcome)
    assert bool(after.frozen) is not repeatable
    if not repeatable:
        assert "nobody knows how it ended" in after.frozen


@pytest.mark.req("R2", "INV4")
def test_a_repeatable_step_that_kills_whoever_runs_it_is_given_up(steps: Steps) -> None:
    """After three of them people are asked."""

    def die() -> bool:
        raise Killed

    steps.start({"service": [step("a", repeatable=True, limit="60s")]})
    incident = steps.back()
    steps.actions.answers["a"] = die
    for _ in range(3):
        with pytest.raises(Killed):
            take(steps.world.context, "demo", incident, "service", "a", actor="t")
        steps.world.clock.advance(timedelta(seconds=60 + GRACE))
    assert "nobody knows" in steps.go(incident).frozen
    assert steps.actions.names == ["a"] * 3


@pytest.mark.req("R2")
@pytest.mark.parametrize(("rule", "begun"), [("continue", ["a", "b"]), ("freeze", ["a"])])
def test_the_plan_says_what_a_failure_makes_of_the_others(
    steps: Steps, rule: str, begun: list[str]
) -> None:
    """``continue`` goes on with the next, ``freeze`` stops although there is a further level."""
    steps.actions.answers["a"] = lambda: False
    steps.start({"service": [step("a", on_failure=rule), step("b")], "system": [step("c")]})
    outcome = steps.go(steps.back())
    assert steps.actions.names == begun
    assert bool(outcome.frozen) is (rule == "freeze")


@pytest.mark.req("R2")
def test_a_probe_that_fails_makes_its_step_fail(steps: Steps) -> None:
    """The action alone is not enough; probes come after it, and their answers are on record."""
    probe = {"kind": "http", "name": "v1 answers"}
    steps.probes.answers["v1 answers"] = False
    steps.start({"service": [step("a", probes=[probe], on_failure="freeze")]})
    assert "v1 answers" in steps.go(steps.back()).frozen
    (entry,) = [e for e in steps.world.ledger.entries("demo") if e.kind == "rollback_step_done"]
    assert [result["ok"] for result in entry.payload["results"]] == [True, False]


@pytest.mark.req("R2", "T5")
def test_built_in_actions_turn_flags_and_make_sure_of_the_split(steps: Steps) -> None:
    """A flag that does not follow the split goes off by a step, and its way back sets it again."""
    steps.start(
        {"service": [
            {"name": "panel-off", "method": "flag",
             "action": {"kind": "flags_off", "flags": ["panel"]},
             "reverse": {"kind": "flags_on", "flags": ["panel"]}},
            {"name": "sure", "method": "flag", "action": {"kind": "split_zero"}},
        ]}
    )  # fmt: skip
    incident = steps.back()
    assert steps.go(incident).frozen == ""
    assert steps.world.case.state.flags["panel"]["enabled"] is False
    assert steps.world.routing.read("demo").flags["panel"]["enabled"] is False
    take(steps.world.context, "demo", incident, "service", "panel-off", actor="t", reverse=True)
    assert steps.world.case.state.flags["panel"].get("enabled", True) is True
    with pytest.raises(Refused, match="taken back already"):
        take(steps.world.context, "demo", incident, "service", "panel-off", actor="t", reverse=True)


@pytest.mark.req("R2")
def test_routers_that_have_not_turned_fail_the_split_step(steps: Steps) -> None:
    """The step says who is behind, and people are told."""
    steps.start(
        {"service": [{"name": "sure", "method": "flag", "limit": "100ms", "on_failure": "freeze",
                      "action": {"kind": "split_zero"}}]}
    )  # fmt: skip
    incident = steps.back()
    steps.world.routing.acknowledge("demo", "router-7", 1, 0.0)
    assert "router-7" in steps.go(incident).frozen


@pytest.mark.req("R2")
def test_people_repeat_or_settle_what_failed_and_the_rest_goes_on(steps: Steps) -> None:
    """Both are on record under their names, and take the freeze away."""
    steps.actions.answers["a"] = lambda: False
    steps.start({"service": [step("a"), step("b")]})
    incident = steps.back()
    assert steps.go(incident).frozen
    context = steps.world.context
    take(context, "demo", incident, "service", "a", actor="bo", again=True)
    assert steps.go(incident).frozen, "it failed again"
    settled_by_hand(
        context, "demo", incident, "service", "a", actor="bo", reason="restarted by hand"
    )
    assert steps.go(incident).frozen == ""
    assert steps.actions.names == ["a", "a", "b"]
    assert steps.ended() == [("a", "failed"), ("a", "failed"), ("a", "settled"), ("b", "done")]
    with pytest.raises(Refused, match="settled already"):
        settled_by_hand(context, "demo", incident, "service", "a", actor="bo", reason="x")


@pytest.mark.req("R2")
def test_a_hold_does_not_keep_steps_from_running(steps: Steps) -> None:
    """Rollback beats everything, its steps too."""
    steps.start({"service": [step("a")]})
    hold(steps.world.context, "demo", actor="bo", reason="lunch")
    assert steps.go(steps.back()).frozen == ""
    case = steps.world.case
    found = opened(case)
    assert find_level(case, found, "a") == "service"
    with pytest.raises(InputError, match="its steps: a"):
        find_level(case, found, "b")
