from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from switchover.errors import StaleEpoch
from switchover.machine.snapshot import FULL, MODES, Snapshot
from switchover.routing.proxies.fence import Standing, fence

STANDINGS = st.builds(Standing, st.integers(0, 10**9), st.integers(0, FULL))


@pytest.mark.req("T11")
@given(STANDINGS)
def test_standing_is_read_back_from_its_text(standing: Standing) -> None:
    """What a proxy remembers comes back whole."""
    assert Standing.parse(f" {standing}\n") == standing


@pytest.mark.req("T11")
@pytest.mark.parametrize("text", ["", "7", "7 ", "a b", "7 10001", "-1 5", "7 5 3", "<html>"])
def test_anything_else_is_no_standing(text: str) -> None:
    """A page or a note of somebody else is not taken for ours."""
    assert Standing.parse(text) is None


@pytest.mark.req("T1")
@pytest.mark.parametrize("mode", MODES)
def test_proxy_sends_to_the_candidate_only_what_the_mode_lets_it(mode: str) -> None:
    """Exactly the documents that serve the candidate give it a share."""
    for split in (0, 1, 5_000, FULL):
        snapshot = Snapshot("mood", 3, mode, split)
        assert (Standing.of(snapshot).split > 0) is snapshot.serves_candidate


@pytest.mark.req("INV3")
@given(STANDINGS, STANDINGS)
def test_fence_lets_through_newer_and_equal(held: Standing, wanted: Standing) -> None:
    """A newer epoch passes, the very same standing passes, nothing else does."""
    passes = wanted.epoch > held.epoch or wanted == held
    if passes:
        fence("mood", wanted, held, "proxy")
    else:
        with pytest.raises(StaleEpoch, match="proxy splits"):
            fence("mood", wanted, held, "proxy")


@pytest.mark.req("INV3")
def test_empty_proxy_takes_any_document() -> None:
    """Before the first document nothing is too old."""
    assert fence("mood", Standing(0, 0), None, "proxy") is None
