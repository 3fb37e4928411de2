"""Feature flags change through the ledger: audited, once, and seen by every router."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from switchover.engine.reconcile import reconcile
from switchover.engine.roll_back import roll_back
from switchover.engine.set_flag import find_flag, remove_flag, set_flag
from switchover.errors import IllegalTransition, InputError
from switchover.machine.apply import apply
from switchover.machine.event import Noted, Started
from switchover.machine.flag import read_flags
from switchover.testing.routing import InMemoryRoutingStore

WHO = {"actor": "ann", "reason": "trial"}


def change(world: Any, name: str, **changes: Any) -> Any:
    """Set a flag of the world's migration, creating it where it is new."""
    return set_flag(world.context, "demo", name, changes, create=True, **WHO)


def changes_on_record(world: Any) -> list[Any]:
    """The ledger's entries about flags."""
    return [e for e in world.ledger.entries("demo") if e.kind == "flags_changed"]


@pytest.mark.req("T5", "K4")
def test_a_change_is_in_the_ledger_and_in_the_routing_document(world: Any) -> None:
    """Who, why and what; the version is the revision that brought it."""
    world.start()
    outcome = change(world, "panel", split=1000)
    (entry,) = changes_on_record(world)
    assert (entry.actor, entry.payload["reason"]) == ("ann", "trial")
    assert entry.payload["flags"] == {"panel": {"split": 1000}}
    routed = read_flags(world.routing.read("demo").flags)["panel"]
    assert (routed.split, routed.version) == (1000, entry.revision)
    assert (outcome.changed, outcome.epoch) == (True, entry.revision)


@pytest.mark.req("T9", "K4")
def test_changed_weights_are_a_new_version(world: Any) -> None:
    """What an application cached under the old version is told apart from the new one."""
    world.start()
    first = change(world, "layout", variants={"a": 5000, "b": 5000}).flags["layout"].version
    second = change(world, "layout", variants={"a": 1000, "b": 9000}).flags["layout"].version
    assert second > first
    assert [e.payload["flags"]["layout"]["variants"]["a"] for e in changes_on_record(world)] == [
        5000,
        1000,
    ]


@pytest.mark.req("T5")
def test_the_same_change_again_changes_nothing(world: Any) -> None:
    """No entry, no epoch, no version."""
    world.start()
    change(world, "panel", split=1000)
    before = world.case.state
    outcome = change(world, "panel", split=1000)
    assert not outcome.changed
    assert world.case.state == before


@pytest.mark.req("T5")
@pytest.mark.parametrize(
    ("name", "changes", "words"),
    [
        ("panle", {"enabled": False}, "no flag 'panle'; did you mean 'panel'"),
        ("panel", {"split": 20_000}, "outside 0 to 100 %; nothing was changed"),
        ("panel", {"variants": {"a": 1}}, "not to 100 %; nothing was changed"),
        ("panel", {"requires": {"x": "on"}}, "requires 'x', which does not exist"),
    ],
)
def test_a_change_that_makes_no_sense_is_refused_and_loses_nothing(
    world: Any, name: str, changes: dict[str, Any], words: str
) -> None:
    """A misspelt name above all: it would look like a flag that was switched off."""
    world.start()
    change(world, "panel")
    before = world.case.state
    with pytest.raises(InputError, match=words):
        set_flag(world.context, "demo", name, changes, **WHO)
    assert world.case.state == before


@pytest.mark.req("T5")
@pytest.mark.parametrize("name", ["", "a=b", "a b", "a\n", "9", "x" * 101])
def test_a_new_flag_has_a_name_that_a_plan_could_give_it(world: Any, name: str) -> None:
    """A name with an equals sign could never be required, one with a line break never be read."""
    world.start()
    with pytest.raises(InputError, match="can't be a flag's name"):
        change(world, name)


