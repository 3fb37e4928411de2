"""Past the point of no return a failing candidate starts no rollback, and goes on to serve."""

from __future__ import annotations

import pytest

from switchover.errors import PointOfNoReturn
from switchover.machine.snapshot import Snapshot
from switchover.routing.breaker import Breaker
from switchover.routing.candidate_failure import CandidateFailure
from switchover.routing.fallback import Fallback, halt_in
from switchover.routing.snapshot import Decision
from switchover.testing.routing import InMemoryRoutingStore


class Routes:
    """The candidate serves alone since ``turned``."""

    migration = "agents"
    turned = 7

    def route(self, key: object) -> Decision:
        return Decision("candidate", "mode:candidate_only", self.turned, False)


def fail(kept: Fallback, routes: Routes, times: int) -> int:
    """Requests that all fail, one after the other; how many of them the candidate got."""
    calls = 0
    for n in range(times):
        if ticket := kept.admit():
            calls += 1
            kept.failed(ticket, routes.route("k"), f"i{n}", RuntimeError("x"))
            kept.close()
    return calls


@pytest.mark.req("T4", "INV5")
def test_no_rollback_starts_and_every_request_is_tried_on_the_candidate() -> None:
    """The store refuses once; nobody asks again, and no incident keeps the candidate from work."""
    routes, store = Routes(), InMemoryRoutingStore()
    store.write(Snapshot("agents", 7, "candidate_only", 10_000, no_return=True))
    asked: list[CandidateFailure] = []

    def report(failure: CandidateFailure) -> None:
        asked.append(failure)
        halt_in(store)(failure)

    kept = Fallback(routes, report, breaker=Breaker(consecutive=100, minimum=100))
    assert fail(kept, routes, 5) == 5
    assert len(asked) == 1
    assert kept.incident == ""
    assert store.halted("agents") is None


@pytest.mark.req("T4")
def test_after_the_next_turn_a_failure_may_start_a_rollback_again() -> None:
    """The refusal was about the document of then."""
    routes, asked = Routes(), []

    def report(failure: CandidateFailure) -> None:
        asked.append(failure.epoch)
        if failure.epoch == 7:
            raise PointOfNoReturn("agents")

    kept = Fallback(routes, report, breaker=Breaker(consecutive=100, minimum=100))
    fail(kept, routes, 2)
    routes.turned = 9
    assert fail(kept, routes, 2) == 1
    assert asked == [7, 9]
