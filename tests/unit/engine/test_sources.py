"""Metrics of other sources: each event once, whatever crashes; what can't be read holds."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from switchover.engine.collect import at_stage, collect
from switchover.engine.monitor import look
from switchover.engine.roll_back import roll_back
from switchover.engine.sources import read_sources, standing
from switchover.engine.status import status, why
from switchover.engine.validate import validate
from switchover.judge.block import Block
from switchover.observe.sources.http import HttpJson
from switchover.plan.spec import Plan
from switchover.ports import Ingested, MetricSource
from switchover.testing.probes import ScriptedProbes

SOURCE = {
    "name": "vendor", "kind": "http", "url": "http://vendor.test/metrics.json", "every": "1s",
    "unreadable_after": "5m",
    "metrics": [{"metric": "success_rate", "legacy": {"total": "v1.n", "bad": "v1.bad"},
                 "candidate": {"total": "v2.n", "bad": "v2.bad"}}],
}  # fmt: skip
GATES = [{"metric": "success_rate", "at_least": "90%"}]


@dataclass
class Vendor:
    """A service that counts both systems; ``down`` is what it answers when it fails."""

    counts: dict[str, dict[str, int]] = field(
        default_factory=lambda: {"v1": {"n": 1000, "bad": 7}, "v2": {"n": 500, "bad": 100}}
    )
    down: int = 0

    def __call__(self, _: httpx.Request) -> httpx.Response:
        return httpx.Response(self.down) if self.down else httpx.Response(200, json=self.counts)

    def serve(self, n: int, bad: int = 0) -> None:
        for side, failed in (("v1", 0), ("v2", bad)):
            self.counts[side]["n"] += n
            self.counts[side]["bad"] += failed

    def restart(self) -> None:
        for side in self.counts.values():
            side.update(n=0, bad=0)

    def sources(self, plan: Plan) -> Sequence[MetricSource]:
        transport = httpx.MockTransport(self)
        return [HttpJson(plan.migration, spec, {}, transport) for spec in plan.sources]


@pytest.fixture
def vendor(world: Any) -> Vendor:
    """The world's context reads it."""
    service = Vendor()
    world.context = replace(world.context, sources=service.sources)
    return service


def begin(world: Any, **changes: Any) -> None:
    world.start(gates=GATES, sources=[{**SOURCE, **changes}], notify={"slack_channel": "#demo"})
    collect(world.context, "demo")


def tick(world: Any, minutes: float = 1.0) -> Any:
    """Let time pass and take a look."""
    world.clock.advance(timedelta(minutes=minutes))
    return look(world.context, "demo", actor="monitor")


def to_shadow(world: Any) -> None:
    world.work()
    assert world.step().action == "enter"


def sums(world: Any, system: str = "candidate") -> tuple[int, int]:
    """All that the ledger has of a system."""
    rates = [r for r in world.ledger.rates("demo", "success_rate") if r["system"] == system]
    return sum(row["n"] for row in rates), sum(row["bad"] for row in rates)


def notes(world: Any) -> list[str]:
    return [
        entry.payload["text"]
        for entry in world.ledger.entries("demo")
        if entry.kind == "noted" and entry.payload["topic"] == "silence"
    ]


@pytest.mark.req("O6")
def test_a_migration_goes_forward_on_the_numbers_of_a_source(world: Any, vendor: Vendor) -> None:
    """What was counted before the migration is no evidence; what comes in a stage promotes it."""
    begin(world)
    to_shadow(world)
    for _ in range(62):
        vendor.serve(100, bad=1)
        tick(world)
    assert sums(world) == (6200, 62)
    assert world.step().action == "enter"
    assert world.case.state.split == 1000


@pytest.mark.req("O6")
def test_a_bad_candidate_is_rolled_back_on_the_numbers_of_a_source(
    world: Any, vendor: Vendor
) -> None:
    """Evidence is evidence, wherever it was counted."""
    begin(world)
    to_shadow(world)
    for _ in range(10):
        vendor.serve(100, bad=40)
        tick(world)
    assert world.case.state.phase == "rolled_back"


@pytest.mark.req("INV6")
def test_an_unreadable_source_holds_at_once_and_says_which_and_why(
    world: Any, vendor: Vendor
) -> None:
    """The evidence would promote; with its source away nobody knows whether it still does."""
    begin(world)
    to_shadow(world)
    for _ in range(62):
        vendor.serve(100)
        tick(world)
    vendor.down = 503
    tick(world)
    assert world.step().did is False
    said = why(world.context, "demo")
    assert said["waiting_for"] == "unreadable"
    assert "source vendor can't be read: success_rate/legacy: HTTP 503" in said["sentence"]
    assert notes(world) == []
    assert status(world.context, "demo")["sources"][0]["error"].startswith("HTTP 503")
    vendor.down = 0
    vendor.serve(100)
    tick(world)
    assert sums(world) == (6300, 0)
    assert world.step().action == "enter"


