"""Work items: what counts as a disagreement, what is repaired, and what is written down."""

from __future__ import annotations

from typing import Any

import pytest

from switchover.engine.compare_items import items_due
from switchover.engine.hold import hold, resume
from switchover.engine.repair_items import check_items, watch_items
from switchover.errors import InputError, Refused
from switchover.testing.items import InMemoryItemStore
from tests.unit.engine.items_world import ItemsWorld

pytestmark = pytest.mark.req("T13")


class Killed(BaseException):
    """Stands for SIGKILL."""


@pytest.fixture
def items(world: Any) -> ItemsWorld:
    """Both sides, empty."""
    return ItemsWorld.of(world)


def killed_after_ordering(items: ItemsWorld, monkeypatch: pytest.MonkeyPatch) -> None:
    """Look, and die when the order is on record and nothing was changed yet."""

    def die(*_: Any) -> Any:
        raise Killed

    with monkeypatch.context() as patch:
        patch.setattr(InMemoryItemStore, "set_states", die)
        with pytest.raises(Killed):
            items.look()


def test_what_differs_at_two_looks_is_a_disagreement(items: ItemsWorld) -> None:
    """Without times in the tables, the first look only remembers."""
    items.put(1, "done", "completed")
    items.put(2, "open", "failed")
    first = items.look()
    assert (first.left, first.findings.waiting) == (0, 1)
    items.world.wait(1 / 6)
    second = items.look()
    assert (second.left, second.findings.waiting) == (1, 0)
    (found,) = second.findings.listed
    assert (found.key, found.legacy, found.candidate, found.rule) == (2, "open", "failed", 0)
    assert found.since == first.findings.at


def test_an_item_that_moves_between_looks_is_followed_anew(items: ItemsWorld) -> None:
    """Both systems work on it; the states of the second look are new ones."""
    items.put(1, "open", "failed")
    items.look()
    items.world.wait(1 / 6)
    items.put(1, "open", "running")
    assert items.look().findings.waiting == 1
    items.world.wait(1 / 6)
    assert items.look().left == 1


@pytest.mark.parametrize(
    ("age", "settling", "disagreements"), [(10, 1, 0), (299, 1, 0), (301, 0, 1), (9e5, 0, 1)]
)
def test_times_of_both_sides_tell_at_the_first_look(
    items: ItemsWorld, age: float, settling: int, disagreements: int
) -> None:
    """Within ``settle`` it may still be on its way, and after that it is not."""
    items.put(1, "open", "failed", age)
    found = items.look().findings
    assert (found.settling, found.disagreements) == (settling, disagreements)


def test_a_change_on_one_side_is_enough_to_wait(items: ItemsWorld) -> None:
    """Legacy is done since a minute, the candidate's row is old: it may just be late."""
    now = items.world.context.timestamp
    items.legacy.put(1, "done", now - 60)
    items.candidate.put(1, "open", now - 9_000)
    assert items.look().findings.settling == 1


def test_a_time_in_the_future_tells_nothing(items: ItemsWorld) -> None:
    """A clock or zone that is wrong by hours must not hide a disagreement for hours."""
    items.put(1, "open", "failed", -7_200)
    assert items.look_twice().left == 1


def test_a_claimed_item_is_in_flight(items: ItemsWorld) -> None:
    """Somebody works on it now, however old its row is."""
    items.put(1, "done", "open", 9_000)
    items.put(2, "done", "open", 9_000)
    items.tracker.hold("demo", 1)
    done = items.look()
    assert (done.findings.in_flight, done.made) == (1, {2: "repaired"})
    assert items.candidate.states == {1: "open", 2: "completed"}


def test_repairs_follow_the_plan_and_nothing_else_changes(items: ItemsWorld) -> None:
    """Each side's own names, each rule's direction; what has no rule is left to people."""
    items.put("a", "done", "open", 9_000)
    items.put("b", "open", "completed", 9_000)
    items.put("c", "open", "failed", 9_000)
    items.legacy.put("d", "done", items.world.context.timestamp - 9_000)
    done = items.look()
    assert items.candidate.states == {"a": "completed", "b": "completed", "c": "failed"}
    assert items.legacy.states == {"a": "done", "b": "done", "c": "open", "d": "done"}
    assert (done.left, done.made) == (2, {"a": "repaired", "b": "repaired"})
    assert [found.repair for found in done.findings.listed][2:] == ["report", "report"]
    assert done.findings.listed[3].candidate == "missing"


def test_a_state_for_which_the_other_side_has_no_name_is_reported(world: Any) -> None:
    """The candidate's word for it means another state of legacy: writing it would help nothing."""
    rules = [{"legacy": "*", "candidate": "*", "repair": "use_legacy"}]
    items = ItemsWorld.of(world, rules=rules, states={"open": "running"})
    items.put(1, "open", "failed", 9_000)
    assert (items.look().left, items.candidate.states) == (1, {1: "failed"})


