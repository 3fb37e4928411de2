"""Several people approve, each proves who they are, and it is about what they were shown."""

from __future__ import annotations

import json
from typing import Any

import pytest

from switchover.canonical import digest_of
from switchover.engine.approve import decide_approval
from switchover.engine.drain import drain
from switchover.engine.hold import hold, resume
from switchover.engine.monitor import look
from switchover.engine.open_approval import open_approval
from switchover.engine.start import start
from switchover.engine.status import status, why
from switchover.errors import NotAuthorised, Refused, WrongCode
from switchover.ledger import verify
from switchover.ledger.approval_code import FREE_FAILURES
from switchover.machine.state import State

POLICY = {
    "approvers": ["ada", "bo"],
    "roles": {"clinical": ["cleo", "dora"]},
    "min_approvers": 2,
    "require": {"clinical": 1},
    "expires": "60h",
}


def ask(world: Any, **policy: Any) -> str:
    """Walk to the approval of a plan with this policy; gives its id."""
    world.start(approvals={**POLICY, **policy})
    return world.to_approval()


def decide(world: Any, approver: str, decision: str = "approve", **more: Any) -> Any:
    """Decide on the open approval."""
    more.setdefault("via", "cli")
    return decide_approval(world.context, "demo", decision, approver=approver, **more)


def entries(world: Any, kind: str) -> list[Any]:
    """The ledger's entries of a kind."""
    return [entry for entry in world.ledger.entries("demo") if entry.kind == kind]


@pytest.mark.req("P6")
def test_the_vote_that_completes_the_quorum_lets_the_step_begin(world: Any) -> None:
    """One of two is not enough, and two without the role that the plan wants are not either."""
    ask(world)
    assert decide(world, "ada", reason="fine").state.approval.status == "pending"
    assert not world.step().did
    assert decide(world, "bo").state.approval.status == "pending"
    assert not world.step().did
    assert decide(world, "dora").state.approval.status == "approved"
    assert world.step().action == "enter"
    assert world.case.state.split == 10_000


@pytest.mark.req("P6", "INV4")
def test_the_same_person_counts_once(world: Any) -> None:
    """A second click of the same person is no second person, and no entry."""
    ask(world, require={})
    revision = decide(world, "ada").state.revision
    again = decide(world, "ada", via="prefect")
    assert (again.state.revision, again.state.approval.status) == (revision, "pending")
    assert not world.step().did


@pytest.mark.req("P6", "INV4")
def test_votes_are_in_the_ledger_and_so_survive_everything(world: Any) -> None:
    """The fold of the entries, and a state that went through JSON, hold every vote."""
    ask(world)
    decide(world, "ada", reason="fine")
    stored = State.from_dict(json.loads(json.dumps(world.case.state.to_dict())))
    assert stored == world.case.state
    [vote] = stored.approval.votes
    assert (vote.approver, vote.via, vote.identity, vote.reason) == (
        "ada", "cli", "trusted", "fine",
    )  # fmt: skip
    assert verify(world.ledger, "demo") == []


@pytest.mark.req("P6", "INV10")
def test_the_record_says_who_approved_what_seeing_which_evidence_and_how_they_were_known(
    world: Any,
) -> None:
    """Anybody can compute the hash again from the request's own entry."""
    ask(world, identity="code")
    decide(world, "ada", code=world.approvers.issue("ada"), via="prefect")
    decide(world, "cleo", proven=True, via="slack", reason="ok for the ward")
    [asked] = entries(world, "approval_requested")
    [voted], [decided] = entries(world, "approval_voted"), entries(world, "approval_decided")
    payload = asked.payload
    assert payload["evidence"] == digest_of([payload["shown"], payload["reading"]])
    assert payload["shown"]["plan"] == world.case.record.plan.digest
    assert payload["shown"]["next"] == "canary-100"
    for entry, known in (
        (voted, ("ada", "prefect", "code")),
        (decided, ("cleo", "slack", "slack")),
    ):
        said = entry.payload
        assert (said["approver"], said["via"], said["identity"]) == known
        assert (said["evidence"], said["id"]) == (payload["evidence"], payload["id"])
        assert entry.actor == known[0]
    assert [vote.approver for vote in world.case.state.approval.votes] == ["ada", "cleo"]


@pytest.mark.req("P6")
def test_status_and_why_tell_who_approved_and_who_is_missing(world: Any) -> None:
    """Whoever started is not offered as an approver."""
    ask(world, approvers=["ada", "bo", "carl"])
    decide(world, "cleo")
    told = status(world.context, "demo")["approval"]
    assert [vote["approver"] for vote in told["votes"]] == ["cleo"]
    assert told["missing"] == ["1 more of ada, bo, dora"]
    assert " (given by cleo so far) until " in why(world.context, "demo")["sentence"]


@pytest.mark.req("P6")
@pytest.mark.parametrize("voted", [False, True])
def test_one_rejection_decides_whatever_others_said(world: Any, voted: bool) -> None:
    """Who approved before may change their mind."""
    ask(world)
    decide(world, "ada")
    case = decide(world, "ada" if voted else "bo", "reject", reason="an outage at the lab")
    assert (case.state.phase, case.state.approval.status) == ("held", "rejected")
    with pytest.raises(Refused, match="already rejected"):
        decide(world, "cleo")


