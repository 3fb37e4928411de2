"""Canonical JSON: one text for one value."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from switchover.canonical import canonical, digest_of, parse

_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=20,
)  # fmt: skip


@pytest.mark.req("K4")
@given(_JSON)
def test_reading_back_gives_the_same_value_and_the_same_text(value: Any) -> None:
    """A digest taken before storing holds after reading."""
    text = canonical(value)
    assert text.isascii()
    assert parse(text) == value
    assert canonical(parse(text)) == text


@pytest.mark.req("K4")
@given(st.dictionaries(st.text(), st.integers(), min_size=2, max_size=8), st.randoms())
def test_the_order_of_keys_does_not_matter(value: dict[str, int], chance: Any) -> None:
    """Two dicts that are equal have one digest."""
    items = list(value.items())
    chance.shuffle(items)
    assert digest_of(dict(items)) == digest_of(value)


def test_what_json_lacks_becomes_text() -> None:
    """Numbers without JSON, tuples, and keys that are not strings have one spelling."""
    value = {1: (float("inf"), float("-inf"), float("nan"))}
    assert canonical(value) == '{"1":["inf","-inf","nan"]}'


def test_what_is_not_json_is_refused() -> None:
    """An object has no canonical text."""
    with pytest.raises(TypeError):
        canonical({"at": object()})


def test_text_that_nests_too_deep_is_a_value_error() -> None:
    """A hostile document can't end the process that reads it."""
    with pytest.raises(ValueError, match="deep"):
        parse("[" * 200_000)
    with pytest.raises(json.JSONDecodeError):
        parse("{")
