"""The two test martingales."""

from __future__ import annotations

import json
import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from switchover.judge.evidence import (
    SHIFTS,
    GateEvidence,
    bet_against,
    bet_in_favour,
    better,
    log_total,
    natural,
    observations_to_go,
    raised,
    stake,
    worse,
)

rates = st.floats(0.001, 0.999)
counts = st.tuples(st.integers(1, 500), st.integers(0, 500)).map(lambda c: (c[0], min(c)))


def expected(gain_of_good: float, gain_of_bad: float, rate: float) -> float:
    return rate * math.exp(gain_of_bad) + (1 - rate) * math.exp(gain_of_good)


@given(rates, st.floats(0, 1))
@pytest.mark.req("INV12")
def test_no_bet_against_wins_on_average_within_the_limit(limit: float, share: float) -> None:
    """At the limit each bet is fair; below it, it loses."""
    for good, bad in zip(worse(1, 0, limit), worse(1, 1, limit), strict=True):
        assert expected(good, bad, limit) == pytest.approx(1.0)
        assert expected(good, bad, limit * share) <= 1.0 + 1e-9


@given(rates, st.floats(0, 1))
@pytest.mark.req("O5")
def test_no_bet_in_favour_wins_on_average_beyond_the_limit(limit: float, share: float) -> None:
    """At the limit each bet is fair; above it, it loses."""
    rate = limit + share * (1 - limit)
    for good, bad in zip(better(1, 0, limit), better(1, 1, limit), strict=True):
        assert expected(good, bad, limit) == pytest.approx(1.0)
        assert expected(good, bad, rate) <= 1.0 + 1e-9


@pytest.mark.parametrize("planned", [None, 1, 7, 1000])
@pytest.mark.req("INV12")
def test_the_stake_laid_never_exceeds_one(planned: int | None) -> None:
    """Half at once, and the rest over all blocks to come, however many."""
    laid = [stake(block, planned) for block in range(20_000)]
    assert laid[0] == 0.5
    assert min(laid) > 0
    assert 0.999 < math.fsum(laid) <= 1.0


@given(st.lists(counts, max_size=30), st.sampled_from([None, 5, 100]))
@pytest.mark.req("INV12")
def test_a_change_of_the_planned_looks_lays_no_more_than_one(
    blocks: list[tuple[int, int]], planned: int | None
) -> None:
    """Whatever is planned from block to block, the stake laid stays within 1."""
    state = GateEvidence()
    for place, (n, bad) in enumerate(blocks):
        bet_against(state, worse(n, bad, 0.1), n, bad, planned if place % 2 else 3)
    assert 0.0 <= state.spent <= 1.0 + 1e-12


@given(st.lists(counts, min_size=1, max_size=30), rates)
@pytest.mark.req("O5")
def test_evidence_is_finite_and_not_negative(blocks: list[tuple[int, int]], limit: float) -> None:
    """However one-sided the blocks are, W and G can be written as JSON numbers."""
    state = GateEvidence()
    for n, bad in blocks:
        bet_against(state, worse(1000 * n, 1000 * bad, limit), n, bad, None)
        bet_in_favour(state, better(1000 * n, 1000 * bad, limit), n, bad, 1.0)
    for logs in (state.against, state.favour):
        assert 0.0 <= natural(log_total(logs)) <= 1e300
    assert GateEvidence.from_dict(json.loads(json.dumps(state.to_dict(), allow_nan=False))) == state


@given(st.lists(counts, min_size=1, max_size=10), rates, st.data())
@pytest.mark.req("O5")
def test_one_more_bad_observation_never_helps(
    blocks: list[tuple[int, int]], limit: float, data: st.DataObject
) -> None:
    """Turning a good observation into a bad one raises W and lowers G."""
    place = data.draw(st.integers(0, len(blocks) - 1))
    as_seen, as_bad = GateEvidence(), GateEvidence()
    for index, (n, bad) in enumerate(blocks):
        for state, more in ((as_seen, 0), (as_bad, int(index == place and bad < n))):
            bet_against(state, worse(n, bad + more, limit), n, bad + more, None)
            bet_in_favour(state, better(n, bad + more, limit), n, bad + more, 1.0)
    assert log_total(as_bad.against) >= log_total(as_seen.against) - 1e-9
    assert log_total(as_bad.favour) <= log_total(as_seen.favour) + 1e-9


@given(counts, counts, rates)
@pytest.mark.req("O5")
def test_promote_evidence_does_not_depend_on_the_blocks(
    one: tuple[int, int], other: tuple[int, int], limit: float
) -> None:
    """Two blocks in any order are worth what one merged block is."""
    forth, back, merged = GateEvidence(), GateEvidence(), GateEvidence()
    for state, blocks in ((forth, (one, other)), (back, (other, one))):
        for n, bad in blocks:
            bet_in_favour(state, better(n, bad, limit), n, bad, 1.0)
    n, bad = one[0] + other[0], one[1] + other[1]
    bet_in_favour(merged, better(n, bad, limit), n, bad, 2.0)
    assert forth.favour == pytest.approx(back.favour)
    assert forth.favour == pytest.approx(merged.favour, rel=1e-9, abs=1e-9)


@pytest.mark.req("O5")
def test_the_forecast_of_what_is_missing_comes_true() -> None:
    """After as many more observations at the same rate as forecast, G has reached its target."""
    target = math.log(20)
    state = GateEvidence()
    bet_in_favour(state, better(100, 8, 0.15), 100, 8, 1.0)
    more = observations_to_go(state, target)
    assert more is not None
    divergence = 0.08 * math.log(0.08 / 0.15) + 0.92 * math.log(0.92 / 0.85)
    assert 100 + more == pytest.approx(math.log(len(SHIFTS) / 0.05) / divergence, rel=0.1)
    bet_in_favour(state, better(more, 0.08 * more, 0.15), more, 0, 1.0)
    assert log_total(state.favour) >= target


@pytest.mark.req("O5")
def test_beyond_the_limit_nothing_is_forecast() -> None:
    """At a rate above the limit no number of observations will do."""
    state = GateEvidence()
    bet_in_favour(state, better(100, 30, 0.15), 100, 30, 1.0)
    assert observations_to_go(state, math.log(20)) is None


def test_evidence_of_unknown_shape_is_refused() -> None:
    """A stored document that is not ours is an error, not an empty state."""
    with pytest.raises(ValueError, match="not the evidence"):
        GateEvidence.from_dict({"w": 1})


@given(st.lists(st.floats(-800, 800), min_size=1, max_size=9), st.floats(-30, 0))
@pytest.mark.req("O5")
def test_stake_is_added_to_each_bet(bets: list[float], share: float) -> None:
    """Whatever a bet is worth, up to what no float can hold: the logarithm of the sum."""
    for old, new in zip(bets, raised(bets, share, [0.0] * len(bets)), strict=True):
        assert new == pytest.approx(log_total((old, share)), abs=1e-9)
