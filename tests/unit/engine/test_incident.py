"""What people do about an incident, and that nothing begins again before they did."""

from __future__ import annotations

from typing import Any

import pytest

from switchover.engine.incident import (
    Findings,
    acknowledge,
    analyse,
    close,
    migration_of,
    tick,
    untick,
)
from switchover.engine.roll_back import roll_back
from switchover.engine.start import start
from switchover.errors import IllegalTransition, InputError, Refused
from switchover.machine.inquiry import Inquiry, inquiry_of
from switchover.machine.state import Phase
from switchover.testing.incidents import work_through

PAGED = {"slack_channel": "#mood"}
RETRY = {"flags": [], "criteria": [{"id": "mended", "text": "it is mended"}]}
FOUND = Findings(
    root_cause="a cache", impact="none", prevention="a test", mitigated="looked at it",
    actions=({"text": "pin it", "owner": "ada", "due": "2026-03-09"},),
)  # fmt: skip


def back(world: Any, **changes: Any) -> str:
    """Start and roll back; gives the incident."""
    world.start(**{"notify": PAGED, "rollback": RETRY, **changes})
    outcome = roll_back(world.context, "demo", actor="eve", trigger="person", reason="slow")
    return outcome.incident


def inquiry(world: Any, incident: str) -> Inquiry:
    found = inquiry_of(world.case.state.inquiries, incident)
    assert found is not None
    return found


def again(world: Any, **changes: Any) -> Any:
    """Start as a person would, without working anything through."""
    loaded = world.plan(**{"notify": PAGED, "rollback": RETRY, **changes})
    return start(world.context, loaded, actor="carl")


def keys(world: Any, kind: str) -> list[str]:
    return [e["key"] for e in world.ledger.effects("demo") if e["kind"] == kind]


@pytest.mark.req("R6")
def test_another_attempt_is_refused_until_it_is_analysed_and_every_criterion_ticked(
    world: Any,
) -> None:
    """The refusal names what is open, and the commands; exit code 4."""
    incident = back(world)
    with pytest.raises(Refused, match=r"root cause, impact.*not ticked: mended") as refused:
        again(world)
    assert refused.value.exit_code == 4
    assert f"switchover incident tick {incident} CRITERION" in str(refused.value)
    tick(world.context, incident, "mended", actor="bo", via="cli")
    with pytest.raises(Refused, match="analysis lacks") as refused:
        again(world)
    assert "ticked:" not in str(refused.value)
    analyse(world.context, incident, FOUND, actor="ada", via="cli")
    assert again(world).state.attempt == 2


@pytest.mark.req("R6")
def test_a_tick_that_is_taken_back_closes_the_way_again(world: Any) -> None:
    """Analysed is not enough."""
    incident = back(world)
    work_through(world.context, "demo")
    untick(world.context, incident, "mended", actor="bo", reason="it came back", via="cli")
    with pytest.raises(Refused, match="mended"):
        again(world)


@pytest.mark.req("R6")
def test_the_criteria_are_those_of_the_plan_that_failed(world: Any) -> None:
    """Nobody gets around them with another plan, and closing the incident ticks nothing."""
    incident = back(world)
    analyse(world.context, incident, FOUND, actor="ada", via="cli")
    close(world.context, incident, actor="ada", via="cli")
    with pytest.raises(Refused, match="not ticked: mended"):
        again(world, rollback={"criteria": []}, title="Another plan")


@pytest.mark.req("R6")
def test_a_plan_without_criteria_of_its_own_has_the_usual_ones(world: Any) -> None:
    """Root cause, fix, shadow, prevention and drill."""
    incident = back(world, rollback={})
    assert list(inquiry(world, incident).unticked) == [
        "root-cause", "fix-deployed", "shadow-validated", "prevention-owned", "drill-done",
    ]  # fmt: skip


@pytest.mark.req("R6")
def test_an_aborted_migration_begins_again_at_once(world: Any) -> None:
    """Nothing failed."""
    from switchover.engine.approve import abort

    world.start()
    abort(world.context, "demo", actor="carl", reason="later")
    assert world.case.state.phase is Phase.ABORTED
    assert again(world, notify={}).state.attempt == 2


@pytest.mark.req("R5", "P9")
def test_each_thing_that_people_do_renders_the_report_and_tells_the_thread(world: Any) -> None:
    """Under keys of their own, so that each is told once and none is left out."""
    incident = back(world)
    before = len(keys(world, "incident_report"))
    acknowledge(world.context, incident, actor="ada", via="slack")
    analyse(world.context, incident, FOUND, actor="ada", via="cli")
    tick(world.context, incident, "mended", actor="bo", via="cli")
    close(world.context, incident, actor="ada", via="cli")
    reports, pages = keys(world, "incident_report"), keys(world, "page_update")
    assert len(reports) == before + 4
    assert len(set(reports + pages)) == len(reports + pages)
    claimed = world.ledger.claim_effects(now=world.clock.now(), lease=1.0, limit=100)
    told = [effect.payload["what"] for effect in claimed if effect.kind == "page_update"]
    assert told[-4:] == ["acknowledged", "analysed", "retry", "closed"]


@pytest.mark.req("R5")
def test_the_first_who_acknowledges_looks_after_it(world: Any) -> None:
    """Two people at once make one entry."""
    incident = back(world)
    acknowledge(world.context, incident, actor="ada", via="slack")
    revision = world.case.state.revision
    acknowledge(world.context, incident, actor="bo", via="cli")
    assert world.case.state.revision == revision
    assert inquiry(world, incident).acknowledged_by == "ada"


@pytest.mark.req("R5")
def test_an_incident_is_closed_when_it_is_analysed_also_after_the_next_start(world: Any) -> None:
    """Who closes it may come late; what is missing is named until then."""
    incident = back(world)
    with pytest.raises(IllegalTransition, match="lacks root cause"):
        close(world.context, incident, actor="ada", via="cli")
    work_through(world.context, "demo")
    again(world)
    assert close(world.context, incident, actor="ada", via="cli").state.phase is Phase.RUNNING
    assert inquiry(world, incident).state == "closed"


@pytest.mark.req("R5")
def test_what_is_not_there_is_bad_input(world: Any) -> None:
    """An incident that never was, and an analysis that says nothing."""
    incident = back(world)
    with pytest.raises(InputError, match=r"'demo-9'.*incident list"):
        migration_of(world.context, "demo-9")
    with pytest.raises(InputError, match="nothing written"):
        analyse(world.context, incident, Findings(), actor="ada", via="cli")
    assert migration_of(world.context, incident) == "demo"
