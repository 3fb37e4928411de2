"""What a rollback costs: compensations, and the point past which there is none."""

from __future__ import annotations

from typing import Any

import pytest

from switchover.engine.advance import take_step
from switchover.engine.approve import abort, decide_approval, settle
from switchover.engine.assess import due
from switchover.engine.drain import drain
from switchover.engine.hold import resume
from switchover.engine.monitor import look
from switchover.engine.reconcile import reconcile
from switchover.engine.roll_back import roll_back
from switchover.engine.status import status, why
from switchover.errors import DependencyUnavailable, IllegalTransition, PointOfNoReturn
from switchover.incidents.findings import read_sections
from switchover.incidents.markdown import render
from switchover.incidents.record import Incident, incident_of
from switchover.incidents.slack_blocks import rollback_blocks, rollback_text
from switchover.machine.action import Wait
from switchover.reporting.approval import approval_markdown
from switchover.testing.routing import InMemoryRoutingStore

STAGES = [
    {"kind": "checks"},
    {"kind": "shadow", "bake": "1h"},
    {"kind": "canary", "percent": 10, "bake": "1h", "reversibility": "compensable",
     "compensation": "copy new orders back"},
    {"kind": "canary", "percent": 50, "bake": "1h", "approval": True,
     "reversibility": "point_of_no_return"},
    {"kind": "canary", "percent": 100, "bake": "1h", "approval": True},
]  # fmt: skip
PAGED = {"slack_channel": "#shop"}


def pass_it(world: Any, **changes: Any) -> None:
    """Walk past the point of no return."""
    world.start(stages=STAGES, notify=PAGED, **changes)
    world.to_approval()
    decide_approval(world.context, "demo", "approve", approver="ada", via="cli")
    assert world.step().action == "enter"
    assert world.case.state.no_return
    assert world.routing.read("demo").no_return


def worsen(world: Any) -> None:
    """Evidence that would roll back, shipped and not yet looked at."""
    world.stream.add(world.block("success_rate", "candidate", 2000, 1500))


def incident(world: Any) -> Incident:
    """The open incident."""
    entries = world.ledger.entries("demo")
    return incident_of(entries, world.case.record.plan.document, world.case.state.incident)


@pytest.mark.req("INV5", "INV11")
def test_a_failure_past_it_holds_and_pages_instead_of_rolling_back(world: Any) -> None:
    """Once: one entry, one report, one page; the traffic stays where it is."""
    pass_it(world)
    drain(world.context)
    world.effects.clear()
    worsen(world)
    assert look(world.context, "demo", actor="monitor").action == "strand"
    state = world.case.state
    assert (state.phase, state.split, state.stranded) == ("held", 5000, state.stage)
    assert world.routing.halted("demo") is None
    assert world.routing.read("demo").split == 5000
    drain(world.context)
    assert [effect.kind for effect in world.effects] == ["incident_report", "page"]
    for _ in range(3):
        assert look(world.context, "demo", actor="monitor").action == "look"
    assert sum(e.kind == "stranded" for e in world.ledger.entries("demo")) == 1


@pytest.mark.req("INV5")
def test_after_a_resume_it_goes_on_to_wait_for_good_evidence(world: Any) -> None:
    """It pages nobody again for the same failure, and takes no step on bad evidence."""
    pass_it(world)
    worsen(world)
    look(world.context, "demo", actor="monitor")
    resume(world.context, "demo", actor="ada", reason="mended")
    waits = due(world.case)
    assert isinstance(waits, Wait)
    assert waits.code == "stranded"
    assert world.case.state.incident in waits.reason
    assert not world.step().did
    assert world.case.state.phase == "running"


@pytest.mark.req("INV5", "R5")
def test_its_incident_says_that_nothing_was_rolled_back(world: Any) -> None:
    """In the report and on the page, with the way to insist."""
    pass_it(world)
    worsen(world)
    look(world.context, "demo", actor="monitor")
    found = incident(world)
    assert found.stranded
    report = render(found)
    assert "failed past the point of no return on 2026-01-05" in report
    assert "No rollback" in report
    assert "- [ ] copy new orders back" not in report
    assert "NOT rolled back" in rollback_text(found)
    page = str(rollback_blocks(found))
    assert "--past-the-point-of-no-return" in page
    assert "the candidate goes on to serve" in page


