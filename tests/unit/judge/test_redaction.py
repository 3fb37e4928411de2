"""What of a disagreement may leave the application."""

from __future__ import annotations

import json
import math
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from switchover.judge.agreement import REDACTED, Agreement, Comparison
from switchover.judge.field_count import count_fields
from switchover.judge.path import general
from switchover.judge.redaction import brief
from switchover.judge.sample import Sample

pytestmark = pytest.mark.req("O4")

SECRET = "s3cr3t"
texts = st.text("abc.", max_size=3)
hidden = st.recursive(
    st.just(SECRET) | st.integers(),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(texts | st.just(SECRET), inner, max_size=3)
    ),
    max_leaves=10,
)


def shipped(rules: Agreement, legacy: Any, candidate: Any) -> str:
    comparison = rules.compare(legacy, candidate)
    return Sample.of(comparison, "x1", 0.0, 0).to_json()


@given(hidden, hidden, st.sampled_from(["a", "a.*", "$", "*"]))
def test_a_redacted_secret_is_in_no_sample(one: Any, other: Any, path: str) -> None:
    """Neither as a value nor as the name of a field below the redacted path."""
    rules = Agreement.from_dict({"default": "exact", "redact": [path]})
    assert SECRET not in shipped(rules, {"a": one}, {"a": other})
    assert SECRET not in shipped(rules, {"a": one}, {})


def test_what_differs_below_a_redacted_field_is_told_as_that_field() -> None:
    """How many parts of it differ, and what they are called, stays inside."""
    rules = Agreement.from_dict({"default": "exact", "redact": ["by_name.*", "user"]})
    legacy = {"by_name": {"Ada": 1, "Bo": 2}, "user": {"mail": "a@b", "age": 3}, "n": 1}
    candidate = {"by_name": {"Ada": 5, "Bo": 6}, "user": {"mail": "c@d", "age": 4}, "n": 2}
    found = rules.compare(legacy, candidate).mismatches
    assert [(m.path, m.legacy, m.candidate) for m in found] == [
        ("by_name.*", REDACTED, REDACTED), ("user", REDACTED, REDACTED), ("n", 1, 2),
    ]  # fmt: skip


def test_an_index_in_a_redacted_path_stands_for_every_index() -> None:
    """Pairing by key moves items around; the secret must not move out of its rule."""
    rules = Agreement.from_dict({"default": "exact", "redact": ["people[0].name"], "fields": [
        {"path": "people", "compare": "keyed", "key": "id"}]})  # fmt: skip
    legacy = {"people": [{"id": 1, "name": "x"}, {"id": 2, "name": SECRET}]}
    candidate = {"people": [{"id": 2, "name": "y"}, {"id": 1, "name": "x"}]}
    assert SECRET not in shipped(rules, legacy, candidate)


@given(st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner), max_leaves=30,
))  # fmt: skip
def test_a_sample_reads_back_whatever_the_answers_were(value: Any) -> None:
    """Any JSON can be shipped; what comes out is what went in."""
    sample = Sample.of(Agreement.from_dict({}).compare([value], [value, 1]), "x1", 1.5, 7)
    assert Sample.from_json(sample.to_json()) == sample
    assert json.loads(sample.to_json(), parse_constant=pytest.fail)


def test_a_sample_is_short_and_always_json() -> None:
    """Long text, long lists, deep nests, huge integers and numbers that JSON lacks."""
    deep: Any = 1
    for _ in range(10_000):
        deep = [deep]
    bomb = {"deep": deep, "text": "x" * 10**6, "many": list(range(10**5)), "big": 10**5000,
            "nan": math.nan, "wide": {str(n): n for n in range(10**4)}}  # fmt: skip
    sample = Sample.of(Agreement.from_dict({}).compare(bomb, {}), "x1", 0.0, 0)
    assert len(sample.to_json()) < 10_000
    assert Sample.from_json(sample.to_json()) == sample
    assert brief(math.nan) == "nan"
    assert brief(10**5000) == "an integer of 16610 bits"


@pytest.mark.parametrize(
    "text",
    ["{", "[]", "{}", '{"id":"a b","at":1,"epoch":0,"mismatches":[]}',
     '{"id":"a","at":NaN,"epoch":0,"mismatches":[]}',
     '{"id":"a","at":1e300,"epoch":0,"mismatches":[]}',
     '{"id":"a","at":1,"epoch":-1,"mismatches":[]}',
     '{"id":"a","at":1,"epoch":0,"mismatches":[{"path":1}]}',
     '{"id":"a","at":1,"epoch":0,"mismatches":' + "[" * 100_000],
)  # fmt: skip
def test_what_is_no_sample_is_refused(text: str) -> None:
    """Anybody who can write to Redis can write there; the collector must not fall over it."""
    with pytest.raises(ValueError, match="not a sample"):
        Sample.from_json(text)


def test_fields_are_counted_over_all_items_of_a_list() -> None:
    """One field of a hundred items is one line; a sample counts once for it."""
    rules = Agreement.from_dict({})
    samples = [
        Sample.of(rules.compare({"a": [1, 2], "b": 1}, other), f"x{number}", number, 0)
        for number, other in enumerate(({"a": [3, 4], "b": 1}, {"a": [1, 9]}))
    ]
    samples.append(Sample.of(Comparison.failed("timeout"), "x2", 2, 0))
    found = [(sample, mismatch) for sample in samples for mismatch in sample.mismatches]
    counts = [(c.path, c.why, c.samples, c.last_at) for c in count_fields(found, 3)]
    assert counts == [
        ("a[*]", "differs", 2, 1), ("$", "timeout", 1, 2), ("b", "missing in candidate", 1, 1),
    ]  # fmt: skip
    assert general('a["[0]"][3].b') == 'a["[0]"][*].b'
