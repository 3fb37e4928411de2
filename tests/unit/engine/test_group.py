"""Migrations that move together: who waits for whom, and what follows when one goes back."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from switchover.engine.advance import take_step
from switchover.engine.approve import abort
from switchover.engine.assess import due
from switchover.engine.context import Case
from switchover.engine.end_each import end_each, members
from switchover.engine.fleet import Fleet
from switchover.engine.group import standing
from switchover.engine.monitor import look
from switchover.engine.roll_back import roll_back
from switchover.engine.start import start
from switchover.engine.status import why
from switchover.engine.sweep import sweep
from switchover.errors import DependencyUnavailable, InputError
from switchover.machine.action import Enter, Wait
from switchover.machine.event import Judged, StageEntered
from switchover.machine.state import Phase
from switchover.testing.ledger import InMemoryLedger

STEPS = [{"kind": "canary", "percent": p, "bake": "1h"} for p in (10, 50, 100)]


def begin(world: Any, name: str, **group: Any) -> Case:
    """Start a migration of three canary stages in group ``g``."""
    plan = world.plan(migration=name, stages=STEPS, checks=[], approvals=None,
                      group={"name": "g", **group})  # fmt: skip
    return start(world.context, plan, actor="carl")


def enter(world: Any, name: str, stage: int) -> Case:
    """Put a migration into every stage up to ``stage`` at once, without evidence."""
    case = world.context.open(name)
    while case.state.stage < stage:
        to = case.stages[case.state.stage + 1]
        now = world.context.timestamp
        event = StageEntered(to.index, to.title, to.mode, to.split, to.shadow, now, now + to.bake)
        case = case.append(event, actor="t")
    return case


def judged(world: Any, name: str, verdict: str = "promote") -> Case:
    """The monitor wrote down a verdict."""
    case = world.context.open(name)
    now = world.context.timestamp
    return case.append(Judged(case.state.stage, verdict, now, "x"), actor="monitor")


NEED = {"migration": "prices", "reached": "100%", "before": "50%"}


@pytest.mark.req("P7")
def test_a_half_waits_for_the_whole_of_another(world: Any) -> None:
    """B's 50 % only after A's 100 %; each time the sentence says where A stands."""
    basket = begin(world, "basket", depends_on=[NEED])
    assert standing(basket).awaited == ""
    basket = enter(world, "basket", 1)
    awaited = "group g: canary 50 % waits for prices at 100%, which has not been started"
    assert standing(basket).awaited.startswith(awaited)
    begin(world, "prices")
    enter(world, "prices", 2)
    assert standing(basket).awaited.endswith("prices at 100%, which is at canary 50 %")
    enter(world, "prices", 3)
    assert standing(basket).awaited == ""


@pytest.mark.req("P7")
def test_why_names_the_awaited_and_the_step_is_not_taken(world: Any) -> None:
    """The first stage of the plan is the one that waits."""
    begin(world, "basket", depends_on=[{**NEED, "before": "10%"}])
    told = why(world.context, "basket")
    assert told["waiting_for"] == "group"
    assert "prices" in told["sentence"]
    assert not take_step(world.context, "basket", actor="t").did
    begin(world, "prices")
    enter(world, "prices", 3)
    assert isinstance(due(world.context.open("basket")), Enter)


@pytest.mark.req("P7")
@pytest.mark.parametrize("reached", ["complete", "canary-100"])
def test_a_stage_may_be_named_by_its_key(world: Any, reached: str) -> None:
    """Past it is as good as in it."""
    begin(world, "prices")
    begin(world, "basket", depends_on=[{**NEED, "reached": reached}])
    basket = enter(world, "basket", 1)
    enter(world, "prices", 2)
    assert standing(basket).awaited
    enter(world, "prices", 4)
    assert standing(basket).awaited == ""


@pytest.mark.req("P7", "INV5")
@pytest.mark.parametrize(
    ("policy", "phase"), [("hold", "running"), ("abort", "aborted"), ("rollback", "rolled_back")]
)
def test_a_stage_that_rested_on_one_that_went_back_does_what_the_plan_says(
    world: Any, policy: str, phase: str
) -> None:
    """The next look sees it; hold is the default, and says whom it misses."""
    begin(world, "prices")
    begin(world, "basket", depends_on=[NEED], on_failure=policy)
    enter(world, "prices", 3)
    enter(world, "basket", 2)
    roll_back(world.context, "prices", actor="carl", trigger="person", reason="wrong totals")
    look(world.context, "basket", actor="monitor")
    basket = world.context.open("basket")
    assert basket.state.phase == phase
    if policy == "hold":
        assert due(basket) == Wait(
            "canary 50 % rests on 100% of prices, which rolled back: wrong totals; it has to be "
            "started again", "group",
        )  # fmt: skip
    if policy == "rollback":
        entry = next(e for e in world.ledger.entries("basket") if e.kind == "rolled_back")
        assert entry.payload["trigger"] == "group"


@pytest.mark.req("P7", "INV5")
@pytest.mark.parametrize("policy", ["abort", "rollback"])
def test_one_that_never_rested_on_it_only_waits(world: Any, policy: str) -> None:
    """A migration started while another lies rolled back is no failure of its own."""
    begin(world, "prices")
    roll_back(world.context, "prices", actor="carl", trigger="person", reason="x")
    begin(world, "basket", depends_on=[NEED], on_failure=policy)
    assert isinstance(due(world.context.open("basket")), Wait)
    look(world.context, "basket", actor="monitor")
    assert world.context.open("basket").state.phase is Phase.RUNNING


@pytest.mark.req("P7")
def test_at_a_barrier_every_started_member_is_awaited(world: Any) -> None:
    """Ready or past it lets go; an aborted one takes no part any more."""
    a = begin(world, "a", barrier=["50%"])
    begin(world, "b")
    begin(world, "c")
    a = enter(world, "a", 1)
    assert standing(a).awaited == (
        "group g: canary 50 % waits for b, which is at start; c, which is at start"
    )
    enter(world, "b", 1)
    judged(world, "b")
    assert "b," not in standing(a).awaited
    abort(world.context, "c", actor="carl", reason="not this year")
    assert standing(a).awaited == ""
    judged(world, "b", "hold")
    assert standing(a).awaited.endswith("b, which is at canary 10 %, verdict hold")
    enter(world, "b", 2)
    assert standing(a).awaited == ""
    roll_back(world.context, "b", actor="carl", trigger="person", reason="x")
    assert "b, which rolled back: x" in standing(a).awaited


@pytest.mark.req("P7")
def test_a_circle_is_told_as_one_that_never_ends(world: Any) -> None:
    """Nobody waits for ever in silence."""
    begin(world, "a", depends_on=[{"migration": "b", "reached": "100%", "before": "50%"}])
    begin(world, "b", depends_on=[{"migration": "a", "reached": "50%", "before": "100%"}])
    enter(world, "a", 1)
    sentence = standing(world.context.open("a")).awaited
    assert "this never ends, as" in sentence
    assert "a's canary 50 % waits for b's canary 100 % waits for a's canary 50 %" in sentence


@pytest.mark.req("P5", "P7")
def test_ending_a_group_ends_each_and_goes_on_over_those_that_cant(world: Any) -> None:
    """Again changes nothing; each is an entry of its own."""
    for name in ("a", "b", "c"):
        begin(world, name)
    enter(world, "b", 4)
    names = members(world.context, "g")
    assert names == ["a", "b", "c"]

    def end(name: str) -> str:
        return abort(world.context, name, actor="ada", reason="all").state.phase.value

    nobody = frozenset[Phase]()
    found = {e.migration: e for e in end_each(world.context, names, end, nobody)}
    assert [found[name].outcome for name in names] == ["done", "failed", "done"]
    assert (found["b"].exit_code, "complete" in found["b"].sentence) == (4, True)
    again = list(end_each(world.context, names, end))
    assert [each.outcome for each in again] == ["already"] * 3
    aborted = [e.kind for name in ("a", "c") for e in world.ledger.entries(name)]
    assert aborted.count("aborted") == 2
    with pytest.raises(InputError, match="groups: g"):
        members(world.context, "h")


@pytest.mark.req("P7")
def test_a_sweep_reads_all_migrations_for_the_groups_once(world: Any) -> None:
    """What members know of each other costs one reading, however many there are."""
    for n in range(12):
        needs = [{"migration": "m00", "reached": "50%", "before": "50%"}] if n else []
        begin(world, f"m{n:02}", barrier=["10%"], depends_on=needs)
    readings = 0
    real = world.ledger.migrations

    def counted() -> Any:
        nonlocal readings
        readings += 1
        return real()

    world.ledger.migrations = counted
    found = sweep(world.context, actor="monitor", threads=1)
    assert not found.errors
    assert len(found.looks) == 12
    assert readings == 1


@pytest.mark.req("P7")
def test_a_fleet_reads_each_plan_once(world: Any) -> None:
    """Twelve that wait for one look at its plan once."""
    begin(world, "a")
    fleet = Fleet(world.ledger)
    assert fleet.member("a") is fleet.member("a")
    assert fleet.groups["g"][0].migration == "a"


@pytest.mark.req("P7")
def test_of_many_that_are_awaited_some_are_named(world: Any) -> None:
    """A thousand names help nobody, and would make a sweep quadratic."""
    first = begin(world, "m0", barrier=["10%"])
    begin(world, "m1")
    assert standing(first).awaited == ""  # A plan's start has nothing to wait for.
    enter(world, "m0", 1)
    for n in range(2, 9):
        begin(world, f"m{n}", barrier=["50%"])
        enter(world, f"m{n}", 1)
    awaited = standing(world.context.open("m2")).awaited
    assert [f"m{n}" in awaited for n in range(9)] == [n in (0, 1, 3, 4, 5) for n in range(9)]
    assert awaited.endswith("others of g, 9 in all")


@pytest.mark.req("P5", "R2", "INV7")
@pytest.mark.parametrize("how", ["abort", "roll back"])
def test_ending_a_group_again_completes_what_routing_missed(world: Any, how: str) -> None:
    """With Redis away the ledger has it already; once it is back, again brings it to routing."""
    begin(world, "a")
    world.routing.write(enter(world, "a", 2).state.snapshot())
    away = DependencyUnavailable("Redis", "refused")

    class Away:
        def __getattr__(self, name: str) -> Any:
            def fail(*arguments: Any, **words: Any) -> Any:
                raise away

            return fail

    def end(context: Any) -> Callable[[str], str]:
        def one(name: str) -> str:
            if how == "abort":
                return abort(context, name, actor="ada", reason="x").state.phase.value
            if unconfirmed := roll_back(
                context, name, actor="ada", trigger="person", reason="x"
            ).unconfirmed():
                raise unconfirmed
            return "back"

        return one

    cut_off = replace(world.context, routing=Away())
    first = list(end_each(cut_off, ["a"], end(cut_off)))
    assert (first[0].outcome, first[0].exit_code) == ("failed", 3)
    assert world.routing.read("a").serves_candidate
    again = list(end_each(world.context, ["a"], end(world.context)))
    assert again[0].outcome == "already"
    assert not world.routing.read("a").serves_candidate


@pytest.mark.req("P5", "R2", "INV7")
def test_a_group_is_rolled_back_also_while_the_ledger_goes_away(world: Any) -> None:
    """Its members are known by then, and routing needs no ledger."""
    begin(world, "a")
    world.routing.write(enter(world, "a", 2).state.snapshot())

    class Away:
        def __getattr__(self, name: str) -> Any:
            raise DependencyUnavailable("the database", "refused")

    context = replace(world.context, ledger=Away())

    def back(name: str) -> str:
        roll_back(context, name, actor="ada", trigger="person", reason="x")
        return "back"

    assert [each.outcome for each in end_each(context, ["a"], back)] == ["done"]
    assert not world.routing.read("a").serves_candidate


@pytest.mark.req("P5")
def test_a_fault_of_our_own_stops_no_other_end(world: Any) -> None:
    """It is told in a line, with the exit code of a fault."""
    for name in ("a", "b"):
        begin(world, name)

    def end(name: str) -> str:
        if name == "a":
            raise ZeroDivisionError("by\nzero")
        return "ended"

    a, b = end_each(world.context, ["a", "b"], end)
    assert (a.outcome, a.sentence, a.exit_code) == ("failed", "ZeroDivisionError: by zero", 70)
    assert b.outcome == "done"


def unreadable(world: Any, name: str) -> None:
    """Make the stored plan one that this version can't read."""
    known = world.ledger._known(name)
    known.plans[-1] = replace(known.plans[-1], document={**known.plans[-1].document, "stages": "x"})


