"""Variants by weighted rendezvous: their shares, how little moves, and independence."""

from __future__ import annotations

from collections import Counter

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from switchover.machine.flag import Flag
from switchover.routing.flags import compile_flags
from switchover.routing.rendezvous import places, winner
from switchover.routing.snapshot import legacy_table

KEYS = [f"user-{n}" for n in range(20_000)]


def given_to(weights: dict[str, int], keys: list[str] = KEYS, name: str = "f") -> list[str]:
    """The variant of every key."""
    flag = Flag(name, variants=weights)
    evaluate = compile_flags({name: flag}, "salt", legacy_table("cold_start", 0))[name][-1]
    return [evaluate(key).variant for key in keys]


@pytest.mark.req("T9")
def test_variants_get_their_weights() -> None:
    """Measured shares lie within four standard errors of the weights."""
    counts = Counter(given_to({"a": 1000, "b": 2500, "c": 6500}))
    for name, share in {"a": 0.10, "b": 0.25, "c": 0.65}.items():
        error = (share * (1 - share) / len(KEYS)) ** 0.5
        assert abs(counts[name] / len(KEYS) - share) < 4 * error


@pytest.mark.req("T9", "INV8")
def test_10_45_45_to_20_40_40_moves_at_most_a_tenth_and_a_half() -> None:
    """Only keys that the grown variant gains move: the least that is possible is 10 %."""
    before = given_to({"a": 1000, "b": 4500, "c": 4500})
    after = given_to({"a": 2000, "b": 4000, "c": 4000})
    moved = [(old, new) for old, new in zip(before, after, strict=True) if old != new]
    assert len(moved) / len(KEYS) <= 0.105
    assert {new for _, new in moved} == {"a"}


@pytest.mark.req("T9", "INV8")
@settings(max_examples=30)
@given(weights=st.lists(st.integers(1, 100), min_size=3, max_size=6), grown=st.integers(1, 100))
def test_a_variant_that_grows_only_gains_keys(weights: list[int], grown: int) -> None:
    """Whatever the weights: raising one relative to the others moves keys to it alone."""
    weighted = [(bytes([i]), float(w), i) for i, w in enumerate(weights)]
    before = places(weighted)
    after = places([(bytes([0]), float(weights[0] + grown), 0), *weighted[1:]])
    for key in (f"k{n}".encode() for n in range(300)):
        if winner(before, key) != winner(after, key):
            assert winner(after, key) == 0


@pytest.mark.req("T9", "INV8")
def test_a_further_variant_takes_keys_and_swaps_none() -> None:
    """A third variant leaves every key where it was, or takes it."""
    before = given_to({"a": 5000, "b": 5000})
    after = given_to({"a": 4500, "b": 4500, "c": 1000})
    assert all(new in (old, "c") for old, new in zip(before, after, strict=True))


@pytest.mark.req("INV8")
def test_flags_are_independent_of_each_other() -> None:
    """Being in one flag's tenth says nothing about another: co-assignment lift 0.95 to 1.05."""
    keys = [f"user-{n}" for n in range(120_000)]
    flags = {name: Flag(name, split=2500) for name in ("panel", "colours", "search")}
    compiled = compile_flags(flags, "salt", legacy_table("cold_start", 0))
    on = {name: {key for key in keys if table[-1](key).on} for name, table in compiled.items()}
    for one, other in (("panel", "colours"), ("colours", "search"), ("panel", "search")):
        expected = len(on[one]) * len(on[other]) / len(keys)
        assert 0.95 <= len(on[one] & on[other]) / expected <= 1.05
