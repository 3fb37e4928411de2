"""Stops and scheduled runs at once, by real threads on real databases."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from switchover.clock import ManualClock
from switchover.engine.advance import Outcome, take_step
from switchover.engine.context import Context
from switchover.engine.freeze import freeze, unfreeze
from switchover.engine.start import start
from switchover.engine.work import record_work
from switchover.ledger import SqlLedger, upgrade, verify
from switchover.plan.load import LoadedPlan, digest, restore_plan
from switchover.plan.runs import SCHEDULE
from switchover.ports import ALL, CheckResult
from switchover.testing.routing import InMemoryBlockStream, InMemoryRoutingStore

pytestmark = pytest.mark.req("P7", "INV5", "INV1")

NINE = datetime(2026, 3, 3, 9, 0, 7, tzinfo=UTC)
FINE = [CheckResult("up", True, "fine", 0.1)]


class Unused:
    """Stands where a port must not be called."""

    def __getattr__(self, name: str) -> Any:
        raise AssertionError(f"{name} must not be called here")


class Place:
    """A ledger in SQL, and routing in memory that all threads share."""

    def __init__(self, url: str) -> None:
        self.url = url
        self.clock = ManualClock(NINE - timedelta(days=1))
        self.routing = InMemoryRoutingStore()
        self.context = self.connect()

    def connect(self) -> Context:
        """A context with connections of its own, as another process has."""
        return Context(
            SqlLedger(self.url), self.routing, InMemoryBlockStream(), self.clock,
            Unused(), Unused(), Unused(),
        )  # fmt: skip

    def start(self, slug: str, stages: list[dict[str, Any]] | None = None) -> None:
        document = {
            "switchover": 1, "migration": slug, "title": slug,
            "systems": {
                "legacy": {"version": "1", "url": "http://127.0.0.1:1"},
                "candidate": {"version": "2", "url": "http://127.0.0.1:2"},
            },
            "request_key": {"field": "id"},
            "checks": [{"name": "up", "kind": "health"}],
            "stages": stages or [{"kind": "checks"}, {"kind": "canary", "percent": 10}],
            "gates": [{"metric": "success_rate", "at_least": "90%"}],
            "schedule": {"cron": "0 9 * * *"},
        }  # fmt: skip
        plan = LoadedPlan(restore_plan(document), Path("/"), (), "", digest(document), document)
        start(self.context, plan, actor="carl")

    def entered(self, slug: str) -> list[int]:
        """The revisions at which a stage was entered."""
        entries = self.context.ledger.entries(slug)
        return [entry.revision for entry in entries if entry.kind == "stage_entered"]

    def noted(self, slug: str, topic: str) -> list[int]:
        """The revisions of notes."""
        return [
            entry.revision
            for entry in self.context.ledger.entries(slug)
            if entry.kind == "noted" and entry.payload["topic"] == topic
        ]


@pytest.fixture(params=["sqlite_url", "postgres_database"])
def place(request: pytest.FixtureRequest) -> Iterator[Place]:
    url = request.getfixturevalue(request.param)
    upgrade(url)
    made = Place(url)
    yield made
    made.context.ledger.close()


def at_once(works: list[Callable[[], Any]]) -> list[Any]:
    """Do all at the same moment, each in a thread."""
    barrier = threading.Barrier(len(works))

    def run(work: Callable[[], Any]) -> Any:
        barrier.wait(10)
        return work()

    with ThreadPoolExecutor(len(works)) as pool:
        return list(pool.map(run, works))


def scheduled_run(place: Place, slug: str) -> Callable[[], Outcome]:
    """What a run of the schedule does in a checks stage: the work, then the step."""
    context = place.connect()

    def run() -> Outcome:
        try:
            if context.open(slug).stage.kind == "checks":
                record_work(context, slug, "checks", FINE, actor=SCHEDULE)
            return take_step(context, slug, actor=SCHEDULE)
        finally:
            context.ledger.close()

    return run


#: Two stages of work in a row, and nothing that bakes: a second step would be free to take.
WORK = [{"kind": "checks"}, {"kind": "checks"}, {"kind": "canary", "percent": 10, "bake": "0s"}]


@pytest.mark.parametrize("runs", [2, 5])
def test_runs_of_one_occurrence_at_once_take_one_step(place: Place, runs: int) -> None:
    """Threads with connections of their own, through a stage of work; then the next day."""
    place.start("shop", WORK)
    for day in range(2):
        place.clock.advance(NINE + timedelta(days=day) - place.clock.now())
        record_work(place.context, "shop", "checks", FINE, actor="t")
        before = len(place.entered("shop"))
        outcomes = at_once([scheduled_run(place, "shop") for _ in range(runs)])
        assert len(place.entered("shop")) == before + 1
        assert sum(outcome.did for outcome in outcomes) == 1
    assert verify(place.context.ledger) == []


def test_missed_runs_one_after_the_other_take_one_step(place: Place) -> None:
    """Five that Prefect executes on recovery, each a process of its own."""
    place.start("shop", WORK)
    place.clock.advance(timedelta(days=5))
    outcomes = [scheduled_run(place, "shop")() for _ in range(5)]
    assert [outcome.did for outcome in outcomes] == [True, False, False, False, False]
    assert len(place.entered("shop")) == 1
    assert all("has taken its step" in outcome.sentence for outcome in outcomes[1:])


def test_after_a_stop_returned_no_step_is_written(place: Place) -> None:
    """Steps and a stop at the same moment, on three migrations: whatever was taken comes before
    the stop's note, and the routing epoch stays where it was."""
    names = ["a", "b", "c"]
    for name in names:
        place.start(name)
        record_work(place.context, name, "checks", FINE, actor="t")

    def stepping(name: str) -> Callable[[], None]:
        context = place.connect()

        def run() -> None:
            for _ in range(5):
                take_step(context, name, actor="carl")
            context.ledger.close()

        return run

    def stopping() -> None:
        context = place.connect()
        freeze(context, ALL, actor="ann", reason="market opens")
        context.ledger.close()

    at_once([stopping, *(stepping(name) for name in names for _ in range(2))])
    for name in names:
        (note,) = place.noted(name, "frozen")
        assert all(revision < note for revision in place.entered(name))
        assert not take_step(place.context, name, actor="carl").did
    assert verify(place.context.ledger) == []


def test_a_stop_survives_a_restart(place: Place) -> None:
    """It is in the database, not in a process."""
    place.start("shop")
    record_work(place.context, "shop", "checks", FINE, actor="t")
    freeze(place.context, ALL, actor="ann", reason="market opens")
    place.context.ledger.close()
    again = place.connect()
    assert not take_step(again, "shop", actor="carl").did
    assert unfreeze(again, ALL, actor="bo") is not None
    assert take_step(again, "shop", actor="carl").did
    again.ledger.close()
    assert len(place.noted("shop", "unfrozen")) == 1


def test_freezing_and_lifting_at_once_leaves_one_answer(place: Place) -> None:
    """Whoever is last, the table has at most one stop that holds."""
    place.start("shop")

    def freezing(reason: str) -> Callable[[], Any]:
        context = place.connect()
        return lambda: freeze(context, ALL, actor="ann", reason=reason)

    def lifting() -> Any:
        return unfreeze(place.connect(), ALL, actor="bo")

    for _ in range(3):
        at_once([freezing("x"), freezing("y"), lifting, lifting])
        assert len(place.context.ledger.freezes()) <= 1
    unfreeze(place.context, ALL, actor="bo")
    assert place.context.ledger.freezes() == []
    assert verify(place.context.ledger) == []