@pytest.mark.req("P7", "INV5", "INV6")
def test_a_member_with_an_unreadable_plan_blinds_no_other(world: Any) -> None:
    """The others are judged on, and wait for it at their barrier; a complete one holds nobody."""
    a = begin(world, "a", barrier=["50%"], depends_on=[{**NEED, "reached": "canary-50"}])
    for name in ("b", "c", "prices"):
        begin(world, name)
        enter(world, name, 4 if name != "b" else 1)
        unreadable(world, name)
    enter(world, "a", 1)
    found = sweep(world.context, actor="monitor")
    assert set(found.errors) == {"b", "c", "prices"}
    assert "a" in found.looks
    a = world.context.open("a")
    assert standing(a).awaited == (
        "group g: canary 50 % waits for b, which has a plan that this version can't read"
    )
    outcome = roll_back(world.context, "b", actor="ada", trigger="person", reason="x")
    assert world.routing.read("b") is None or not world.routing.read("b").serves_candidate
    assert not outcome.recorded


@pytest.mark.req("P7")
def test_a_large_group_is_read_in_few_round_trips(
    world: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Not one by one, and not once in each thread of the sweep."""
    for n in range(120):
        begin(world, f"m{n:03}", barrier=["50%"])
    fleet = Fleet(world.ledger)
    calls: list[str] = []
    for name in ("read", "standings"):
        real = getattr(InMemoryLedger, name)

        def counted(self: Any, wanted: Any, real: Any = real, name: str = name) -> Any:
            calls.append(name)
            return real(self, wanted)

        monkeypatch.setattr(type(fleet._ledger), name, counted)
    fleet.gather("g")
    assert calls.count("standings") == 2
    calls.clear()
    assert fleet.member("m119").group is not None
    fleet.gather("g")
    assert calls == []