@pytest.mark.req("P6")
def test_who_rejects_too_late_is_told_what_still_stops_the_step(world: Any) -> None:
    """An approval that is given is not taken back; a hold keeps it from being used."""
    ask(world, require={}, min_approvers=1)
    decide(world, "ada")
    with pytest.raises(Refused, match="already approved; `switchover hold demo` stops"):
        decide(world, "bo", "reject")
    hold(world.context, "demo", actor="bo", reason="not today")
    assert not world.step().did


@pytest.mark.req("P6")
def test_four_eyes_bars_the_one_who_started_from_every_role(world: Any) -> None:
    """A role is no way around it, and neither is a proven identity."""
    ask(world, roles={"clinical": ["cleo", "carl"]})
    with pytest.raises(NotAuthorised, match="four eyes"):
        decide(world, "carl", proven=True, via="api")
    assert world.case.state.approval.votes == ()


@pytest.mark.req("P6")
@pytest.mark.parametrize("written", ["Ada", " ada ", "ADA", "\uff41da"])
def test_four_eyes_know_the_one_who_started_by_any_spelling(world: Any, written: str) -> None:
    """Starting as `Ada` is no way to approve as `ada`; nobody offers or awaits that either."""
    start(world.context, world.plan(approvals={**POLICY, "require": {}}), actor=written)
    world.to_approval()
    with pytest.raises(NotAuthorised, match="four eyes"):
        decide(world, "ada")
    shown = open_approval(world.context, "demo")["approval"]
    assert shown["may_approve"] == ["bo", "cleo", "dora"]
    assert shown["missing"] == ["2 more of bo, cleo, dora"]


@pytest.mark.req("P6")
def test_nobody_starts_what_could_never_be_approved(world: Any) -> None:
    """With four eyes the starter's absence must leave a quorum."""
    policy = {"approvers": ["carl", "ada"], "min_approvers": 2}
    with pytest.raises(Refused, match="let somebody else start it"):
        world.start(approvals=policy)
    assert world.ledger.migrations() == []
    world.start(approvals={**policy, "four_eyes": False})


@pytest.mark.req("P6")
@pytest.mark.parametrize("code", ["", "wrong"])
def test_without_the_right_code_nothing_is_decided(world: Any, code: str) -> None:
    """Neither an approval nor a rejection, and by whatever way."""
    ask(world, identity="code")
    world.approvers.issue("ada")
    for decision, via in (("approve", "cli"), ("reject", "prefect")):
        with pytest.raises(NotAuthorised):
            decide(world, "ada", decision, code=code, via=via)
    assert world.case.state.approval.status == "pending"
    assert world.case.state.approval.votes == ()


@pytest.mark.req("P6")
def test_a_wrong_code_is_refused_even_where_names_are_trusted(world: Any) -> None:
    """Whoever gives a code wants it to count."""
    ask(world)
    world.approvers.issue("ada")
    with pytest.raises(WrongCode):
        decide(world, "ada", code="wrong")


@pytest.mark.req("P6", "INV11")
def test_wrong_codes_are_on_record_and_those_of_a_locked_name_are_not(world: Any) -> None:
    """Somebody who guesses leaves traces, and can't fill the ledger with them."""
    ask(world, identity="code")
    code = world.approvers.issue("ada")
    for _ in range(FREE_FAILURES + 10):
        with pytest.raises(WrongCode):
            decide(world, "ada", code="wrong", via="prefect")
    noted = [entry.payload["text"] for entry in entries(world, "noted")]
    assert len(noted) == FREE_FAILURES + 1
    assert noted[0] == "wrong approval code for ada by prefect: 1 in a row"
    assert "locked until" in noted[-1]
    assert not any("wrong-" in text or code in text for text in noted)
    with pytest.raises(WrongCode, match="looked at"):
        decide(world, "ada", code=code)
    world.wait(0.1)
    assert decide(world, "ada", code=code).state.approval.votes[0].identity == "code"


@pytest.mark.req("P6")
def test_a_stranger_is_refused_before_any_code_is_looked_at(world: Any) -> None:
    """Guessing at names that the plan does not know locks nobody and writes nothing."""
    ask(world, identity="code")
    world.approvers.issue("eve")
    with pytest.raises(NotAuthorised, match="the plan names"):
        decide(world, "eve", code="wrong")
    assert world.approvers.list()[0].failures == 0
    assert entries(world, "noted") == []


@pytest.mark.req("INV10")
@pytest.mark.parametrize("complete", [False, True])
def test_evidence_that_grew_old_voids_the_request_and_every_vote(
    world: Any, complete: bool
) -> None:
    """Votes are about what was shown: they don't move to the next request."""
    first = ask(world, require={})
    decide(world, "ada")
    if complete:
        hold(world.context, "demo", actor="ops", reason="lunch")
        decide(world, "bo")
    world.wait(24.1)
    world.traffic()
    if complete:
        resume(world.context, "demo", actor="ops", reason="back")
    assert look(world.context, "demo", actor="monitor").action == "void"
    assert world.case.state.split == 1000
    assert world.step().action == "ask"
    approval = world.case.state.approval
    assert approval.id != first
    assert approval.votes == ()


