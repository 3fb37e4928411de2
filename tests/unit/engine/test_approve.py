"""Approvals are about evidence, and only named people give them."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from switchover.engine.approve import decide_approval
from switchover.engine.drain import drain
from switchover.engine.fresh_decision import decide_freshly
from switchover.engine.hold import hold, resume
from switchover.engine.monitor import look
from switchover.engine.roll_back import roll_back
from switchover.errors import NotAuthorised, Refused


def decide(world: Any, decision: str = "approve", approver: str = "ada", **more: Any) -> Any:
    """Decide on the open approval."""
    return decide_approval(
        world.context, "demo", decision, approver=approver, via=more.pop("via", "cli"), **more
    )


@pytest.mark.req("P6", "INV10")
def test_an_approval_carries_who_when_why_and_the_evidence_they_saw(world: Any) -> None:
    """The ledger can answer for the decision years later."""
    world.start()
    world.to_approval()
    decide(world, reason="looks fine")
    asked, decided = [e for e in world.ledger.entries("demo") if e.kind.startswith("approval")]
    assert len(asked.payload["evidence"]) == 64
    assert asked.payload["reading"]["verdict"] == "promote"
    assert decided.payload["approver"] == "ada"
    assert decided.payload["via"] == "cli"
    assert decided.payload["reason"] == "looks fine"


@pytest.mark.req("P6")
@pytest.mark.parametrize("approver", ["eve", "", "Ada"])
def test_a_person_the_plan_does_not_name_may_not_approve(world: Any, approver: str) -> None:
    """The refusal says whom the plan names."""
    world.start()
    world.to_approval()
    with pytest.raises(NotAuthorised, match="ada, bo"):
        decide(world, approver=approver)
    assert world.case.state.approval.status == "pending"


@pytest.mark.req("P6")
def test_who_started_may_not_approve_with_four_eyes(world: Any) -> None:
    """Four eyes means another person."""
    world.start(approvals={"approvers": ["carl", "ada"], "four_eyes": True})
    world.to_approval()
    with pytest.raises(NotAuthorised, match="four eyes"):
        decide(world, approver="carl")


@pytest.mark.req("INV10")
def test_an_approval_is_void_when_the_evidence_turned(world: Any) -> None:
    """Approving bad news is refused, and the request has to be made again."""
    world.start()
    world.to_approval()
    world.traffic(n=400, bad=72)
    with pytest.raises(Refused, match="turned"):
        decide(world)
    assert world.case.state.approval.status == "void"
    assert world.case.state.phase == "running"


@pytest.mark.req("INV10", "INV5")
def test_monitoring_goes_on_while_people_are_asked(world: Any) -> None:
    """A pending approval blocks no rollback."""
    world.start()
    world.to_approval()
    for block in (world.block("success_rate", "candidate", 2000, 1500),):
        world.stream.add(block)
    assert look(world.context, "demo", actor="monitor").action == "roll_back"
    assert world.case.state.phase == "rolled_back"
    drain(world.context)
    assert "end_approval" in [effect.kind for effect in world.effects]


@pytest.mark.req("P6")
@pytest.mark.parametrize(
    ("policy", "phase"), [("hold", "held"), ("rollback", "rolled_back"), ("abort", "aborted")]
)
def test_an_approval_nobody_gives_does_what_the_plan_says(
    world: Any, policy: str, phase: str
) -> None:
    """Hold is the default; rollback and abort are choices."""
    world.start(approvals={"approvers": ["ada"], "expires": "10h", "on_expiry": policy})
    world.to_approval()
    world.wait(11)
    with_data = world.step()
    assert with_data.action == "expire"
    assert world.case.state.phase == phase


@pytest.mark.req("P6")
def test_a_rejection_holds_until_somebody_resumes_and_then_asks_again(world: Any) -> None:
    """Rejected is not rolled back: people decide what comes next."""
    world.start()
    first = world.to_approval()
    decide(world, "reject", reason="not before the audit")
    assert world.case.state.phase == "held"
    assert not world.step().did
    resume(world.context, "demo", actor="ada", reason="audit done")
    assert world.step().action == "ask"
    assert world.case.state.approval.id != first


@pytest.mark.req("P6", "INV4")
def test_the_same_decision_twice_is_one_entry(world: Any) -> None:
    """A retried click changes nothing; another person's click is refused."""
    world.start()
    world.to_approval()
    revision = decide(world).state.revision
    assert decide(world).state.revision == revision
    with pytest.raises(Refused, match="already approved"):
        decide(world, approver="bo")


@pytest.mark.req("P6")
def test_a_decision_by_command_ends_the_waiting_run_and_advances(world: Any) -> None:
    """Each effect has a key of its own, so that a crash repeats none."""
    world.start()
    approval = world.to_approval()
    decide(world)
    drain(world.context)
    keys = [effect.key for effect in world.effects]
    assert keys == [f"{approval}:run", f"{approval}:end:approved", f"{approval}:advance"]
    drain(world.context)
    assert len(world.effects) == 3


@pytest.mark.req("P6")
def test_a_decision_from_the_prefect_form_needs_no_further_run(world: Any) -> None:
    """The resumed run takes the step itself."""
    world.start()
    world.to_approval()
    decide(world, via="prefect")
    drain(world.context)
    assert [effect.kind for effect in world.effects] == ["start_flow"]


@pytest.mark.req("INV5")
def test_a_hold_stops_steps_and_no_rollback(world: Any) -> None:
    """A person's brake is for going forward."""
    world.start()
    world.to_canary()
    hold(world.context, "demo", actor="ada", reason="lunch")
    assert not world.step().did
    outcome = roll_back(world.context, "demo", actor="bo", trigger="person", reason="smoke")
    assert outcome.recorded
    assert world.case.state.phase == "rolled_back"


@pytest.mark.req("INV10")
def test_an_approval_that_was_not_used_in_time_is_void(world: Any) -> None:
    """What a person allowed last week is asked again, even with the evidence still good."""
    window = {"start": "2026-01-05T12:30:00Z", "end": "2026-01-07T00:00:00Z", "reason": "audit"}
    world.start(schedule={"freeze": [window]})
    world.to_approval()
    decide(world)
    world.wait(2)
    world.traffic()
    assert world.step().sentence.startswith("frozen")
    world.wait(60)
    world.traffic()
    assert world.step().action == "void"
    assert world.step().action == "ask"


@pytest.mark.req("P6", "INV7")
def test_a_rejection_needs_the_ledger_only(world: Any) -> None:
    """Whoever says stop is not told to wait for Redis; who says go is."""
    world.start()
    world.to_approval()
    alone = replace(world.context, routing=None, stream=None)
    with pytest.raises(AttributeError):
        decide_freshly(alone, "demo", "approve", approver="ada", reason="", via="cli",
                       approval=None)  # fmt: skip
    case = decide_freshly(alone, "demo", "reject", approver="ada", reason="an outage", via="cli",
                          approval=None)  # fmt: skip
    assert (case.state.phase, case.state.approval.status) == ("held", "rejected")