@pytest.mark.req("T5")
def test_what_others_write_meanwhile_is_no_change_of_the_flag(
    world: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An entry of somebody else comes between; the same flag again still changed nothing."""
    world.start()
    change(world, "panel", split=1000)

    event = Noted(at=world.context.timestamp, topic="talk", text="lunch")
    opened = type(world.context).open

    def open_late(context: Any, migration: str) -> Any:
        opened(context, migration).append(event, actor="bo")
        return opened(context, migration)

    monkeypatch.setattr(type(world.context), "open", open_late)
    assert not change(world, "panel", split=1000).changed


@pytest.mark.req("T5", "R6")
def test_a_retry_whose_flags_do_not_fit_those_that_are_there_is_refused(world: Any) -> None:
    """Routers would refuse the whole document, and with it each later step."""
    world.start()
    change(world, "panel", variants={"a": 10_000})
    change(world, "banner", requires={"panel": "a"})
    roll_back(world.context, "demo", actor="bo", trigger="person", reason="smoke")
    state = world.case.state
    again = Started(plan="2", salt="s", key="string", at=1.0, actor="ann", flags={"panel": {}})
    with pytest.raises(IllegalTransition, match="requires 'panel' to be 'a', which it never is"):
        apply(state, again)
    assert apply(state, replace(again, flags={})).flags.keys() == state.flags.keys()


@pytest.mark.req("T5")
def test_a_flag_that_another_requires_stays(world: Any) -> None:
    """Removed is only what nobody waits for."""
    world.start()
    change(world, "base")
    change(world, "panel", requires={"base": "on"})
    with pytest.raises(InputError, match="requires 'base', which does not exist"):
        remove_flag(world.context, "demo", "base", **WHO)
    remove_flag(world.context, "demo", "panel", **WHO)
    assert set(remove_flag(world.context, "demo", "base", **WHO).flags) == {"new-format"}


@pytest.mark.req("T5", "INV2")
def test_routing_that_lost_its_data_gets_the_flags_again(world: Any) -> None:
    """Flags are in the ledger first; routing is a projection of it."""
    world.start()
    change(world, "panel", split=1234)
    emptied = replace(world.context, routing=InMemoryRoutingStore())
    assert reconcile(emptied, "demo")
    routed = emptied.routing.read("demo")
    assert routed is not None
    assert read_flags(routed.flags)["panel"].split == 1234


@pytest.mark.req("INV5", "T5")
def test_a_flag_changes_in_a_rolled_back_migration_and_nothing_comes_back(world: Any) -> None:
    """An operator works on flags after a rollback; legacy goes on serving all."""
    world.start()
    world.to_canary()
    roll_back(world.context, "demo", actor="bo", trigger="person", reason="smoke")
    measured = len(world.ledger.entries("demo"))
    outcome = change(world, "panel", split=1000)
    routed = world.routing.read("demo")
    assert (routed.mode, routed.split, routed.epoch) == ("emergency_rollback", 0, outcome.epoch)
    assert len(world.ledger.entries("demo")) == measured + 1
    assert reconcile(world.context, "demo") == []


@pytest.mark.req("T5", "O5")
def test_a_flag_change_in_a_stage_leaves_its_evidence_alone(world: Any) -> None:
    """The epoch moves on, the stage and what was seen in it do not begin anew."""
    world.start()
    world.to_canary()
    world.traffic()
    change(world, "panel")
    world.wait(25)
    world.traffic()
    assert world.step().action in ("enter_stage", "ask")


@pytest.mark.req("T5")
def test_the_plans_flags_are_there_from_the_start(world: Any) -> None:
    """Defined in the plan, with its shares; those that a rollback names follow the split."""
    world.start(flags=[{"name": "layout", "variants": {"a": 10.0, "b": 90.0}, "off": "a"}])
    layout = find_flag(world.case, "layout")
    assert (layout.variants, layout.off, layout.version) == ({"a": 1000, "b": 9000}, "a", 1)
    assert find_flag(world.case, "new-format").follows_split


@pytest.mark.req("T5")
def test_another_attempt_leaves_what_an_operator_set(world: Any) -> None:
    """Switched off by hand is off in the retry too; only what the plan changed comes anew."""
    first = [{"name": "layout", "percent": 50.0}, {"name": "panel"}]
    world.start(flags=first)
    set_flag(world.context, "demo", "panel", {"enabled": False}, **WHO)
    set_flag(world.context, "demo", "layout", {"split": 100}, **WHO)
    roll_back(world.context, "demo", actor="bo", trigger="person", reason="smoke")
    world.start(flags=[{"name": "layout", "percent": 75.0}, {"name": "panel"}, {"name": "new"}])
    flags = read_flags(world.case.state.flags)
    assert (flags["panel"].enabled, flags["layout"].split) == (False, 7500)
    assert "new" in flags
