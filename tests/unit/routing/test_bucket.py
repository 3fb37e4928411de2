from __future__ import annotations

import os
import subprocess
import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st

from switchover.errors import InputError
from switchover.machine.split import percent_to_split
from switchover.routing.bucket import as_integer, bucket, integer_bucket

KEYS = [f"patient-{number}" for number in range(50_000)]
ANY_KEY = st.one_of(st.text(), st.integers(), st.binary())


@pytest.mark.req("T2")
@given(salt=st.text(max_size=20), key=ANY_KEY)
def test_every_key_has_one_bucket_in_range(salt: str, key: str | int | bytes) -> None:
    """Any text, integer or bytes falls into one of the 10 000 buckets, always the same."""
    place = bucket(salt, key)
    assert 0 <= place < 10_000
    assert place == bucket(salt, key)


@pytest.mark.req("INV8")
@pytest.mark.parametrize("split", [1, 100, 1_000, 2_500, 5_000, 9_000])
def test_share_of_the_split_is_kept(split: int) -> None:
    """Over 50 000 keys the share below the split is the split, within five standard errors."""
    share = sum(bucket("mood", key) < split for key in KEYS) / len(KEYS)
    wanted = split / 10_000
    assert abs(share - wanted) < 5 * (wanted * (1 - wanted) / len(KEYS)) ** 0.5


@pytest.mark.req("INV8")
def test_buckets_are_evenly_filled() -> None:
    """A chi-square over 100 groups of buckets stays below its 1 - 10^-6 quantile (178.4)."""
    groups = [0] * 100
    for key in KEYS:
        groups[bucket("even", key) // 100] += 1
    expected = len(KEYS) / 100
    assert sum((count - expected) ** 2 / expected for count in groups) < 178.4


@pytest.mark.req("INV8")
@pytest.mark.parametrize("other", ["voxray", "mood/shadow", "mood2", ""])
def test_two_salts_assign_independently(other: str) -> None:
    """Being in one half says nothing about the other: co-assignment lift is 0.95 to 1.05."""
    first = [bucket("mood", key) < 5_000 for key in KEYS]
    second = [bucket(other, key) < 5_000 for key in KEYS]
    both = sum(a and b for a, b in zip(first, second, strict=True)) / len(KEYS)
    lift = both / (sum(first) / len(KEYS) * (sum(second) / len(KEYS)))
    assert 0.95 < lift < 1.05


@pytest.mark.req("INV8")
def test_another_process_gives_the_same_buckets() -> None:
    """Buckets don't depend on the process, nor on Python's hash seed."""
    program = (
        "from switchover.routing.bucket import bucket;"
        "print([bucket('mood', f'patient-{n}') for n in range(200)], bucket('s', 7))"
    )
    answers = {
        subprocess.run(
            [sys.executable, "-c", program],
            env={**os.environ, "PYTHONHASHSEED": seed, "PYTHONPATH": os.pathsep.join(sys.path)},
            check=True,
            capture_output=True,
            text=True,
        ).stdout.strip()
        for seed in ("1", "2")
    }
    here = f"{[bucket('mood', key) for key in KEYS[:200]]} {bucket('s', 7)}"
    assert answers == {here}


@pytest.mark.req("INV8")
def test_buckets_never_change_between_releases() -> None:
    """Fixed answers: a release that moved keys would move users in the middle of a migration."""
    assert [bucket("mood", key) for key in ("a", "b", 7, "7", b"a", "ä")] == [
        719,
        1807,
        5236,
        5236,
        719,
        8561,
    ]


@pytest.mark.req("T2")
def test_text_bytes_and_integers_of_one_name_share_a_bucket() -> None:
    """A service that logs a key as bytes or text gets the same answer."""
    assert bucket("s", "42") == bucket("s", 42) == bucket("s", b"42")


@pytest.mark.req("T2")
@given(key=st.integers(), percent=st.integers(0, 100))
def test_integer_keys_use_key_mod_100_exactly(key: int, percent: int) -> None:
    """The candidate serves an integer key exactly when ``key mod 100 < percent``."""
    assert (integer_bucket(key) < percent_to_split(percent)) == (key % 100 < percent)


@pytest.mark.req("T2")
@given(percent=st.floats().filter(lambda p: not 0 <= p <= 100))
def test_percent_outside_0_to_100_is_refused(percent: float) -> None:
    """A share below nothing, above everything, infinite or not a number is bad input."""
    with pytest.raises(InputError, match="from 0 to 100"):
        percent_to_split(percent)


@pytest.mark.req("T2")
@pytest.mark.parametrize(
    ("percent", "split"),
    [(0, 0), (0.01, 1), (10, 1_000), (12.5, 1_250), (99.99, 9_999), (100, 10_000)],
)
def test_percent_becomes_basis_points(percent: float, split: int) -> None:
    """The resolution is 0.01 %, and the ends are exact."""
    assert percent_to_split(percent) == split


@pytest.mark.req("T2")
@pytest.mark.parametrize("key", [None, 1.5, "a7", (1,), b""])
def test_what_is_no_integer_is_no_integer_key(key: object) -> None:
    """A key that does not stand for an integer is told apart, not rounded."""
    with pytest.raises(ValueError, match=r"integer|invalid literal"):
        as_integer(key)