@pytest.mark.req("R1", "INV5")
def test_a_person_is_refused_unless_they_insist_and_insisting_is_recorded(world: Any) -> None:
    """Exit 4 and the way to insist; then it is a rollback like any other."""
    pass_it(world)
    with pytest.raises(PointOfNoReturn, match="--past-the-point-of-no-return") as refused:
        roll_back(world.context, "demo", actor="bo", trigger="person", reason="smoke")
    assert refused.value.exit_code == 4
    assert world.case.state.phase == "running"
    roll_back(world.context, "demo", actor="bo", trigger="person", reason="smoke", insist=True)
    assert (world.case.state.phase, world.case.state.no_return) == ("rolled_back", False)
    assert incident(world).trigger == "person, insisting past the point of no return"
    again = roll_back(world.context, "demo", actor="bo", trigger="person", reason="again")
    assert again.incident == world.case.state.incident


class Down:
    """A port whose server is gone."""

    def __getattr__(self, name: str) -> Any:
        def fail(*_: Any, **__: Any) -> Any:
            raise DependencyUnavailable("it", "it is down")

        return fail


@pytest.mark.req("INV7", "R1")
def test_without_the_database_routing_itself_refuses_and_obeys_who_insists(world: Any) -> None:
    """The mark is in the routing document; reconcile completes the record."""
    pass_it(world)
    ledger = world.context.ledger
    object.__setattr__(world.context, "ledger", Down())
    with pytest.raises(PointOfNoReturn):
        roll_back(world.context, "demo", actor="bo", trigger="person", reason="x")
    assert world.routing.halted("demo") is None
    done = roll_back(world.context, "demo", actor="bo", trigger="person", reason="x", insist=True)
    assert not done.recorded
    object.__setattr__(world.context, "ledger", ledger)
    reconcile(world.context, "demo")
    assert world.case.state.phase == "rolled_back"
    assert "insisting" in incident(world).trigger


@pytest.mark.req("INV7")
@pytest.mark.parametrize("lost", ["down", "empty"])
def test_without_routing_the_ledger_refuses(world: Any, lost: str) -> None:
    """A Redis that is down or has lost its data does not let a rollback through."""
    pass_it(world)
    routing = Down() if lost == "down" else InMemoryRoutingStore()
    object.__setattr__(world.context, "routing", routing)
    with pytest.raises(PointOfNoReturn):
        roll_back(world.context, "demo", actor="bo", trigger="person", reason="x")
    assert world.case.state.phase == "running"


@pytest.mark.req("INV1", "INV5")
def test_a_rollback_decided_before_the_step_past_it_is_no_error(world: Any) -> None:
    """Its halt is refused by routing; the next look strands it."""
    pass_it(world)
    worsen(world)
    look(world.context, "demo", actor="monitor")
    resume(world.context, "demo", actor="ada", reason="x")
    real = world.context.open

    def stale(migration: str) -> Any:
        case = real(migration)
        object.__setattr__(case.record.state, "no_return", False)
        return case

    object.__setattr__(world.context, "open", stale)
    outcome = take_step(world.context, "demo", actor="t")
    object.__delattr__(world.context, "open")
    assert (outcome.action, outcome.did) == ("roll_back", False)
    assert "past its point of no return" in outcome.sentence
    assert world.case.state.phase == "running"


@pytest.mark.req("P6", "INV10")
@pytest.mark.parametrize("policy", ["rollback", "abort"])
def test_an_approval_that_expires_past_it_only_holds(world: Any, policy: str) -> None:
    """Whatever the plan says of expiry."""
    approvals = {"approvers": ["ada", "bo"], "expires": "10h", "on_expiry": policy}
    pass_it(world, approvals=approvals)
    world.wait(1.1)
    world.traffic()
    assert world.step().action == "ask"
    world.wait(11)
    assert world.step().action == "expire"
    assert world.case.state.phase == "held"
    assert not world.step().did
    settle(world.case, "expired", reason="again", actor="t")
    assert world.case.state.phase == "held"


@pytest.mark.req("P5")
def test_an_abort_past_it_is_refused_with_the_way_to_insist(world: Any) -> None:
    """To abort is to go back to legacy, too."""
    pass_it(world)
    with pytest.raises(IllegalTransition, match="--past-the-point-of-no-return"):
        abort(world.context, "demo", actor="ada", reason="enough")


