"""Agreement of two answers."""

from __future__ import annotations

import copy
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from switchover.judge.agreement import MOST, REDACTED, Agreement, Comparison
from switchover.judge.path import parse, spell

pytestmark = pytest.mark.req("O4")

texts = st.text(max_size=3)
json_values = st.recursive(
    st.none() | st.booleans() | st.integers(-5, 5) | st.floats(allow_nan=True) | texts,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(texts, inner, max_size=3),
    max_leaves=12,
)
NUMBER = {"path": "score", "compare": "number", "absolute": 0.1}


def rules(*fields: dict[str, Any], default: str = "ignore", **more: Any) -> Agreement:
    return Agreement.from_dict({"default": default, "fields": list(fields), **more})


@given(json_values)
def test_an_answer_agrees_with_itself(answer: object) -> None:
    """Exact comparison of any JSON with a copy of itself, not-a-number included."""
    assert Agreement.from_dict({}).compare(answer, copy.deepcopy(answer)).agree


@given(json_values, json_values)
def test_who_is_asked_first_does_not_matter(one: object, other: object) -> None:
    """Exact agreement is symmetric, and a disagreement always says where."""
    forth, back = (Agreement.from_dict({}).compare(*pair) for pair in ((one, other), (other, one)))
    assert forth.agree == back.agree == (not forth.mismatches)


@pytest.mark.parametrize(
    ("field", "legacy", "candidate", "agree"),
    [
        ({"compare": "exact"}, 1, 1.0, True),
        ({"compare": "exact"}, 1, True, False),
        ({"compare": "exact"}, {"a": [1]}, {"a": [True]}, False),
        ({"compare": "number", "absolute": 0.1}, 0.3, 0.2, True),
        ({"compare": "number", "absolute": 0.1}, 0.3, 0.41, False),
        ({"compare": "number", "relative": 0.1}, 200, 219, True),
        ({"compare": "number", "relative": 0.1}, 200, 221, False),
        ({"compare": "number", "absolute": 1, "relative": 0.1}, 2, 3, True),
        ({"compare": "number", "absolute": 0.1}, 0.3, "0.3", False),
        ({"compare": "number", "absolute": 0.1}, 0.3, float("nan"), False),
        ({"compare": "number", "relative": 0.1}, float("inf"), 1.0, False),
        ({"compare": "number", "absolute": 0.1}, [0.1, 0.2], [0.15, 0.25], True),
        ({"compare": "number", "absolute": 0.1}, [0.1, 0.2], [0.1], False),
        ({"compare": "category"}, "High ", "high", True),
        ({"compare": "category"}, "high", "low", False),
        ({"compare": "category", "same": [["low", "minimal"]]}, "low", "Minimal", True),
        ({"compare": "category", "bounds": [0.3, 0.7]}, 0.31, 0.69, True),
        ({"compare": "category", "bounds": [0.3, 0.7]}, 0.69, 0.7, False),
        ({"compare": "set"}, ["a", "b", "a"], ["b", "a"], True),
        ({"compare": "set"}, [{"x": 1}], [{"x": 2}], False),
        ({"compare": "set"}, ["a"], "a", False),
    ],
)
def test_a_field_is_compared_by_its_kind(
    field: dict[str, Any], legacy: object, candidate: object, agree: bool
) -> None:
    """Exact, numeric tolerance, category and set."""
    comparison = rules({"path": "a.b", **field}).compare(
        {"a": {"b": legacy}, "x": 1}, {"a": {"b": candidate}, "x": 2}
    )
    assert comparison.agree is agree
    assert [mismatch.path for mismatch in comparison.mismatches] == ([] if agree else ["a.b"])


@pytest.mark.parametrize(
    ("path", "found"),
    [("a[0].x", ["a[0].x"]), ("a[*].x", ["a[0].x", "a[1].x"]), ("*[1].x", ["a[1].x"]),
     ('["a"][1].x', ["a[1].x"]), ("$.a[1]", ["a[1]"])],
)  # fmt: skip
def test_paths_reach_into_lists_and_objects(path: str, found: list[str]) -> None:
    """Indexes, wildcards and quoted names."""
    legacy, candidate = ({"a": [{"x": n}, {"x": n + 1}]} for n in (1, 5))
    comparison = rules({"path": path}).compare(legacy, candidate)
    assert [mismatch.path for mismatch in comparison.mismatches] == found


def test_by_default_everything_else_has_to_be_equal() -> None:
    """Named fields follow their kind, ignored ones are ignored, the rest is exact."""
    strict = rules(NUMBER, {"path": "at", "compare": "ignore"}, default="exact")
    legacy = {"score": 0.5, "at": 1, "unit": "h", "deep": {"list": [1, 2]}}
    near = legacy | {"score": 0.55, "at": 2}
    assert strict.compare(legacy, near).agree
    far = near | {"deep": {"list": [1, 3]}, "more": 1}
    paths = {mismatch.path: mismatch.why for mismatch in strict.compare(legacy, far).mismatches}
    assert paths == {"deep.list[1]": "differs", "more": "missing in legacy"}


