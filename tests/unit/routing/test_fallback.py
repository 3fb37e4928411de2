from __future__ import annotations

import pytest

from switchover.errors import DependencyUnavailable, InputError
from switchover.machine.snapshot import Snapshot
from switchover.routing import fallback
from switchover.routing.fallback import CandidateFailure, Fallback, halt_in
from switchover.testing.routing import InMemoryRoutingStore

BROKEN = RuntimeError("a secret")


def fail(kept: Fallback, epoch: int, times: int = 1) -> None:
    for n in range(times):
        kept.failed(f"i{n}", epoch, BROKEN)
    kept.close()


@pytest.mark.req("T4")
def test_one_incident_is_reported_once() -> None:
    """However many requests fail under one epoch; the candidate is not called under it again."""
    reports: list[CandidateFailure] = []
    kept = Fallback("agents", reports.append)
    assert not kept.forbids(7)
    fail(kept, 7, 5)
    assert [(r.incident, r.item, r.epoch) for r in reports] == [("agents-candidate-7", "i0", 7)]
    assert kept.forbids(7)
    assert "a secret" not in reports[0].reason


@pytest.mark.req("T4")
def test_next_epoch_is_judged_anew() -> None:
    """After the rollback a new attempt may fail, and is reported; stragglers are not."""
    reports: list[CandidateFailure] = []
    kept = Fallback("agents", reports.append)
    fail(kept, 7)
    assert not kept.forbids(9)
    fail(kept, 9)
    fail(kept, 7)
    assert [report.epoch for report in reports] == [7, 9]


@pytest.mark.req("T4")
def test_single_failures_may_be_tolerated() -> None:
    """With a higher limit only failures in a row, under one epoch, are an incident."""
    reports: list[CandidateFailure] = []
    kept = Fallback("agents", reports.append, after=3)
    fail(kept, 7, 2)
    kept.succeeded(7)
    fail(kept, 7, 2)
    fail(kept, 8, 2)
    assert (reports, kept.forbids(8)) == ([], False)
    fail(kept, 8)
    assert len(reports) == 1


@pytest.mark.req("T4")
def test_start_of_the_rollback_is_tried_again_and_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    """Three attempts; where all fail the next failing request begins anew."""
    monkeypatch.setattr(fallback, "PAUSE", 0.0)
    attempts: list[int] = []

    def refuse(failure: CandidateFailure) -> None:
        attempts.append(failure.epoch)
        raise DependencyUnavailable("Redis", "gone")

    kept = Fallback("agents", refuse)
    fail(kept, 7)
    assert (attempts, kept.forbids(7)) == ([7, 7, 7], False)
    fail(kept, 7)
    assert len(attempts) == 6


@pytest.mark.req("T4")
def test_coroutine_may_start_the_rollback(monkeypatch: pytest.MonkeyPatch) -> None:
    """It is awaited, and what it raises counts as not started."""
    monkeypatch.setattr(fallback, "PAUSE", 0.0)
    reports: list[CandidateFailure] = []

    async def report(failure: CandidateFailure) -> None:
        reports.append(failure)
        if len(reports) == 1:
            raise ConnectionError

    kept = Fallback("agents", report)
    fail(kept, 7)
    assert (len(reports), kept.forbids(7)) == (2, True)


@pytest.mark.req("T4")
def test_processes_that_see_one_incident_start_one_rollback() -> None:
    """The incident's name is the halt's id, so that the second halt is the first."""
    store = InMemoryRoutingStore()
    store.write(Snapshot("agents", 7, "candidate_only"))
    for _ in range(2):
        fail(Fallback("agents", halt_in(store, "hooks")), 7)
    halt = store.halted("agents")
    assert halt is not None
    assert (halt.id, halt.actor, halt.trigger, halt.epoch) == (
        "agents-candidate-7", "hooks", "candidate_failure", 8,
    )  # fmt: skip


@pytest.mark.req("T4")
def test_without_a_rollback_to_start_there_is_no_incident() -> None:
    """Otherwise one failure would keep the candidate out with nobody knowing."""
    kept = Fallback("agents", None)
    fail(kept, 7)
    assert not kept.forbids(7)
    with pytest.raises(InputError, match="1 or more"):
        Fallback("agents", None, after=0)
