from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from switchover.errors import StaleEpoch
from switchover.machine.snapshot import MODES, Snapshot
from switchover.machine.split import FULL
from switchover.routing.proxies.fence import Standing, fence, lapse

STANDINGS = st.builds(Standing, st.integers(0, 10**9), st.integers(0, FULL), st.just(0))
LAPSED = STANDINGS.filter(lambda standing: standing.split > 0).map(lapse)


@pytest.mark.req("T11")
@given(STANDINGS | LAPSED)
def test_standing_is_read_back_from_its_text(standing: Standing) -> None:
    """What a proxy remembers comes back whole."""
    assert Standing.parse(f" {standing}\n") == standing


@pytest.mark.req("T11")
@pytest.mark.parametrize(
    "text", ["", "7", "7 ", "a b", "7 10001", "-1 5", "7 5 3", "<html>", "7. 5 5", "7.x 5"]
)
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
        assert fence("mood", wanted, held, "proxy") == wanted
    else:
        with pytest.raises(StaleEpoch, match="proxy splits"):
            fence("mood", wanted, held, "proxy")


@pytest.mark.req("INV3")
def test_empty_proxy_takes_any_document() -> None:
    """Before the first document nothing is too old."""
    assert fence("mood", Standing(0, 0), None, "proxy") == Standing(0, 0)


@pytest.mark.req("INV7")
@given(LAPSED, st.integers(1, FULL))
def test_only_who_may_lift_ends_a_lapse_under_its_epoch(held: Standing, split: int) -> None:
    """The others are told why; what is lifted is newer than the lapse, and can be repeated."""
    wanted = Standing(held.epoch, split)
    assert held.split == 0
    with pytest.raises(StaleEpoch, match="until its follower reaches Redis again"):
        fence("mood", wanted, held, "proxy")
    lifted = fence("mood", wanted, held, "proxy", lift=True)
    assert (lifted.split, lifted.lapsed, lifted.lapse) == (split, False, held.lapse + 1)
    assert fence("mood", wanted, lifted, "proxy") == lifted


@pytest.mark.req("INV3")
@given(LAPSED, st.integers(1, FULL))
def test_lapse_never_stands_in_the_way_of_a_newer_document(held: Standing, split: int) -> None:
    """A newer epoch passes as ever, an older one not even with the right to lift."""
    newer, older = Standing(held.epoch + 1, split), Standing(held.epoch - 1, split)
    assert fence("mood", newer, held, "proxy") == newer
    with pytest.raises(StaleEpoch):
        fence("mood", older, held, "proxy", lift=True)


@pytest.mark.req("T5")
def test_changed_flag_asks_nothing_of_a_proxy() -> None:
    """The standing is that of the last change of who serves, so nginx is not reloaded for it."""
    before = Snapshot("mood", 3, "gradual", 1_000)
    after = Snapshot("mood", 9, "gradual", 1_000, turned=3)
    assert Standing.of(after) == Standing.of(before)
