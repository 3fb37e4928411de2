"""How a rollback stands: its levels, steps and waves in one document, with times."""

from __future__ import annotations

import re
from datetime import timedelta
from typing import Any

import pytest

from switchover.engine.drain import drain
from switchover.engine.incident import Findings, analyse
from switchover.engine.roll_back_levels import roll_back_level
from switchover.engine.rollback_picture import rollback_picture
from switchover.engine.rollback_steps import GRACE, settled_by_hand, take
from switchover.engine.status import status
from switchover.errors import IllegalTransition
from switchover.incidents.redaction import redact_all
from switchover.reporting.rollback import rollback_markdown
from tasks import artifacts
from tests.unit.engine.steps_world import Killed, Steps, step


@pytest.fixture
def steps(world: Any) -> Steps:
    """A world whose actions and probes are the test's."""
    return Steps(world)


def states(steps: Steps) -> tuple[dict[str, str], dict[str, str]]:
    """The state of each level and of each step."""
    picture = rollback_picture(steps.world.case)
    assert picture is not None
    return (
        {row["level"]: row["state"] for row in picture["levels"]},
        {row["step"]: row["state"] for row in picture["steps"]},
    )


@pytest.mark.req("R2", "P11")
def test_status_shows_every_step_from_waiting_to_done_with_its_times(steps: Steps) -> None:
    """Nothing before a rollback; then waiting, running, done, each with when it was."""
    steps.start({"service": [step("a"), step("b")]})
    assert status(steps.world.context, "demo")["rollback"] is None
    incident = steps.back()
    assert states(steps) == ({"service": "waits"}, {"a": "waits", "b": "waits"})
    seen: list[tuple[dict[str, str], dict[str, str]]] = []

    def look() -> bool:
        seen.append(states(steps))
        steps.world.clock.advance(timedelta(seconds=4))
        return True

    steps.actions.answers["a"] = look
    began = steps.world.clock.now()
    steps.go(incident)
    assert seen == [({"service": "running"}, {"a": "running", "b": "waits"})]
    document = status(steps.world.context, "demo")["rollback"]
    assert (document["incident"], document["level"], document["frozen"]) == (
        incident, "service", None,
    )  # fmt: skip
    row, ended = document["steps"][0], began + timedelta(seconds=4)
    assert (row["state"], row["began"], row["ended"]) == (
        "done", began.isoformat(timespec="seconds"), ended.isoformat(timespec="seconds"),
    )  # fmt: skip
    (level,) = document["levels"]
    assert (level["state"], level["done"], level["steps"]) == ("done", 2, 2)
    assert (level["began"], level["ended"]) == (row["began"], document["steps"][1]["ended"])


@pytest.mark.req("R2")
def test_a_level_that_failed_is_told_apart_from_the_one_that_follows(steps: Steps) -> None:
    """The service failed and led to the system, which is frozen as its step failed, too."""
    steps.actions.answers = {"a": lambda: False, "c": lambda: False}
    steps.start({"service": [step("a"), step("b")], "system": [step("c")]})
    steps.go(steps.back())
    assert states(steps) == (
        {"service": "failed", "system": "frozen"}, {"a": "failed", "b": "left out", "c": "failed"},
    )  # fmt: skip
    picture = rollback_picture(steps.world.case)
    assert picture is not None
    assert "there is no further level" in picture["frozen"]
    assert (picture["state"], picture["critical"]) == ("open", True)


@pytest.mark.req("R2")
def test_a_step_that_led_to_the_next_level_may_be_repeated_and_its_level_goes_on(
    steps: Steps,
) -> None:
    """What was left out behind it is taken then, and the level is done."""
    steps.actions.answers = {"a": lambda: False}
    steps.start({"service": [step("a"), step("b")], "system": [step("c")]})
    incident = steps.back()
    assert steps.go(incident).frozen == ""
    assert states(steps)[1] == {"a": "failed", "b": "left out", "c": "done"}
    steps.actions.answers.clear()
    take(steps.world.context, "demo", incident, "service", "a", actor="bo", again=True)
    steps.go(incident)
    assert states(steps) == (
        {"service": "done", "system": "done"}, {"a": "done", "b": "done", "c": "done"},
    )  # fmt: skip


@pytest.mark.req("R2")
def test_a_component_is_named_and_a_failure_past_no_return_has_no_picture(steps: Steps) -> None:
    """Only what went back is shown as a rollback."""
    steps.start({"component": {"panel": [step("a")]}})
    steps.go(steps.component())
    picture = rollback_picture(steps.world.case)
    assert picture is not None
    assert (picture["level"], picture["component"]) == ("component", "panel")
    assert picture["waves"] == []
    text = rollback_markdown(picture)
    assert re.match(r"Rollback of 20\d\d-\d\d-\d\d \d\d:\d\d:\d\d UTC, level ", text)
    assert "\n\n**Steps**\n\n| Step |" in text
    assert ", level component panel: 1 step of the rollback ended well" in text
    assert "| a | component | done |" in text


@pytest.mark.req("R4")
def test_waves_stand_beside_the_steps_with_their_times(steps: Steps) -> None:
    """Each waits for its time, is asked until its deadline, and is overdue after that."""
    probe = {"kind": "http", "name": "orders"}
    steps.world.start(rollback={"validation": {"functional": {"probes": [probe]}}})
    steps.world.to_canary()
    steps.back()

    def waves() -> list[str]:
        picture = rollback_picture(steps.world.case)
        assert picture is not None
        return [f"{row['wave']} {row['state']}" for row in picture["waves"]]

    assert waves() == ["immediate asked", "functional waits"]
    steps.world.clock.advance(timedelta(minutes=6))
    assert waves() == ["immediate overdue", "functional asked"]


