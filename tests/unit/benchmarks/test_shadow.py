"""The arithmetic of what shadowing adds."""

from __future__ import annotations

import pytest

from benchmarks.routing.callers import Caller, Compared
from benchmarks.routing.shadow import added, percentile, table, take_turns


@pytest.mark.parametrize(("share", "value"), [(0.0, 1), (0.5, 51), (0.99, 100), (1.0, 101)])
def test_percentile_is_by_nearest_rank(share: float, value: int) -> None:
    """A value that was measured, none in between."""
    assert percentile([*range(101, 0, -1)], share) == value


def test_what_is_added_is_the_median_of_the_turns_differences() -> None:
    """One turn that met a busy moment does not decide."""
    alone = [[0.001], [0.001], [0.001]]
    shadowed = [[0.003], [0.002], [0.900]]
    assert added(shadowed, alone, 0.5) == pytest.approx(0.002)


def caller(name: str, seconds: float, beside: str = "", compares: bool = True) -> Caller:
    compared = Compared()

    def turn(requests: int, rate: float) -> list[float]:
        for _ in range(requests if compares else 0):
            compared.compare(1, 1)
        return [seconds] * requests

    return Caller(name, "", turn, compared, beside)


@pytest.fixture(autouse=True)
def no_waiting(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("benchmarks.routing.shadow.time.sleep", lambda seconds: None)


def test_a_row_says_what_is_added_to_the_caller_that_it_stands_beside() -> None:
    """Milliseconds; the caller without a shadow has nothing added."""
    both = [caller("alone", 0.001), caller("shadowed", 0.201, beside="alone")]
    rows = table(both, take_turns(both, turns=3, requests=8))
    assert rows == [
        {"what": "alone", "p50_ms": 1.0, "p99_ms": 1.0},
        {"what": "shadowed", "p50_ms": 201.0, "p99_ms": 201.0,
         "added_p50_ms": 200.0, "added_p99_ms": 200.0},
    ]  # fmt: skip


def test_a_shadow_that_does_not_compare_every_pair_is_no_figure() -> None:
    """Not calling the candidate at all would be quick, and worth nothing."""
    both = [caller("alone", 0.001), caller("idle", 0.001, beside="alone", compares=False)]
    with pytest.raises(RuntimeError, match="idle compared 0 pairs of 2"):
        take_turns(both, turns=1, requests=8)