@pytest.mark.req("INV5")
def test_a_failure_after_completion_past_it_pages_and_stays_complete(world: Any) -> None:
    """There is no step left to hold."""
    pass_it(world)
    for _ in range(2):
        world.wait(1.1)
        world.traffic()
        if world.step().action == "ask":
            decide_approval(world.context, "demo", "approve", approver="ada", via="cli")
            world.step()
    assert world.case.state.phase == "complete"
    worsen(world)
    assert look(world.context, "demo", actor="monitor").action == "strand"
    assert (world.case.state.phase, world.case.state.mode) == ("complete", "candidate_only")
    assert look(world.context, "demo", actor="monitor").action == "look"


@pytest.mark.req("R5")
def test_a_compensable_stage_rolls_back_and_leaves_its_compensation_to_do(world: Any) -> None:
    """As an action of the incident, and on the page."""
    world.start(stages=STAGES, notify=PAGED)
    world.to_canary()
    worsen(world)
    assert look(world.context, "demo", actor="monitor").action == "roll_back"
    found = incident(world)
    report = render(found)
    actions = report.partition("## Actions")[2].partition("## ")[0]
    assert "- [ ] copy new orders back (since canary 10 %)" in actions
    assert "actions" not in read_sections(report)
    owned = actions.replace("canary 10 %)", "canary 10 %) (owner: ada, due: 2026-03-09)")
    written = report.replace(actions, owned.replace("_To be filled in._", ""))
    assert [action["owner"] for action in read_sections(written)["actions"]] == ["ada"]
    assert "To compensate" in str(rollback_blocks(found))


@pytest.mark.req("R5")
def test_what_never_began_is_not_to_be_compensated(world: Any) -> None:
    """A rollback in the shadow stage leaves nothing to do."""
    world.start(stages=STAGES)
    world.work()
    world.step()
    roll_back(world.context, "demo", actor="bo", trigger="person", reason="x")
    assert incident(world).compensations == ()
    assert "To compensate" not in str(rollback_blocks(incident(world)))


@pytest.mark.req("P6")
def test_the_approval_page_says_beforehand_what_it_means(world: Any) -> None:
    """Whoever approves reads that nothing will roll back by itself."""
    world.start(stages=STAGES)
    world.to_approval()
    case = world.case
    stage = case.stages[case.state.approval.stage]
    page = approval_markdown("Demo", stage.title, case.plan.approvals, case.state.approval, {},
                             warning=stage.warning)  # fmt: skip
    assert "nothing rolls back by itself" in page
    assert case.stages[2].warning == "A rollback from here on leaves to do: copy new orders back"
    assert case.stages[1].warning == ""


@pytest.mark.req("K4")
def test_status_and_why_show_where_there_is_no_return(world: Any) -> None:
    """Per stage beforehand, and for the whole migration afterwards."""
    world.start(stages=STAGES)
    costs = [stage["reversibility"] for stage in status(world.context, "demo")["stages"]]
    assert costs == ["reversible", "reversible", "compensable", "point_of_no_return",
                     "reversible", "reversible"]  # fmt: skip
    assert not status(world.context, "demo")["no_return"]


@pytest.mark.req("K4")
def test_why_tells_of_the_failure_that_holds_it(world: Any) -> None:
    """And of the way on."""
    pass_it(world)
    worsen(world)
    look(world.context, "demo", actor="monitor")
    assert status(world.context, "demo")["no_return"]
    told = why(world.context, "demo")
    assert told["waiting_for"] == "held"
    assert "past the point of no return, so nothing rolls back" in told["sentence"]


@pytest.mark.req("P5")
def test_an_abort_tells_what_it_leaves_to_compensate(world: Any) -> None:
    """Nobody opens an incident for an abort, so there is a notice; none where nothing is left."""
    world.start(stages=STAGES, notify=PAGED)
    world.to_canary()
    drain(world.context)
    world.effects.clear()
    abort(world.context, "demo", actor="ada", reason="not this year")
    drain(world.context)
    (notice,) = [effect for effect in world.effects if effect.kind == "notice"]
    assert notice.payload["text"] == (
        "Demo was aborted; to compensate: copy new orders back (since canary 10 %)"
    )
    world.start(stages=STAGES, notify=PAGED)
    world.effects.clear()
    abort(world.context, "demo", actor="ada", reason="again")
    drain(world.context)
    assert world.effects == []
