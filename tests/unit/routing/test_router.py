from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from switchover.errors import InputError
from switchover.routing.bucket import Key
from switchover.routing.router import Router
from switchover.routing.snapshot import Decision

#: Nothing listens there.
NOWHERE = "redis://127.0.0.1:1/0"


@pytest.mark.req("INV7")
@given(key=st.one_of(st.text(), st.integers(), st.binary()))
def test_router_without_a_document_serves_legacy(key: Key) -> None:
    """Before the first document every key has an answer, and it is legacy."""
    assert Router("mood", NOWHERE).route(key) == Decision("legacy", "cold_start", 0, False)


@pytest.mark.req("INV7")
def test_router_knows_that_it_was_not_started() -> None:
    """It claims nothing: default mode, no epoch, no rules, not healthy."""
    router = Router("mood", NOWHERE)
    assert (router.mode, router.epoch, router.agreement) == ("legacy_only", 0, {})
    assert not router.healthy
    assert not router.wait_ready(0)


@pytest.mark.req("INV7")
def test_router_starts_again_after_it_was_closed() -> None:
    """Starting and closing may repeat, in any order."""
    router = Router("mood", NOWHERE)
    router.close()
    for _ in range(2):
        router.start()
        router.start()
        router.close()
    assert router.route("a").system == "legacy"


@pytest.mark.req("INV7")
@pytest.mark.parametrize("max_staleness", [0.0, -1.0])
def test_router_that_would_always_be_stale_is_refused(max_staleness: float) -> None:
    """A staleness limit of nothing is bad input."""
    with pytest.raises(InputError, match="max_staleness"):
        Router("mood", NOWHERE, max_staleness=max_staleness)


@pytest.mark.req("T1")
def test_router_without_an_address_says_how_to_give_one(monkeypatch: pytest.MonkeyPatch) -> None:
    """The fault shows when the application starts, not at the first rollback."""
    monkeypatch.delenv("SWITCHOVER_REDIS_URL", raising=False)
    with pytest.raises(InputError, match="SWITCHOVER_REDIS_URL"):
        Router("mood")
