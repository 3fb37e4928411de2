"""A sweep looks at everybody, reads little, and does what single looks would have done."""

from __future__ import annotations

import threading
from dataclasses import replace
from typing import Any

import pytest

from switchover.engine import sweep as sweeping
from switchover.engine.advance import take_step
from switchover.engine.context import Context
from switchover.engine.monitor import look, watched
from switchover.engine.start import start
from switchover.engine.sweep import sweep
from switchover.errors import DependencyUnavailable, InputError
from switchover.judge.block import Block
from switchover.judge.heartbeat import Heartbeat

NAMES = [f"m{number:02d}" for number in range(60)]


def fleet(world: Any, names: list[str] = NAMES) -> None:
    """Start migrations that have traffic from the first stage on."""
    for name in names:
        shape = {"migration": name, "stages": [{"kind": "canary", "percent": 10, "bake": "1h"}]}
        start(world.context, world.plan(**shape), actor="carl")
    sweep(world.context, actor="monitor")
    for name in names:
        if world.context.open(name).stage.kind == "start":
            take_step(world.context, name, actor="test")


def ship(world: Any, name: str, bad: int = 0, at: float = 0.0, tag: str = "a") -> None:
    """One recorder's blocks and its heartbeat."""
    now = at or world.context.timestamp
    for system in ("legacy", "candidate"):
        wrong = bad if system == "candidate" else 0
        world.stream.add(
            Block(f"{name}:{system}:{tag}", name, "success_rate", system, now, 60, 500, wrong,
                  recorder=f"{name}-{system}", upto=500)
        )  # fmt: skip
        world.stream.say(name, Heartbeat(f"{name}-{system}", 500, 0, 5.0, now, "host:1"))


class Counting:
    """A port that counts the calls of each method."""

    def __init__(self, port: Any) -> None:
        self.port, self.calls = port, dict[str, int]()

    def __getattr__(self, name: str) -> Any:
        method = getattr(self.port, name)

        def call(*args: Any, **words: Any) -> Any:
            self.calls[name] = self.calls.get(name, 0) + 1
            return method(*args, **words)

        return call if callable(method) else method


def counting(context: Context) -> tuple[Context, dict[str, dict[str, int]]]:
    """The context, and what its ports are asked for."""
    ports = {name: Counting(getattr(context, name)) for name in ("ledger", "routing", "stream")}
    return replace(context, **ports), {name: port.calls for name, port in ports.items()}


class Sick:
    """A routing store that fails, or waits, for some migrations."""

    def __init__(self, port: Any, fault: Any, names: set[str]) -> None:
        self.port, self.fault, self.names = port, fault, names

    def routed(self, migrations: Any) -> Any:
        known = self.port.routed(migrations)
        return {name: each for name, each in known.items() if name not in self.names}

    def __getattr__(self, name: str) -> Any:
        method = getattr(self.port, name)

        def call(migration: Any, *args: Any, **words: Any) -> Any:
            if migration in self.names:
                self.fault()
            return method(migration, *args, **words)

        return call


@pytest.mark.req("P10", "R1")
def test_a_sweep_does_what_looks_one_by_one_would_do(world: Any, tmp_path: Any) -> None:
    """Same states, same evidence, same entries, whether read ahead or not."""
    twin = type(world)(tmp_path)
    for each in (world, twin):
        fleet(each)
        for name in NAMES[::3]:
            ship(each, name, bad=400 if name in NAMES[:9] else 0)
    found = sweep(world.context, actor="monitor")
    for name in watched(twin.context):
        look(twin.context, name, actor="monitor")
    assert sorted(found.looks) == NAMES
    acted = [name for name, outcome in found.looks.items() if outcome.action == "roll_back"]
    assert acted == ["m00", "m03", "m06"]
    for name in NAMES:
        ours, theirs = world.ledger.standings([name])[name], twin.ledger.standings([name])[name]
        assert ours.evidence == theirs.evidence
        assert ours.cursor == theirs.cursor
        assert ours.record.state.phase == theirs.record.state.phase
        kinds = [[e.kind for e in each.ledger.entries(name)] for each in (world, twin)]
        assert kinds[0] == kinds[1]
        assert world.routing.read(name).split == twin.routing.read(name).split


