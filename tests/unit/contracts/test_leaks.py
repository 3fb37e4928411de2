from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from switchover.contracts.leaks import leaks

keys = st.text("abcxyz", min_size=1, max_size=3)
answers = st.recursive(
    st.none() | st.integers() | st.text(max_size=3),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(keys, inner, max_size=4),
    max_leaves=15,
)


def containers(value: Any, path: str = "$") -> list[tuple[str, dict[str, Any]]]:
    """Every object of an answer with its JSON path."""
    if isinstance(value, dict):
        inner = [
            found for key, each in value.items() for found in containers(each, f"{path}.{key}")
        ]
        return [(path, value), *inner]
    if isinstance(value, list):
        return [found for n, each in enumerate(value) for found in containers(each, f"{path}[{n}]")]
    return []


@pytest.mark.req("C2")
@given(answer=answers, data=st.data())
def test_a_forbidden_field_is_found_wherever_it_is_planted(answer: Any, data: Any) -> None:
    """At any depth, through objects and lists, exactly once and with its path."""
    answer = {"root": answer}
    path, target = data.draw(st.sampled_from(containers(answer)))
    target["forecast"] = data.draw(answers)
    assert leaks(answer, ["forecast"]) == [f"{path}.forecast"]


@pytest.mark.req("C2")
@given(answer=answers)
def test_clean_answers_have_no_leak(answer: Any) -> None:
    """Values are not names: only keys leak."""
    assert leaks({"root": answer, "x": "forecast", "y": ["forecast"]}, ["forecast"]) == []


@pytest.mark.req("C2")
def test_a_dotted_name_means_a_field_under_another() -> None:
    """List positions do not count; the same field elsewhere is allowed."""
    answer = {"risk": 1, "current": [{"risk": 2}], "current.risk": 3}
    assert leaks(answer, ["current.risk"]) == ["$.current[0].risk", "$['current.risk']"]


@pytest.mark.req("C2")
def test_leaks_are_found_below_any_depth_of_nesting() -> None:
    """Deeper than Python's own recursion goes."""
    answer: Any = {"forecast": 1}
    for _ in range(3000):
        answer = [answer]
    [path] = leaks(answer, ["forecast"])
    assert path.endswith("].forecast")