def test_a_row_is_never_made_or_deleted(world: Any) -> None:
    """Also where a rule of any state seems to say so: an item is more than its state."""
    rules = [{"legacy": "*", "candidate": "*", "repair": "use_legacy"},
             {"legacy": "*", "candidate": "missing", "repair": "report"}]  # fmt: skip
    items = ItemsWorld.of(world, rules=rules)
    items.legacy.put(1, "done", 1.0)
    items.candidate.put(2, "done", 1.0)
    done = items.look()
    assert (done.left, done.made) == (2, {})
    assert (items.legacy.states, items.candidate.states) == ({1: "done"}, {2: "done"})


def test_a_repair_is_on_record_before_it_is_made_and_told_once(items: ItemsWorld) -> None:
    """The order names every key, the outcome follows, and agreement is told once."""
    items.put(1, "done", "open", 9_000)
    items.look()
    items.look()
    items.look()
    (order,) = [entry for entry in items.entries("items_compared") if entry["repairs"]]
    assert order["repairs"] == [
        {"key": 1, "legacy": "done", "candidate": "open", "side": "candidate", "state": "completed"}
    ]
    (outcome,) = items.entries("items_repaired")
    assert (outcome["repaired"], outcome["disagreements"], outcome["left"]) == (1, 0, [])
    assert len(items.entries("items_compared")) == 1


@pytest.mark.parametrize("when", ["before", "after"])
def test_repairs_of_a_killed_run_are_finished_by_the_next(
    items: ItemsWorld, monkeypatch: pytest.MonkeyPatch, when: str
) -> None:
    """The change was made or not; either way the end is the same, and told once."""
    items.put(1, "done", "open", 9_000)
    original = InMemoryItemStore.set_states

    def die(self: Any, changes: Any) -> Any:
        if not changes:
            return []
        if when == "after":
            original(self, changes)
        raise Killed

    with monkeypatch.context() as patch:
        patch.setattr(InMemoryItemStore, "set_states", die)
        with pytest.raises(Killed):
            items.look()
    assert items.world.case.state.items.order
    assert items.look().made == {1: "repaired"}
    assert items.candidate.states == {1: "completed"}
    assert [entry["repaired"] for entry in items.entries("items_repaired")] == [1]
    assert items.world.case.state.items.order == 0


@pytest.mark.parametrize("side", ["legacy", "candidate"])
def test_an_item_that_moved_meanwhile_is_left_alone(
    items: ItemsWorld, monkeypatch: pytest.MonkeyPatch, side: str
) -> None:
    """Between the order and its repair one of the systems went on with the item."""
    items.put(1, "done", "open", 9_000)
    killed_after_ordering(items, monkeypatch)
    getattr(items, side).put(1, "cancelled", items.world.context.timestamp)
    done = items.look()
    assert done.made == {1: "changed"}
    assert "cancelled" in (items.legacy.states[1], items.candidate.states[1])
    (outcome,) = items.entries("items_repaired")
    assert outcome["left"] == [{"key": 1, "outcome": "changed", "why": ""}]


