"""Before the candidate's first traffic the checklist is complete, and a missing item says so."""

from __future__ import annotations

from typing import Any

import pytest

from switchover.engine.assess import due
from switchover.engine.checklist import checklist
from switchover.engine.monitor import look
from switchover.engine.roll_back import roll_back
from switchover.engine.sign_off import sign_off, withdraw
from switchover.engine.start import start
from switchover.engine.status import status, why
from switchover.errors import IllegalTransition, InputError, NotAuthorised, Refused, WrongCode
from switchover.machine.action import Enter, Wait

LIST = {
    "items": ["checks", "rollback_drilled", "monitoring"],
    "sign_offs": [
        {"id": "briefed", "text": "the ward was briefed", "who": "ada"},
        {"id": "rota", "text": "somebody is on call", "role": "operations"},
    ],
}
ROLES = {"approvers": ["ada", "bo"], "roles": {"operations": ["olu", "oz"]}, "expires": "10h"}


def begin(world: Any, checklist: dict[str, Any] | None = None, **more: Any) -> None:
    """A migration at the end of its shadow stage, where only the checklist is missing."""
    world.start(**{"checklist": checklist or LIST, "approvals": ROLES, **more})
    world.work()
    assert world.step().action == "enter"
    world.wait(1.1)
    world.traffic()


def sign(world: Any, item: str, signer: str, **more: Any) -> Any:
    """Sign on the command line."""
    return sign_off(world.context, "demo", item, signer=signer, via="cli", **more)


def open_items(world: Any) -> set[str]:
    """The ids of what is missing."""
    items = checklist(world.case, world.ledger.evidence("demo"))
    return {item.id for item in items if not item.done}


def drill(world: Any, routers: int = 1) -> None:
    """Another migration of the same routing store is rolled back, with live routers."""
    world.start(migration="rehearsal")
    go_back(world, "rehearsal", routers)


def go_back(world: Any, name: str, routers: int = 1) -> None:
    """Roll back while so many routers follow, which take the halt at once."""
    halt = world.routing.halt

    def followed(migration: str, **more: Any) -> Any:
        halted = halt(migration, **more)
        for router in range(routers):
            world.routing.acknowledge(migration, f"r{router}", halted.epoch, halted.at)
        return halted

    world.routing.halt = followed
    roll_back(world.context, name, actor="carl", trigger="person", reason="rehearsal")
    world.routing.halt = halt


@pytest.mark.req("P13")
def test_a_missing_item_names_itself_and_what_to_do(world: Any) -> None:
    """One sentence holds all that is missing; no step is taken."""
    begin(world)
    outcome = world.step()
    assert (outcome.action, outcome.did) == ("wait", False)
    assert why(world.context, "demo")["waiting_for"] == "checklist"
    for said in (
        "rollback_drilled (a rollback was rehearsed, and reached every router): no rollback was "
        "measured within 30 d (none is on record), roll a rehearsal migration back",
        "monitoring (the monitor looks, and evidence comes in): the monitor looked never",
        "briefed (the ward was briefed): not signed, `switchover sign demo briefed --by NAME` (ada",
        "rota (somebody is on call): not signed, `switchover sign demo rota --by NAME` "
        "(operations: olu, oz",
    ):
        assert said in outcome.sentence, said
    assert "checks (" not in outcome.sentence
    assert world.case.state.split == 0


@pytest.mark.req("P13")
def test_a_complete_checklist_lets_traffic_begin_and_is_not_asked_again(world: Any) -> None:
    """Rehearsal, look and signatures: then the first canary, and later ones ask nothing."""
    begin(world)
    drill(world)
    look(world.context, "demo", actor="monitor")
    sign(world, "briefed", "ada", note="on Tuesday")
    assert open_items(world) == {"rota"}
    sign(world, "rota", "oz")
    found = {item.id: item.found for item in checklist(world.case, world.ledger.evidence("demo"))}
    assert found["rollback_drilled"].startswith("a rollback of rehearsal reached every router")
    assert found["briefed"].startswith("signed by ada at 2026-01-05T")
    assert found["briefed"].endswith(": on Tuesday")
    assert world.step().action == "enter"
    withdraw(world.context, "demo", "rota", signer="olu", via="cli")
    world.wait(1.1)
    world.traffic()
    assert world.step().action == "ask"


@pytest.mark.req("P13", "INV6")
def test_monitoring_is_seen_by_looks_and_by_evidence_both_of_late(world: Any) -> None:
    """An old look is no look, and a look that finds no evidence is none either."""
    begin(world)
    look(world.context, "demo", actor="monitor")
    assert "monitoring" not in open_items(world)
    world.wait(0.5)
    assert "monitoring" in open_items(world)
    look(world.context, "demo", actor="monitor")
    item = next(i for i in checklist(world.case, world.ledger.evidence("demo"))
                if i.id == "monitoring")  # fmt: skip
    assert not item.done
    assert item.found == ("the monitor looked 0 s ago and evidence came 30 min ago "
                          "(within 15 min is asked)")  # fmt: skip
    world.traffic()
    assert "monitoring" not in open_items(world)


