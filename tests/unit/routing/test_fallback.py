from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable

import pytest

from switchover.errors import DependencyUnavailable, InputError, UpstreamFailed
from switchover.machine.snapshot import Snapshot
from switchover.routing import fallback
from switchover.routing.breaker import Breaker
from switchover.routing.bucket import Key
from switchover.routing.candidate_failure import CandidateFailure
from switchover.routing.fallback import Fallback, halt_in
from switchover.routing.snapshot import Decision
from switchover.testing.routing import InMemoryRoutingStore

BROKEN = RuntimeError("a secret")


class Routes:
    """The candidate serves alone since the epoch ``turned``; other changes raise ``epoch``."""

    migration = "agents"

    def __init__(self, turned: int = 7) -> None:
        self.turned = self.epoch = turned
        self.reason = "mode:candidate_only"

    def turn(self, epoch: int) -> None:
        self.turned = self.epoch = epoch

    def route(self, key: Key) -> Decision:
        return Decision("candidate", self.reason, self.epoch, False)


@pytest.fixture
def routes() -> Routes:
    return Routes()


def fail(kept: Fallback, routes: Routes, times: int = 1) -> int:
    """Requests of which every one fails where the candidate is called; how often it was."""
    calls = 0
    for n in range(times):
        decision = routes.route("k")
        if ticket := kept.admit():
            calls += 1
            kept.failed(ticket, decision, f"i{n}", BROKEN)
    kept.close()
    return calls


@pytest.mark.req("T4")
def test_one_incident_is_reported_once_and_the_candidate_left_alone(routes: Routes) -> None:
    """However many requests come; what is told of the error holds nothing of its text."""
    reports: list[CandidateFailure] = []
    kept = Fallback(routes, reports.append)
    assert fail(kept, routes, 5) == 1
    assert [(r.incident, r.item, r.epoch) for r in reports] == [("agents-candidate-7", "i0", 7)]
    assert kept.incident == "agents-candidate-7"
    assert "a secret" not in reports[0].reason
    assert kept.counters == {"failures": 1, "incidents": 1, "blocked": 4}


@pytest.mark.req("T4")
def test_change_of_who_serves_begins_anew(routes: Routes) -> None:
    """After the rollback a new attempt may fail, and is reported; stragglers are not."""
    reports: list[CandidateFailure] = []
    kept = Fallback(routes, reports.append)
    straggler, before = kept.admit(), routes.route("k")
    fail(kept, routes)
    routes.turn(9)
    kept.failed(straggler, before, "late", BROKEN)
    assert len(reports) == 1
    assert fail(kept, routes, 2) == 1
    assert [report.incident for report in reports] == ["agents-candidate-7", "agents-candidate-9"]


@pytest.mark.req("T4")
def test_change_that_leaves_who_serves_is_no_new_incident(routes: Routes) -> None:
    """A flag switched meanwhile raises the epoch; the incident and its name stay."""
    reports: list[CandidateFailure] = []
    kept = Fallback(routes, reports.append, after=2)
    fail(kept, routes)
    routes.epoch = 8
    fail(kept, routes)
    routes.epoch = 9
    assert fail(kept, routes) == 0
    assert [(r.incident, r.epoch) for r in reports] == [("agents-candidate-7", 8)]


@pytest.mark.req("T4")
def test_single_failures_may_be_tolerated(routes: Routes) -> None:
    """With a higher limit only failures in a row, since the candidate serves, are an incident."""
    reports: list[CandidateFailure] = []
    kept = Fallback(routes, reports.append, after=3)
    fail(kept, routes, 2)
    kept.succeeded(kept.admit())
    fail(kept, routes, 2)
    routes.turn(8)
    fail(kept, routes, 2)
    assert (reports, kept.incident) == ([], "")
    fail(kept, routes)
    assert len(reports) == 1


@pytest.mark.req("T4")
def test_open_breaker_is_an_incident_where_the_candidate_serves_alone(routes: Routes) -> None:
    """Every second call fails, so never three in a row: legacy must not take over unsaid."""
    reports: list[CandidateFailure] = []
    kept = Fallback(routes, reports.append, after=3, breaker=Breaker(minimum=4))
    for _ in range(2):
        kept.succeeded(kept.admit())
        fail(kept, routes)
    assert (len(reports), kept.admit()) == (1, 0)


@pytest.mark.req("T4")
def test_while_the_split_decides_the_breaker_acts_alone(routes: Routes) -> None:
    """There the gates judge; the candidate is left alone, tried again, and nothing is started."""
    reports: list[CandidateFailure] = []
    routes.reason = "split:in"
    kept = Fallback(routes, reports.append, breaker=Breaker(consecutive=2, cool_down=1_000))
    assert fail(kept, routes, 5) == 2
    assert (reports, kept.incident, kept.breaker.state) == ([], "", "open")
    routes.turn(8)
    assert kept.admit(), "the next stage begins anew"


