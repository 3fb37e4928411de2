"""What a decision is held to, on figures made up for it."""

from __future__ import annotations

import pytest

from benchmarks.routing.decisions import ASKED, BARE, ROUTE, Contender, table, targets

TIMES = {
    BARE: [100.0, 200.0, 100.0],
    ROUTE: [160.0, 320.0, 160.0],
    ASKED: [250.0, 500.0, 250.0],
    "slow peer": [9000.0, 9000.0, 9000.0],
    "quick peer": [4800.0, 9600.0, 4800.0],
}
PEERS = ["slow peer", "quick peer"]


def test_route_is_held_against_the_fastest_of_the_peers() -> None:
    """Not against the one that makes the figure look best; ratios are those of each round."""
    told = {row["what"]: (row["measured"], row["met"]) for row in targets(PEERS, TIMES)}
    assert told == {
        "route, median": ("160 ns", True),
        "route beside the bare hash": ("1.60 × (1.60 to 1.60)", True),
        "route beside the fastest peer, quick peer": ("30.0 × (30.0 to 30.0)", True),
        "flag beside the fastest peer, quick peer": ("19.2 × (19.2 to 19.2)", True),
    }


@pytest.mark.parametrize(
    ("name", "factor", "missed"),
    [
        (ROUTE, 4.0, {"route, median", "route beside the bare hash", "route beside the fastest"}),
        (ASKED, 2.0, {"flag beside the fastest"}),
        (BARE, 0.5, {"route beside the bare hash"}),
        ("slow peer", 0.1, {"route beside the fastest", "flag beside the fastest"}),
    ],
)
def test_a_target_that_is_missed_is_told_as_missed(
    name: str, factor: float, missed: set[str]
) -> None:
    """Whoever got slower or faster, the targets that depend on it say so."""
    times = TIMES | {name: [factor * time for time in TIMES[name]]}
    told = {row["what"].partition(" peer")[0] for row in targets(PEERS, times) if not row["met"]}
    assert told == missed


def test_a_row_has_share_spread_and_both_ratios() -> None:
    """The share that was counted stands beside the time."""
    contender = Contender("quick peer", "peer", "as it comes", bool)
    assert table([contender], {"quick peer": 0.2513}, TIMES) == [
        {
            "what": "quick peer",
            "share_on_percent": 25.13,
            "p10_ns": 4800.0,
            "median_ns": 4800.0,
            "p90_ns": 8640.0,
            "times_bare_hash": 48.0,
            "times_route": 30.0,
        }
    ]