@pytest.mark.req("INV10", "P6")
def test_a_vote_on_evidence_that_grew_old_is_refused(world: Any) -> None:
    """Between two sweeps of the monitor, too."""
    ask(world)
    world.wait(24.1)
    world.traffic()
    with pytest.raises(Refused, match="older than 24 h"):
        decide(world, "ada")
    assert world.case.state.approval.status == "void"


@pytest.mark.req("INV10")
def test_an_approval_is_looked_at_again_at_the_moment_of_release(world: Any) -> None:
    """Given while all was well, it releases nothing once a gate has turned."""
    ask(world, require={}, min_approvers=1)
    decide(world, "ada")
    world.traffic(n=400, bad=72)
    assert world.step().action == "void"
    assert world.case.state.split == 1000
    [asked, turned] = [e for e in world.ledger.entries("demo") if e.kind == "approval_decided"]
    assert (asked.payload["status"], turned.payload["status"]) == ("approved", "void")


@pytest.mark.req("P6", "INV10")
def test_evidence_that_is_only_old_is_shown_anew_at_once(world: Any) -> None:
    """An advance is started for it: nobody waits for tomorrow's."""
    first = ask(world)
    world.wait(24.1)
    world.traffic()
    look(world.context, "demo", actor="monitor")
    drain(world.context)
    started = {e.key: e.payload.get("deployment") for e in world.effects}
    assert started[f"{first}:renew"] == "advance/advance"
    assert f"{first}:end:void" in started


@pytest.mark.req("INV10")
def test_evidence_that_turned_is_not_asked_about_again_by_itself(world: Any) -> None:
    """There is nothing to show yet: the next advance looks."""
    ask(world)
    world.traffic(n=400, bad=72)
    look(world.context, "demo", actor="monitor")
    assert world.case.state.approval.status == "void"
    drain(world.context)
    assert not [e.key for e in world.effects if e.key.endswith(":renew")]


@pytest.mark.req("P6")
def test_showing_newer_evidence_does_not_put_off_what_the_plan_does_in_the_end(
    world: Any,
) -> None:
    """The request expires when the first one would have; else on_expiry never came."""
    ask(world, on_expiry="rollback")
    deadline = world.case.state.approval.expires_at
    for _ in range(2):
        world.wait(24.1)
        world.traffic()
        assert world.step().action == "void"
        assert world.step().action == "ask"
        assert world.case.state.approval.expires_at == deadline
    world.wait(12)
    world.traffic()
    assert world.step().action == "expire"
    assert world.case.state.phase == "rolled_back"


@pytest.mark.req("P6")
@pytest.mark.parametrize(
    ("on_expiry", "told"),
    [
        ("hold", "demo is held; after `switchover resume demo`"),
        ("rollback", "demo was rolled back, as the plan says"),
        ("abort", "demo was aborted, as the plan says"),
    ],
)
def test_who_comes_too_late_is_told_what_followed(world: Any, on_expiry: str, told: str) -> None:
    """Nothing is asked again by itself after an expiry."""
    ask(world, on_expiry=on_expiry)
    world.wait(60)
    world.traffic()
    with pytest.raises(Refused, match=told):
        decide(world, "ada")
    assert world.step().action in ("wait", "nothing")


@pytest.mark.req("P6")
def test_after_a_turn_people_have_the_whole_time_again(world: Any) -> None:
    """That is another question, not newer numbers of the same one."""
    ask(world)
    world.wait(5)
    world.traffic(n=400, bad=72)
    assert world.step().action == "void"
    for _ in range(30):
        world.traffic()
    assert world.step().action == "ask"
    approval = world.case.state.approval
    assert approval.expires_at == approval.requested_at + 60 * 3600


@pytest.mark.req("P6", "INV4")
def test_a_step_whose_run_died_is_started_again(world: Any) -> None:
    """Whatever way the approval came, an effect looks two minutes later."""
    approval = ask(world, min_approvers=1, require={})
    decide(world, "ada", via="prefect")
    drain(world.context)
    keys = [effect.key for effect in world.effects]
    assert keys == [f"{approval}:run"]
    world.wait(0.05)
    drain(world.context)
    [release] = [effect for effect in world.effects if effect.kind == "release_step"]
    assert release.payload == {"migration": "demo", "approval": approval, "actor": "ada"}


@pytest.mark.req("P6", "P9")
def test_the_channel_hears_of_each_vote(world: Any) -> None:
    """With whose approval is still missing."""
    world.start(approvals=POLICY, notify={"slack_channel": "#demo"})
    world.context.handlers["ask_people"] = world._perform
    world.to_approval()
    decide(world, "ada")
    drain(world.context)
    [told] = [e.payload["text"] for e in world.effects if ":vote:" in e.key]
    assert "ada approves" in told
    assert "1 of clinical (cleo, dora)" in told