@pytest.mark.req("T4")
def test_start_of_the_rollback_is_tried_again_and_bounded(
    routes: Routes, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Three attempts; where all fail the next failing request begins anew."""
    monkeypatch.setattr(fallback, "PAUSE", 0.0)
    attempts: list[int] = []

    def refuse(failure: CandidateFailure) -> None:
        attempts.append(failure.epoch)
        raise DependencyUnavailable("Redis", "gone")

    kept, before = Fallback(routes, refuse), Decision("candidate", routes.reason, 6, False)
    straggler = kept.admit()
    fail(kept, routes)
    assert (attempts, kept.incident) == ([7, 7, 7], "")
    kept.failed(straggler, before, "late", BROKEN)
    assert kept.incident == "", "a failure from before the last turn is no new one"
    fail(kept, routes)
    assert len(attempts) == 6


@pytest.mark.req("T4")
def test_start_of_the_rollback_is_given_up_once_somebody_else_turned_the_traffic(
    routes: Routes, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A halt that comes late would stop what a person has just decided."""
    monkeypatch.setattr(fallback, "PAUSE", 0.0)
    attempts: list[int] = []

    def overtaken(failure: CandidateFailure) -> None:
        attempts.append(failure.epoch)
        routes.turn(8)
        raise DependencyUnavailable("Redis", "gone")

    fail(Fallback(routes, overtaken), routes)
    assert attempts == [7]


@pytest.mark.req("T4")
def test_coroutine_may_start_the_rollback(routes: Routes, monkeypatch: pytest.MonkeyPatch) -> None:
    """It is awaited, and what it raises counts as not started."""
    monkeypatch.setattr(fallback, "PAUSE", 0.0)
    reports: list[CandidateFailure] = []

    async def report(failure: CandidateFailure) -> None:
        reports.append(failure)
        if len(reports) == 1:
            raise ConnectionError

    kept = Fallback(routes, report)
    fail(kept, routes)
    assert (len(reports), kept.incident) == (2, "agents-candidate-7")


@pytest.mark.req("T4")
@pytest.mark.parametrize("kind", ["coroutine", "plain"])
def test_event_loop_goes_on_while_the_rollback_is_started(routes: Routes, kind: str) -> None:
    """A coroutine runs on the loop of the request, where its clients belong; what blocks
    runs in a thread. Either way the request does not wait."""
    gate, where = threading.Event(), list[threading.Thread]()

    def plain(failure: CandidateFailure) -> None:
        assert gate.wait(10)
        where.append(threading.current_thread())

    async def coroutine(failure: CandidateFailure) -> None:
        while not gate.is_set():
            await asyncio.sleep(0)
        where.append(threading.current_thread())

    chosen: Callable[[CandidateFailure], object] = {"plain": plain, "coroutine": coroutine}[kind]

    async def request() -> None:
        kept = Fallback(routes, chosen)
        kept.failed(kept.admit(), routes.route("k"), "i", BROKEN)
        await asyncio.sleep(0)
        gate.set()
        await asyncio.to_thread(kept.close)

    asyncio.run(request())
    assert (where[0] is threading.current_thread()) == (kind == "coroutine")


@pytest.mark.req("T4")
def test_processes_that_see_one_incident_start_one_rollback() -> None:
    """The incident's name is the halt's id, so that the second halt is the first."""
    store = InMemoryRoutingStore()
    store.write(Snapshot("agents", 7, "candidate_only"))
    for epoch in (7, 8):  # the second process knows of a newer flag already
        routes = Routes(7)
        routes.epoch = epoch
        fail(Fallback(routes, halt_in(store, "hooks")), routes)
    halt = store.halted("agents")
    assert halt is not None
    assert (halt.id, halt.actor, halt.trigger, halt.epoch) == (
        "agents-candidate-7", "hooks", "candidate_failure", 8,
    )  # fmt: skip


@pytest.mark.req("T4")
def test_reason_of_a_failing_system_says_what_it_answered() -> None:
    """That text is Switchover's own, so it may stand in the ledger."""
    bad = UpstreamFailed("candidate", "it answered 503")
    failure = CandidateFailure("m", "m-candidate-1", "a GET request", 1, bad, 0.0)
    assert failure.reason == (
        "the candidate failed on a GET request in candidate_only: it answered 503"
    )


@pytest.mark.req("T4")
def test_without_a_rollback_to_start_there_is_no_incident(routes: Routes) -> None:
    """Otherwise one failure would keep the candidate out with nobody knowing."""
    kept = Fallback(routes)
    fail(kept, routes)
    assert kept.incident == ""
    assert kept.admit()
    with pytest.raises(InputError, match="1 or more"):
        Fallback(routes, after=0)