@pytest.mark.req("INV6")
def test_past_its_limit_an_unreadable_source_is_told_once_and_rolls_nothing_back(
    world: Any, vendor: Vendor
) -> None:
    """Not even where missing evidence does: an error of a source has its own limit."""
    world.start(
        gates=GATES, sources=[SOURCE], judgement={"no_data": "rollback", "no_data_after": "2m"}
    )
    collect(world.context, "demo")
    to_shadow(world)
    vendor.serve(100)
    tick(world)
    vendor.down = 500
    for _ in range(20):
        tick(world)
    assert world.case.state.phase == "running"
    assert len(notes(world)) == 1
    assert "source vendor can't be read, for 5 min now" in notes(world)[0]
    vendor.down = 0
    for _ in range(3):
        vendor.serve(100)
        tick(world)
    vendor.down = 401
    for _ in range(10):
        tick(world)
    assert len(notes(world)) == 2
    assert "does not let us in" in notes(world)[1]


@pytest.mark.req("INV6")
def test_a_source_that_answers_and_counts_nothing_is_silent(world: Any, vendor: Vendor) -> None:
    """Nothing is wrong with it, and nothing comes: people look at the right end."""
    begin(world)
    to_shadow(world)
    for _ in range(13):
        tick(world)
    assert len(notes(world)) == 1
    assert "source vendor answers, and counts nothing new" in notes(world)[0]
    assert world.step().did is False


@pytest.mark.req("INV6")
def test_an_unreadable_source_rolls_back_only_if_the_plan_says_so(
    world: Any, vendor: Vendor
) -> None:
    """And not before its limit; the reason names source and error."""
    begin(world, unreadable="rollback")
    to_shadow(world)
    vendor.serve(100)
    tick(world)
    vendor.down = 503
    for _ in range(5):
        tick(world)
        assert world.case.state.phase == "running"
    tick(world)
    assert world.case.state.phase == "rolled_back"
    assert "source vendor can't be read" in world.case.state.reason


@pytest.mark.req("INV6")
def test_what_failed_before_the_stage_counts_from_its_beginning(world: Any, vendor: Vendor) -> None:
    """During the checks nobody needs the source; the shadow stage gives it the whole time."""
    vendor.down = 503
    begin(world, unreadable="rollback")
    world.wait(5)
    tick(world)
    assert notes(world) == []
    to_shadow(world)
    tick(world)
    assert world.case.state.phase == "running"
    assert "vendor" in why(world.context, "demo")["sentence"]


@pytest.mark.req("INV6")
def test_a_source_that_only_a_report_reads_holds_nothing(world: Any, vendor: Vendor) -> None:
    """A gate that decides nothing does not stop anybody."""
    gates = [{**GATES[0], "report_only": True}, {"metric": "error_rate", "at_most": "5%"}]
    world.start(gates=gates, sources=[SOURCE])
    vendor.down = 503
    to_shadow(world)
    tick(world, 6)
    assert "vendor" not in why(world.context, "demo")["sentence"]
    assert notes(world) == []


@pytest.mark.req("O6")
def test_a_new_attempt_begins_with_new_marks(world: Any, vendor: Vendor) -> None:
    """What was counted between two attempts belongs to neither."""
    begin(world)
    to_shadow(world)
    vendor.serve(100)
    tick(world)
    before = at_stage(world.case, world.ledger.evidence("demo"))
    later = {**before, "since": world.context.timestamp + 1}
    vendor.serve(1000)
    world.wait(1)
    assert read_sources(world.case, later).blocks == []
    assert len(read_sources(world.case, before).blocks) == 2


@pytest.mark.req("O6")
def test_nothing_is_read_for_a_migration_that_has_ended(world: Any, vendor: Vendor) -> None:
    """Nor is anything when the plan names no source."""
    begin(world)
    to_shadow(world)
    for _ in range(10):
        vendor.serve(100, bad=60)
        tick(world)
    assert world.case.state.phase == "rolled_back"
    read = standing(world.ledger.evidence("demo"))
    world.wait(1)
    collect(world.context, "demo")
    assert standing(world.ledger.evidence("demo")) == read


