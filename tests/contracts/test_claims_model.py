"""Claims against a model of a few lines: any order of steps by any owners, fake and real."""

from __future__ import annotations

from typing import ClassVar
from uuid import uuid4

import pytest
import redis
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    Bundle,
    RuleBasedStateMachine,
    invariant,
    multiple,
    rule,
    run_state_machine_as_test,
)

from switchover.errors import StaleClaim
from switchover.routing.claim_state import Claim
from switchover.routing.claims import Claims
from switchover.testing.claims import InMemoryClaims

ITEMS = st.sampled_from(["i", "j"])
SLOTS = st.sampled_from(["serve", "shadow"])


class ClaimsMachine(RuleBasedStateMachine):
    """The model: of each slot its newest claim, whether it runs, and what it was completed with."""

    url: ClassVar[str] = ""
    made = Bundle("made")

    def __init__(self) -> None:
        super().__init__()
        name = f"model-{uuid4().hex}"
        self.claims = Claims(name, self.url) if self.url else InMemoryClaims(name)
        self.newest: dict[tuple[str, str], Claim] = {}
        self.status: dict[tuple[str, str], str] = {}
        self.results: dict[tuple[str, str], tuple[str, int]] = {}
        self.accepted: dict[str, set[int]] = {}
        self.highest = 0

    @rule(target=made, item=ITEMS, slot=SLOTS, system=st.sampled_from(["legacy", "candidate"]))
    def claim(self, item: str, slot: str, system: str) -> object:
        """It succeeds exactly where nobody holds or completed, with a token above all others."""
        at = (item, slot)
        free = self.status.get(at, "free") in ("free", "lapsed")
        if slot == "shadow" and self.status.get((item, "serve"), "free") != "free":
            serve = self.results.get((item, "serve"), (self.newest[item, "serve"].system, 0))
            free = free and serve[0] != system
        claim = self.claims.claim(item, "o", system, shadow=slot == "shadow")
        assert (claim is not None) == free
        if claim is None:
            return multiple()
        assert claim.token > self.highest
        self.highest, self.newest[at], self.status[at] = claim.token, claim, "held"
        return claim

    def outcome(self, claim: Claim) -> tuple[tuple[str, str], bool, str]:
        at = (claim.item, "shadow" if claim.shadow else "serve")
        return at, self.newest[at] == claim, self.status[at]

    @rule(claim=made, result=st.integers(0, 1), fallback=st.booleans())
    def complete(self, claim: Claim, result: int, fallback: bool) -> None:
        """Only the newest claim does, once; repeating the same is no second time."""
        at, newest, status = self.outcome(claim)
        system = "legacy" if fallback else claim.system
        same = status == "done" and self.results[at] == (system, result)
        if newest and (status in ("held", "lapsed") or same):
            self.claims.complete(claim, result, system=system)
            self.status[at], self.results[at] = "done", (system, result)
            if not claim.shadow:
                self.accepted.setdefault(claim.item, set()).add(claim.token)
        else:
            with pytest.raises(StaleClaim):
                self.claims.complete(claim, result, system=system)

    @rule(claim=made)
    def renew(self, claim: Claim) -> None:
        """Only the newest claim that is not over."""
        at, newest, status = self.outcome(claim)
        if newest and status in ("held", "lapsed"):
            self.claims.renew(claim)
            self.status[at] = "held"
        else:
            with pytest.raises(StaleClaim):
                self.claims.renew(claim)

    @rule(claim=made)
    def release(self, claim: Claim) -> None:
        """Only the newest claim; a completed one stays completed."""
        at, newest, status = self.outcome(claim)
        if not newest:
            with pytest.raises(StaleClaim):
                self.claims.release(claim)
        else:
            assert self.claims.release(claim) == (status != "done")
            self.status[at] = status if status == "done" else "free"

    @rule()
    def lapse(self) -> None:
        """Time passes, until no lease is left."""
        if isinstance(self.claims, InMemoryClaims):
            self.claims.advance(self.claims.lease)
        with redis.Redis.from_url(self.url or "redis://127.0.0.1:1") as client:
            for (item, slot), status in self.status.items():
                if status == "held":
                    self.status[item, slot] = "lapsed"
                    if self.url:
                        key = f"switchover:{{{self.claims.migration}}}:item:{item}"
                        client.hset(key, f"{slot}.until", 1)

    @invariant()
    def served_once(self) -> None:
        """What is stored is what the model says, and no item was ever served by two claims."""
        assert all(len(tokens) == 1 for tokens in self.accepted.values())
        for item in "ij":
            state = self.claims.state(item)
            status = self.status.get((item, "serve"), "free")
            assert state.status == {"done": "served", "held": "held"}.get(status, "free")
            for slot, found in (("serve", state.served), ("shadow", state.shadow)):
                stored = (found.system, found.value) if found else None
                assert stored == self.results.get((item, slot))


@pytest.mark.req("INV9")
@pytest.mark.parametrize("kind", ["memory", "redis"])
def test_claims_keep_to_the_model(request: pytest.FixtureRequest, kind: str) -> None:
    """Random steps of many owners on two items, fake and real."""
    url = request.getfixturevalue("redis_url") if kind == "redis" else ""
    machine = type("Machine", (ClaimsMachine,), {"url": url})
    chosen = settings(
        max_examples=100 if kind == "memory" else 40, stateful_step_count=25, deadline=None
    )
    run_state_machine_as_test(machine, settings=chosen)
