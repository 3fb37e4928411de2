"""Only what really splits, and stays with its answers, may be timed beside the others."""

from __future__ import annotations

import itertools
from collections.abc import Callable

import pytest
from xxhash import xxh3_64_intdigest

from benchmarks.routing.split import checked_share

KEYS = [f"subject-{number}" for number in range(4_000)]


def hashed(percent: int, salt: str = "") -> Callable[[str], bool]:
    return lambda key: xxh3_64_intdigest(f"{salt}{key}".encode()) % 100 < percent


@pytest.mark.parametrize("salt", ["", "a", "b", "c"])
def test_a_sticky_split_of_the_wanted_share_passes(salt: str) -> None:
    """What it gives is the measured share."""
    share = checked_share("honest", hashed(25, salt), KEYS, 0.25)
    assert share == pytest.approx(0.25, abs=0.03)
    assert share == sum(map(hashed(25, salt), KEYS)) / len(KEYS)


@pytest.mark.parametrize(
    ("answer", "told"),
    [(True, "100.00% of 4000 keys"), (False, "0.00% of 4000 keys")],
)
def test_one_answer_for_all_is_no_split(answer: bool, told: str) -> None:
    """A peer that fell back to its default would be fast, and measured for nothing."""
    with pytest.raises(ValueError, match=told):
        checked_share("constant", lambda key: answer, KEYS, 0.25)


@pytest.mark.parametrize("percent", [20, 30])
def test_another_share_than_the_wanted_one_is_refused(percent: int) -> None:
    """Five points off is more than chance does to 4,000 keys."""
    with pytest.raises(ValueError, match=r"are on, not 25% ± 2\.74%"):
        checked_share("off", hashed(percent), KEYS, 0.25)


def test_the_wanted_share_in_turns_is_refused_as_not_sticky() -> None:
    """Exactly a quarter, but by the order of the calls and not by the key."""
    turns = itertools.count()
    with pytest.raises(ValueError, match=r"\d+ of 4000 keys got another answer"):
        checked_share("round robin", lambda key: next(turns) % 4 == 0, KEYS, 0.25)