def test_a_field_missing_on_one_side_is_a_disagreement() -> None:
    """Whether the field itself or what holds it is missing."""
    nested = rules({"path": "a.b"})
    assert [m.why for m in nested.compare({"a": {"b": 1}}, {"a": {}}).mismatches] == [
        "missing in candidate"
    ]
    assert not nested.compare({}, {"a": {"b": 1}}).agree
    assert not nested.compare({"a": {"b": 1}}, {"a": None}).agree


@pytest.mark.req("INV6")
def test_nothing_to_compare_is_not_agreement() -> None:
    """A misspelt path does not make a perfect candidate."""
    comparison = rules(NUMBER | {"path": "scoer"}).compare({"score": 1}, {"score": 9})
    assert not comparison.agree
    assert "no compared field" in comparison.mismatches[0].why


def test_redacted_values_do_not_leave() -> None:
    """Neither by the path itself nor by what holds it or lies below; the path is still told."""
    hiding = rules(default="exact", redact=["user.name", "notes[*].text"])
    legacy = {"user": {"name": "Ada", "age": 3}, "notes": [{"text": "secret"}]}
    candidate = {"user": {"name": "Bo", "age": 4}, "notes": []}
    found = {m.path: (m.legacy, m.candidate) for m in hiding.compare(legacy, candidate).mismatches}
    assert found == {
        "user.name": (REDACTED, REDACTED),
        "user.age": (3, 4),
        "notes[0]": (REDACTED, None),
    }


@given(json_values, json_values)
def test_a_wholly_redacted_answer_shows_nothing(one: object, other: object) -> None:
    """Redacting the root hides every value there is."""
    for mismatch in rules(default="exact", redact=["$"]).compare(one, other).mismatches:
        assert {mismatch.legacy, mismatch.candidate} <= {REDACTED, None}


def test_the_list_of_differences_is_bounded() -> None:
    """A wholly different answer does not fill the stream."""
    comparison = Agreement.from_dict({}).compare(list(range(1000)), list(range(1, 1001)))
    assert len(comparison.mismatches) == MOST


@pytest.mark.req("INV9")
@pytest.mark.parametrize("kind", ["error", "timeout", "shed"])
def test_no_answer_is_a_disagreement_of_its_own_kind(kind: str) -> None:
    """Errors, timeouts and shed calls count, each by name."""
    comparison = Comparison.failed(kind)
    assert not comparison.agree
    assert comparison.failure == comparison.mismatches[0].why == kind
    assert comparison.mismatches[0].to_dict()["path"] == "$"


def test_an_unknown_failure_is_refused() -> None:
    """A misspelt kind would be lost in the counts."""
    with pytest.raises(ValueError, match="timeout"):
        Comparison.failed("timeuot")


@pytest.mark.parametrize(
    ("document", "message"),
    [
        ({"default": "fuzzy"}, "default"),
        ({"field": []}, "unknown key 'field'"),
        ({"fields": [{"compare": "exact"}]}, "needs a path"),
        ({"fields": [{"path": "a..b"}]}, "can't be read"),
        ({"fields": [{"path": ""}]}, "empty path"),
        ({"fields": [{"path": "a", "compare": "about"}]}, "unknown compare"),
        ({"fields": [{"path": "a", "compare": "number"}]}, "tolerance"),
        ({"fields": [{"path": "a", "compare": "number", "absolute": -1}]}, "from 0"),
        ({"fields": [{"path": "a", "compare": "set", "absolute": 1}]}, "no option 'absolute'"),
        ({"fields": [{"path": "a", "compare": "category", "bounds": [2, 1]}]}, "rising"),
        ({"fields": [{"path": "a"}, {"path": "a"}]}, "twice"),
        ({"fields": [{"path": "a"}, {"path": "a.b"}]}, "compared whole"),
        ({"fields": [{"path": "a.b"}, {"path": "a"}]}, "below it"),
    ],
)
def test_impossible_rules_are_refused(document: dict[str, Any], message: str) -> None:
    """The message names the field and what is wrong."""
    with pytest.raises(ValueError, match=message):
        Agreement.from_dict(document)


@given(st.lists(st.integers(0, 99) | st.text(max_size=4), max_size=4).map(tuple))
def test_a_spelt_path_reads_back(steps: tuple[str | int, ...]) -> None:
    """Whatever the names are, dots and quotes included."""
    assert parse(spell(steps)) == steps