@pytest.mark.req("P13")
def test_a_look_at_a_quiet_migration_writes_no_second_note_at_once(world: Any) -> None:
    """The note of a look is renewed when it is a quarter of its time old, not each minute."""
    begin(world)
    look(world.context, "demo", actor="monitor")
    first = world.ledger.evidence("demo")["looked_at"]
    world.wait(1 / 60)
    look(world.context, "demo", actor="monitor")
    assert world.ledger.evidence("demo")["looked_at"] == first
    world.wait(5 / 60)
    look(world.context, "demo", actor="monitor")
    assert world.ledger.evidence("demo")["looked_at"] > first


@pytest.mark.req("P13", "R8")
def test_a_rollback_that_no_router_saw_or_that_is_old_is_no_rehearsal(world: Any) -> None:
    """Nothing was tried out where nobody followed."""
    begin(world)
    drill(world, routers=0)
    assert "rollback_drilled" in open_items(world)
    drill(world, routers=2)
    assert "rollback_drilled" not in open_items(world)
    world.wait(31 * 24)
    assert "rollback_drilled" in open_items(world)


@pytest.mark.req("P13")
def test_a_signature_stands_in_for_a_rehearsal_where_the_plan_allows_it(world: Any) -> None:
    """It is asked for only as long as there is no rehearsal."""
    item = {"id": "tabletop", "text": "rehearsed on paper", "who": "bo",
            "instead_of": "rollback_drilled"}  # fmt: skip
    begin(world, {"items": ["rollback_drilled"], "sign_offs": [item]})
    assert "or `switchover sign demo tabletop --by NAME` (bo)" in world.step().sentence
    sign(world, "tabletop", "bo")
    assert world.step().action == "enter"


@pytest.mark.req("P13")
def test_only_those_whom_the_plan_names_sign(world: Any) -> None:
    """Neither a stranger, nor an approver without the role, nor an unknown item."""
    begin(world)
    for item, signer in (("rota", "ada"), ("briefed", "bo"), ("briefed", "")):
        with pytest.raises(NotAuthorised, match="may not sign"):
            sign(world, item, signer)
    with pytest.raises(InputError, match="people sign briefed, rota"):
        sign(world, "checks", "ada")
    assert world.case.state.sign_offs == ()


@pytest.mark.req("P13", "P6")
def test_with_identity_code_a_signer_proves_who_they_are(world: Any) -> None:
    """The same rule as for approvals; a wrong code signs nothing."""

    class Register:
        def verify(self, name: str, code: str) -> None:
            if (name, code) != ("ada", "secret"):
                raise WrongCode(name, "wrong", failures=1)

    begin(world, approvals={**ROLES, "identity": "code"})
    object.__setattr__(world.context, "approvers", Register())
    with pytest.raises(NotAuthorised, match="personal approval code"):
        sign(world, "briefed", "ada")
    with pytest.raises(NotAuthorised, match="wrong"):
        sign(world, "briefed", "ada", code="guess")
    assert world.case.state.sign_offs == ()
    sign(world, "briefed", "ada", code="secret")
    assert [signed.by for signed in world.case.state.sign_offs] == ["ada"]


@pytest.mark.req("P13", "INV11")
def test_signing_twice_is_one_entry_and_withdrawing_opens_it_again(world: Any) -> None:
    """Who signed, who took it back and why are in the ledger."""
    begin(world)
    revision = sign(world, "rota", "olu").state.revision
    assert sign(world, "rota", "olu").state.revision == revision
    with pytest.raises(Refused, match="olu has signed rota already; nothing is to do"):
        sign(world, "rota", "oz")
    withdraw(world.context, "demo", "rota", signer="oz", reason="olu is ill", via="cli")
    with pytest.raises(IllegalTransition, match="not signed off"):
        withdraw(world.context, "demo", "rota", signer="oz", via="cli")
    assert "rota" in open_items(world)
    kinds = [(e.kind, e.actor) for e in world.ledger.entries("demo") if "sign" in e.kind]
    assert kinds == [("signed_off", "olu"), ("sign_off_withdrawn", "oz")]


@pytest.mark.req("P13")
def test_a_new_attempt_needs_new_signatures_and_keeps_the_rehearsal(world: Any) -> None:
    """Its own rollback reached the routers: that is a rehearsal."""
    begin(world)
    sign(world, "briefed", "ada")
    go_back(world, "demo")
    begin(world)
    assert world.case.state.attempt == 2
    assert "briefed" in open_items(world)
    assert "rollback_drilled" not in open_items(world)


@pytest.mark.req("INV5", "P13")
def test_a_missing_item_keeps_no_rollback_from_coming(world: Any) -> None:
    """Bad evidence in the shadow stage rolls back with an empty checklist."""
    begin(world)
    world.stream.add(world.block("success_rate", "candidate", 2000, 1500))
    assert isinstance(due(world.case), Wait)
    assert look(world.context, "demo", actor="monitor").action == "roll_back"
    assert world.case.state.phase == "rolled_back"


@pytest.mark.req("P13", "K4")
def test_status_shows_every_item_and_a_plan_without_a_list_has_none(world: Any) -> None:
    """The same items as the command's."""
    begin(world)
    shown = {item["id"]: item["done"] for item in status(world.context, "demo")["checklist"]}
    assert shown == {"checks": True, "rollback_drilled": False, "monitoring": False,
                     "briefed": False, "rota": False}  # fmt: skip
    other = start(world.context, world.plan(migration="plain"), actor="carl")
    assert checklist(other, None) == ()
    assert not isinstance(due(other), Enter)
