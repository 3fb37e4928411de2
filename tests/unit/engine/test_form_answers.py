"""What becomes of an answer in the Prefect form, without Prefect."""

from __future__ import annotations

import logging
from typing import Any

import pytest
from pydantic import SecretStr

from switchover.engine.approve import abort, decide_approval
from switchover.engine.drain import drain
from switchover.engine.roll_back import roll_back
from tasks import approval as tasks

CODED = {"approvers": ["ada", "bo"], "identity": "code"}


@pytest.fixture
def answer(world: Any, monkeypatch: pytest.MonkeyPatch) -> Any:
    """Answers the form of the open approval; gives what the flow goes on with."""
    monkeypatch.setattr(tasks, "engine", lambda: world.context)
    monkeypatch.setattr(tasks, "get_run_logger", lambda: logging.getLogger("test"))
    world.start()
    approval = world.to_approval()

    def give(approver: str, decision: Any = "approve") -> tuple[str, str, str]:
        return tasks.decide.fn("demo", approval, decision, approver, "", SecretStr(""))

    return give


@pytest.mark.req("P6", "INV11")
def test_the_step_is_taken_by_who_approved_and_not_by_who_was_refused(
    world: Any, answer: Any
) -> None:
    """Ada approves on the command line while mallory's answer is under way in Prefect."""
    assert answer("mallory")[:2] == ("pending", "")
    decide_approval(world.context, "demo", "approve", approver="ada", via="cli")
    status, approver, reply = answer("mallory")
    assert (status, approver) == ("approved", "ada")
    assert "may not approve" in reply
    assert tasks.approval_state.fn("demo", world.case.state.approval.id)["approver"] == "ada"


@pytest.mark.req("P6")
def test_who_answers_and_may_is_who_decided(world: Any, answer: Any) -> None:
    """The usual case: one person, in the form."""
    assert answer("bo", "reject")[:2] == ("rejected", "bo")
    assert world.case.state.approval.approver == "bo"


@pytest.mark.req("P6")
@pytest.mark.parametrize("decision", ["approve", "reject"])
def test_codes_that_were_typed_in_prefect_are_deleted_after_every_decision(
    world: Any, decision: str
) -> None:
    """The outbox sees to it, should the run die that read them."""
    world.start(approvals=CODED)
    world.to_approval()
    code = world.approvers.issue("ada")
    decide_approval(world.context, "demo", decision, approver="ada", code=code, via="prefect")
    drain(world.context)
    assert [e.kind for e in world.effects if e.kind == "forget_code"] == ["forget_code"]


@pytest.mark.req("P6")
@pytest.mark.parametrize("ending", ["rolled_back", "aborted"])
def test_codes_are_deleted_too_when_the_migration_ends_while_people_are_asked(
    world: Any, ending: str
) -> None:
    """The run may have died before it read the code, and nobody decides any more."""
    world.start(approvals=CODED)
    approval = world.to_approval()
    if ending == "aborted":
        abort(world.context, "demo", actor="ops", reason="no more")
    else:
        roll_back(world.context, "demo", actor="ops", trigger="person", reason="complaints")
    drain(world.context)
    told = [effect.key for effect in world.effects if effect.kind == "forget_code"]
    assert told == [f"{approval}:forget:{ending}"]