def test_a_look_at_a_held_migration_leaves_an_open_order_alone(
    items: ItemsWorld, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Somebody held it after the run that ordered was killed; once resumed, it is finished."""
    items.put(1, "done", "open", 9_000)
    killed_after_ordering(items, monkeypatch)
    hold(items.world.context, "demo", actor="ada", reason="looking")
    assert watch_items(items.world.context, "demo", actor="monitor").left == 1
    assert items.candidate.states == {1: "open"}
    resume(items.world.context, "demo", actor="ada", reason="seen")
    assert watch_items(items.world.context, "demo", actor="monitor").made == {1: "repaired"}


def test_an_item_that_was_claimed_meanwhile_is_left_alone(
    items: ItemsWorld, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its owner sets the state itself; what is still wrong later is found later."""
    items.put(1, "done", "open", 9_000)
    killed_after_ordering(items, monkeypatch)
    items.tracker.hold("demo", 1)
    assert items.look().made == {1: "in flight"}
    assert items.candidate.states == {1: "open"}
    items.tracker.hold("demo")
    assert items.look().made == {1: "repaired"}


def test_at_most_the_plans_limit_is_repaired_in_a_look(world: Any) -> None:
    """The next look goes on where this one stopped."""
    items = ItemsWorld.of(world, limit=2)
    for key in range(5):
        items.put(key, "done", "open", 9_000)
    assert [items.look().left for _ in range(3)] == [3, 1, 0]


def test_what_a_database_refuses_is_not_ordered_at_every_look(items: ItemsWorld) -> None:
    """It stays a disagreement, with the reason on record; a person may try again."""
    items.put(1, "done", "open", 9_000)
    items.candidate.refuses[1] = "permission denied"
    assert items.look().left == 1
    assert items.look().left == 1
    assert items.entries("items_repaired") == [
        {**items.entries("items_repaired")[0],
         "left": [{"key": 1, "outcome": "refused", "why": "permission denied"}]}
    ]  # fmt: skip
    items.candidate.refuses.clear()
    assert items.look(again=True).made == {1: "repaired"}


def test_a_held_migration_is_looked_at_and_not_repaired(items: ItemsWorld) -> None:
    """Whoever holds it wants nothing to move; a person may still repair."""
    items.put(1, "done", "open", 9_000)
    hold(items.world.context, "demo", actor="ada", reason="looking")
    assert watch_items(items.world.context, "demo", actor="monitor").left == 1
    assert items.candidate.states == {1: "open"}
    assert items.look().left == 0


def test_the_same_finding_is_written_down_once(items: ItemsWorld) -> None:
    """A look every five minutes for a week is one entry, until something changes."""
    items.put(1, "open", "failed", 9_000)
    for _ in range(3):
        items.look()
    assert len(items.entries("items_compared")) == 1
    items.put(1, "open", "open", 9_000)
    items.look()
    assert [entry["disagreements"] for entry in items.entries("items_compared")] == [1, 0]


def test_a_step_waits_for_disagreements(items: ItemsWorld) -> None:
    """Between two steps they count as a data check that failed, until they are gone."""
    world = items.world
    items.put(1, "open", "failed", 9_000)
    world.work()
    world.step()
    world.wait(1.1)
    world.traffic()
    assert world.step().action == "check_data"
    result = check_items(world.context, "demo", actor="test")
    assert result is not None
    assert not result.ok
    assert "1 disagree (legacy / candidate: open / failed: 1)" in result.summary
    assert "none may be left before a step" in result.summary
    items.put(1, "open", "open", 9_000)
    again = check_items(world.context, "demo", actor="test")
    assert again is not None
    assert again.ok


def test_the_first_look_at_differing_items_allows_no_step(items: ItemsWorld) -> None:
    """Nobody knows yet whether they are on their way; missing evidence never promotes."""
    items.put(1, "open", "failed")
    result = check_items(items.world.context, "demo", actor="test")
    assert result is not None
    assert not result.ok
    assert "the first look" in result.summary
    items.tracker.forget()
    items.put(1, "open", "open")
    assert items.look().ok


def test_a_plan_may_allow_some(world: Any) -> None:
    """``at_most`` of them hold no step."""
    items = ItemsWorld.of(world, at_most=1)
    items.put(1, "open", "failed", 9_000)
    assert items.look().ok
    items.put(2, "open", "failed", 9_000)
    assert not items.look().ok


def test_the_sweep_looks_as_often_as_the_plan_says(items: ItemsWorld) -> None:
    """Each look reads both tables, so it has a time of its own."""
    context = items.world.context
    assert items_due(context, "demo")
    items.look()
    assert not items_due(context, "demo")
    items.world.wait(1 / 12)
    assert items_due(context, "demo")


@pytest.mark.parametrize("keys", [[1, "1"], ["a", 2]])
def test_keys_of_two_kinds_are_refused(items: ItemsWorld, keys: list[Any]) -> None:
    """Numbers on one side and text on the other would all be missing."""
    items.legacy.put(keys[0], "done")
    items.candidate.put(keys[1], "done")
    with pytest.raises(InputError, match="keys of two kinds"):
        items.look()


def test_a_plan_without_work_items_says_so(world: Any) -> None:
    """Asked for by hand it is bad input; between steps there is nothing to check."""
    world.start()
    assert check_items(world.context, "demo", actor="t") is None
    assert not items_due(world.context, "demo")
    with pytest.raises(InputError, match="names no work_items"):
        ItemsWorld(world, InMemoryItemStore(), InMemoryItemStore(), None).look()  # type: ignore[arg-type]


def test_of_two_looks_at_the_same_time_one_orders(
    items: ItemsWorld, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The slower one finds that the other has been there; nothing is told twice."""
    items.put(1, "done", "open", 9_000)
    original, inner = items.tracker.in_flight, []

    def meanwhile(*arguments: Any) -> Any:
        if not inner:
            inner.append(None)
            inner.append(items.look())
        return original(*arguments)

    monkeypatch.setattr(items.tracker, "in_flight", meanwhile)
    assert items.look().made == {}
    assert inner[1].made == {1: "repaired"}
    assert len(items.entries("items_compared")) == len(items.entries("items_repaired")) == 1


def test_a_second_order_is_refused_while_one_is_open(items: ItemsWorld) -> None:
    """Of two runs that look at the same time one orders; the other carries the same out."""
    from switchover.machine.event import ItemsCompared, ItemsRepaired

    case = items.world.case
    order = ItemsCompared(1.0, 1, "x", "x", repairs=[{"key": 1}])
    case = case.append(order, actor="t")
    with pytest.raises(Refused, match="still open"):
        case.append(order, actor="t")
    with pytest.raises(Refused, match="not open"):
        case.append(ItemsRepaired(1, 1.0, 1, 0, "x"), actor="t")