@pytest.mark.req("R2", "R5")
def test_a_frozen_rollback_makes_the_incident_critical_and_pages(steps: Steps) -> None:
    """Also when somebody had given their word before; it is over when a person settles the step."""
    steps.actions.answers["a"] = lambda: False
    steps.start({"service": [step("a"), step("b")]}, notify={"slack_channel": "#x"})
    incident, context = steps.back(), steps.world.context
    word = Findings(mitigated="customers are well")
    analyse(context, incident, word, actor="bo", via="cli")
    assert not inquiry(steps).critical
    steps.go(incident)
    assert (inquiry(steps).critical, inquiry(steps).frozen) == (True, "a")
    assert "the rollback stopped at its step a" in inquiry(steps).open_points()[0]
    queued = steps.world.ledger.effects("demo")
    assert [e["kind"] for e in queued if ":frozen:" in e["key"]] == ["notice"]
    assert "page_update" in [e["kind"] for e in queued], "the thread is told, too"
    with pytest.raises(IllegalTransition, match="its step a needs people"):
        analyse(context, incident, word, actor="bo", via="cli")
    settled_by_hand(context, "demo", incident, "service", "a", actor="bo", reason="done")
    assert inquiry(steps).frozen == ""
    analyse(context, incident, word, actor="bo", via="cli")
    assert not inquiry(steps).critical


@pytest.mark.req("R2", "R5")
def test_the_report_is_written_anew_after_each_step(steps: Steps) -> None:
    """Also when the outbox was emptied in between: no two steps share an effect."""
    steps.start({"service": [step("a"), step("b")]}, notify={"slack_channel": "#x"})
    incident = steps.back()
    drain(steps.world.context)
    for name in ("a", "b"):
        before = {effect["key"] for effect in steps.world.ledger.effects("demo")}
        take(steps.world.context, "demo", incident, "service", name, actor="t")
        drain(steps.world.context)
        fresh = [e for e in steps.world.ledger.effects("demo") if e["key"] not in before]
        assert {e["kind"] for e in fresh} == {"incident_report", "page_refresh"}, name


@pytest.mark.req("R2")
def test_a_step_of_a_component_is_settled_when_all_of_it_goes_back(steps: Steps) -> None:
    """Nobody could settle it any more, so it keeps no incident critical."""
    steps.actions.answers["a"] = lambda: False
    steps.start({"component": {"panel": [step("a", on_failure="freeze")]}})
    first = steps.component()
    steps.go(first)
    assert inquiry(steps, first).frozen == "a"
    steps.back()
    assert inquiry(steps, first).frozen == ""


@pytest.mark.req("R2")
def test_a_step_whose_runner_died_is_frozen_when_its_time_is_over(steps: Steps) -> None:
    """It is shown as running until then, and as unknown after."""

    def die() -> bool:
        raise Killed

    steps.start({"service": [step("a", limit="60s")]})
    incident = steps.back()
    steps.actions.answers["a"] = die
    with pytest.raises(Killed):
        take(steps.world.context, "demo", incident, "service", "a", actor="t")
    assert states(steps) == ({"service": "running"}, {"a": "running"})
    steps.world.clock.advance(timedelta(seconds=60 + GRACE))
    steps.go(incident)
    assert states(steps) == ({"service": "frozen"}, {"a": "unknown"})


@pytest.mark.req("R2")
def test_roll_back_level_takes_the_level_that_it_is_told(steps: Steps) -> None:
    """One way in for the command line and the API."""
    steps.start({"component": {"panel": []}})
    outcome, group = roll_back_level(
        steps.world.context, "demo", "component", "panel", actor="bo", reason="x"
    )
    assert (group, steps.world.case.state.phase.value) == (None, "held")
    _, group = roll_back_level(steps.world.context, "demo", "system", actor="bo", reason="x")
    assert group is not None
    assert group.ok
    assert steps.world.case.state.phase.value == "rolled_back"
    assert outcome.incident != steps.world.case.state.incident


def inquiry(steps: Steps, incident: str = "") -> Any:
    """The incident as it stands; the last one by default."""
    wanted = incident or steps.world.case.state.incident
    return next(each for each in steps.world.case.state.inquiries if each.id == wanted)


@pytest.mark.req("R2", "P11")
def test_prefect_shows_the_same_as_status(steps: Steps, monkeypatch: pytest.MonkeyPatch) -> None:
    """One picture for the artifact and for people at a terminal; nothing before a rollback."""
    made: list[dict[str, Any]] = []
    monkeypatch.setattr(artifacts, "create_markdown_artifact", lambda **words: made.append(words))
    secret = {"kind": "command", "argv": ["a", "https://ops:hunter2@ops.example"]}
    steps.start({"service": [step("a", action=secret)]})
    artifacts._rollback(steps.world.case)
    assert made == []
    steps.back()
    artifacts._rollback(steps.world.case)
    (shown,) = made
    picture = status(steps.world.context, "demo")["rollback"]
    assert shown["key"] == "demo-rollback"
    assert shown["markdown"] == rollback_markdown(redact_all(picture))
    assert "hunter2" not in str(shown)