@pytest.mark.req("P10")
def test_an_idle_migration_costs_no_round_trip_of_its_own(world: Any) -> None:
    """What is asked for does not grow with the migrations, only with the batches."""
    fleet(world)
    for name in NAMES:
        ship(world, name)
    sweep(world.context, actor="monitor")
    sweep(world.context, actor="monitor")
    context, calls = counting(world.context)
    assert len(sweep(context, actor="monitor").looks) == len(NAMES)
    batches = -(-len(NAMES) // sweeping.BATCH)
    assert calls == {
        "ledger": {"migrations": 1, "standings": batches, "freezes": batches},
        "routing": {"routed": batches},
        "stream": {"inboxes": batches},
    }


@pytest.mark.req("INV6")
def test_time_based_rules_are_judged_where_nothing_came(world: Any) -> None:
    """Silence is noticed, and written down once, by sweeps that find nothing new."""
    fleet(world, NAMES[:3])
    ship(world, "m00")
    sweep(world.context, actor="monitor")
    world.wait(3)
    for _ in range(3):
        sweep(world.context, actor="monitor")
    notes = [e for e in world.ledger.entries("m00") if e.kind == "noted"]
    assert [note.payload["topic"] for note in notes].count("silence") == 1


@pytest.mark.req("P10")
def test_a_migration_that_fails_hides_no_other_and_is_named(world: Any) -> None:
    """Even one in the batch of others: they are looked at, and its error is told."""
    fleet(world)

    def fault() -> None:
        raise InputError("the document is unreadable; write a newer one")

    context = replace(world.context, routing=Sick(world.routing, fault, {"m07"}))
    found = sweep(context, actor="monitor")
    assert list(found.errors) == ["m07"]
    assert "unreadable" in found.errors["m07"]
    assert sorted(found.looks) == [name for name in NAMES if name != "m07"]


@pytest.mark.req("P10")
def test_a_state_that_nobody_can_read_costs_its_own_look_only(
    world: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where the batch can't be read as a whole, each is read by itself."""
    fleet(world)
    whole = world.ledger.standings

    def standings(migrations: Any) -> Any:
        if "m07" in migrations:
            raise ValueError("no state")
        return whole(migrations)

    monkeypatch.setattr(world.ledger, "standings", standings)
    found = sweep(world.context, actor="monitor")
    assert found.errors == {"m07": "ValueError: no state"}
    assert len(found.looks) == len(NAMES) - 1


@pytest.mark.req("P10")
@pytest.mark.parametrize("old", [False, True], ids=["at once", "its batch took long, too"])
def test_a_slow_migration_holds_up_no_other(
    world: Any, monkeypatch: pytest.MonkeyPatch, old: bool
) -> None:
    """The others are rolled back while one look still waits, also one that was left for later as
    what was read of it was old by then."""
    fleet(world)
    if old:
        first = property(lambda ahead: "m00" in ahead.cases)
        monkeypatch.setattr("switchover.engine.ahead.Ahead.fresh", first)
    ship(world, "m59", bad=400)
    rolled_back, looked = threading.Event(), threading.Event()

    def wait() -> None:
        looked.set()
        assert rolled_back.wait(60), "m59 had to wait for m00"

    def notice() -> None:
        while not rolled_back.is_set():
            if world.context.open("m59").state.phase == "rolled_back":
                rolled_back.set()
            looked.wait(0.01)

    watcher = threading.Thread(target=notice)
    watcher.start()
    context = replace(world.context, routing=Sick(world.routing, wait, {"m00"}))
    found = sweep(context, actor="monitor")
    watcher.join()
    assert found.errors == {}
    assert looked.is_set()
    assert found.looks["m59"].did


@pytest.mark.req("P10")
def test_a_sweep_without_its_servers_says_which_is_missing(world: Any) -> None:
    """Nothing could be looked at, so the task is to be tried again; nobody waits sixty times."""
    fleet(world)
    tried = []

    def routed(migrations: Any) -> Any:
        tried.append(migrations)
        raise DependencyUnavailable("Redis", "connection refused")

    gone = replace(world.context, routing=Counting(world.routing))
    object.__setattr__(gone.routing, "routed", routed)
    with pytest.raises(DependencyUnavailable, match="Redis"):
        sweep(gone, actor="monitor", threads=1)
    assert len(tried) == 1


@pytest.mark.req("INV1")
def test_what_was_read_ahead_never_writes_over_what_came_after(world: Any) -> None:
    """A step taken between the reading and the look stands."""
    from switchover.engine.ahead import read_ahead
    from switchover.engine.hold import hold

    fleet(world, NAMES[:1])
    ship(world, "m00", bad=400)
    ahead = read_ahead(world.context, ["m00"])
    hold(world.context, "m00", actor="bo", reason="lunch")
    look(world.context, "m00", actor="monitor", ahead=ahead)
    kinds = [entry.kind for entry in world.ledger.entries("m00")]
    assert kinds.count("held") == 1
    assert kinds.count("rolled_back") == 1