@pytest.mark.req("O6")
def test_a_person_who_looks_reads_no_source(world: Any, vendor: Vendor) -> None:
    """Their machine may have no way there, which says nothing about the source."""
    begin(world)
    to_shadow(world)
    vendor.down = 503
    world.wait(1)
    collect(world.context, "demo", elsewhere=False)
    assert not any(feed["error"] for feed in standing(world.ledger.evidence("demo")))
    assert "can't be read" not in why(world.context, "demo")["sentence"]


class Crash(Exception):
    """The process ends here."""


def crashing(world: Any, when: str) -> None:
    """Collect, and end before or after the transaction."""
    real = world.ledger.ingest

    def ingest(*arguments: Any, **options: Any) -> Ingested:
        if when == "after":
            real(*arguments, **options)
        raise Crash

    world.ledger.ingest = ingest
    try:
        collect(world.context, "demo")
    except Crash:
        world.clock.advance(timedelta(seconds=1))
    finally:
        world.ledger.ingest = real


def late(world: Any, vendor: Vendor, n: int) -> None:
    """Two collectors read from the same mark; the slower one looked later, and writes last."""
    document = at_stage(world.case, world.ledger.evidence("demo"))
    first = read_sources(world.case, document)
    vendor.serve(n)
    world.clock.advance(timedelta(seconds=3))
    second = read_sources(world.case, document)
    for readings in (first, second, first):

        def keep(
            stored: dict[str, Any] | None, new: Sequence[Block], these: Any = readings
        ) -> dict[str, Any]:
            noted: dict[str, Any] = these.noted(stored or document, new)
            return noted

        world.ledger.ingest("demo", readings.blocks, "", keep, always=True)


MOVES = st.lists(
    st.one_of(
        st.tuples(st.just("serve"), st.integers(0, 40), st.integers(0, 40)),
        st.tuples(st.sampled_from(["wait", "collect", "crash before", "crash after", "down"]),
                  st.just(0), st.just(0)),
        st.tuples(st.sampled_from(["late", "restart"]), st.integers(0, 40), st.just(0)),
    ),
    max_size=40,
)  # fmt: skip


@pytest.mark.req("O6")
@pytest.mark.req("INV4")
@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(moves=MOVES)
def test_whatever_crashes_or_comes_twice_the_sums_are_the_true_counts(
    tmp_path_factory: pytest.TempPathFactory, moves: list[tuple[str, int, int]]
) -> None:
    """Collectors crash before and after they wrote, overlap, come late, meet an outage and a
    restart that was looked at on both sides: no event is lost and none counts twice."""
    world = _world(tmp_path_factory.getbasetemp())
    vendor = Vendor()
    world.context = replace(world.context, sources=vendor.sources)
    begin(world)
    to_shadow(world)
    true_n = true_bad = 0

    def settled() -> None:
        world.clock.advance(timedelta(seconds=2))
        vendor.down = 0
        collect(world.context, "demo")

    for move, n, bad in moves:
        if move == "serve":
            vendor.serve(n, min(n, bad))
            true_n, true_bad = true_n + n, true_bad + min(n, bad)
        elif move == "wait":
            world.clock.advance(timedelta(seconds=2))
        elif move == "collect":
            collect(world.context, "demo")
        elif move == "down":
            vendor.down = 503 - vendor.down
        elif move == "late":
            late(world, vendor, n)
            true_n += n
        elif move == "restart":
            settled()
            vendor.restart()
            settled()
        else:
            crashing(world, move.split()[1])
        seen, failed = sums(world)
        assert 0 <= seen <= true_n
        assert 0 <= failed <= true_bad
    settled()
    assert sums(world) == (true_n, true_bad)
    assert sums(world, "legacy")[0] == true_n


def _world(directory: Path) -> Any:
    from tests.unit.engine.conftest import World

    return World(directory)


@pytest.mark.req("R4", "O6")
def test_sources_are_read_while_a_rollback_is_validated_and_no_longer(
    world: Any, vendor: Vendor
) -> None:
    """Its probes ask how legacy does since; afterwards nobody asks."""
    world.context = replace(world.context, probes=ScriptedProbes())
    begin(world)
    to_shadow(world)
    roll_back(world.context, "demo", actor="bo", trigger="person", reason="smoke")
    vendor.serve(50)
    world.clock.advance(timedelta(minutes=1))
    assert [wave.ok for wave in validate(world.context, "demo", actor="t").waves] == [True]
    assert sums(world, "legacy")[0] == 50
    vendor.serve(50)
    world.clock.advance(timedelta(minutes=1))
    collect(world.context, "demo")
    assert sums(world, "legacy")[0] == 50
