from __future__ import annotations

import threading

import pytest

from switchover.errors import DependencyUnavailable, InputError
from switchover.routing.claim_keeper import ClaimKeeper
from switchover.routing.claim_state import Claim
from switchover.testing.claims import InMemoryClaims


class CountedClaims(InMemoryClaims):
    """Tells when something was renewed; ``down`` plays a Redis that is away."""

    def __init__(self) -> None:
        super().__init__("agents", 0.03, clock=lambda: 1_000.0)
        self.renewed, self.down = threading.Semaphore(0), False
        self.renewals = 0

    def renew(self, claim: Claim) -> float:
        try:
            if self.down:
                raise DependencyUnavailable("Redis", "gone")
            return super().renew(claim)
        finally:
            self.renewals += 1
            self.renewed.release()


def take(claims: InMemoryClaims) -> Claim:
    claim = claims.claim("item", "a", "legacy")
    assert claim is not None
    return claim


@pytest.mark.req("T3")
def test_claim_of_long_work_is_renewed_until_it_ends() -> None:
    """Again and again while the block runs, and not after."""
    claims = CountedClaims()
    claim = take(claims)
    keeper = ClaimKeeper(claims)
    with keeper.keeping(claim):
        for _ in range(3):
            assert claims.renewed.acquire(timeout=10)
        claims.advance(0.02)
        assert claims.renewed.acquire(timeout=10)
        assert claims.renewed.acquire(timeout=10)
        claims.advance(0.02)  # beyond the first lease
        assert claims.state("item").status == "held"
    _wait_for_end()
    count = claims.renewals
    claims.complete(claim, 1)
    assert claims.renewals == count


@pytest.mark.req("T3")
def test_claim_taken_over_is_renewed_no_more() -> None:
    """The keeper learns that it is void and lets go; its owner learns it when it completes."""
    claims = CountedClaims()
    claim = take(claims)
    claims.advance(1)
    assert take(claims).token > claim.token
    with ClaimKeeper(claims).keeping(claim):
        assert claims.renewed.acquire(timeout=10)
        _wait_for_end()
    assert claims.renewals == 1


@pytest.mark.req("T3")
def test_keeper_goes_on_while_redis_is_away() -> None:
    """A renewal that did not get through is tried again."""
    claims = CountedClaims()
    claim = take(claims)
    claims.down = True
    with ClaimKeeper(claims).keeping(claim):
        assert claims.renewed.acquire(timeout=10)
        assert claims.renewed.acquire(timeout=10)
        claims.down = False
        assert claims.renewed.acquire(timeout=10)
        assert claims.renewed.acquire(timeout=10)
        assert claims.state("item").status == "held"


@pytest.mark.req("T3")
def test_work_that_hangs_loses_its_claim_in_the_end() -> None:
    """After the longest time allowed the lease is left to end."""
    claims = CountedClaims()
    claim = take(claims)
    with ClaimKeeper(claims, longest=0.001).keeping(claim):
        _wait_for_end()
    assert claims.renewals == 0
    with pytest.raises(InputError, match="above 0"):
        ClaimKeeper(claims, longest=0)


def _wait_for_end() -> None:
    """The keeper's thread ends once it holds nothing."""
    for thread in threading.enumerate():
        if thread.name == "switchover-claims":
            thread.join(10)
            assert not thread.is_alive()
