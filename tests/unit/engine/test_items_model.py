"""Random stores and random plans: after the repairs, what a rule covers agrees."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from switchover.ports import ItemKey
from tests.unit.engine.conftest import World
from tests.unit.engine.items_world import ItemsWorld

pytestmark = pytest.mark.req("T13")

STATES = ["open", "running", "done", "failed"]
#: What the candidate calls otherwise: nothing, one state, two by each other's names, and one
#: by a name that legacy has for another, for which the candidate then has none.
NAMES: list[dict[str, str]] = [
    {},
    {"completed": "done"},
    {"open": "running", "running": "open"},
    {"open": "running"},
]
CANDIDATE = [*STATES, "completed"]

stores = st.dictionaries(
    st.integers(0, 40), st.tuples(st.sampled_from(STATES), st.sampled_from(CANDIDATE)),
    min_size=4, max_size=20,
)  # fmt: skip
lonely = st.dictionaries(st.integers(41, 60), st.booleans(), max_size=4)
rules = st.lists(
    st.fixed_dictionaries(
        {
            "legacy": st.sampled_from(["*", "*", *STATES]),
            "candidate": st.sampled_from(["*", "*", *CANDIDATE]),
            "repair": st.sampled_from(["use_legacy", "use_candidate", "report"]),
        }
    ),
    min_size=1,
    max_size=4,
)


def repair_of(
    rules: list[dict[str, str]], names: dict[str, str], legacy: str, candidate: str
) -> str:
    """What the plan says, read once more and in the plainest way."""
    nameless = not any(names.get(name, name) == legacy for name in CANDIDATE)
    for each in rules:
        if each["legacy"] in ("*", legacy) and each["candidate"] in ("*", candidate):
            return "report" if each["repair"] == "use_legacy" and nameless else each["repair"]
    return "report"


@given(
    both=stores,
    one=lonely,
    plan=rules,
    names=st.sampled_from(NAMES),
    limit=st.integers(1, 5),
    held=st.sets(st.integers(0, 9)),
)
@settings(max_examples=200, deadline=None)
def test_what_a_rule_covers_agrees_in_the_end_and_all_else_is_untouched(
    both: dict[int, tuple[str, str]],
    one: dict[int, bool],
    plan: list[dict[str, str]],
    names: dict[str, str],
    limit: int,
    held: set[int],
) -> None:
    """In any order, in steps of any size, with some items claimed: only the right side of the
    right items moves, and the record names each of them once."""
    with tempfile.TemporaryDirectory() as directory:
        items = ItemsWorld.of(World(Path(directory)), rules=plan, states=names, limit=limit)
        for key, (legacy, candidate) in both.items():
            items.put(key, legacy, candidate, 9_000)
        for key, legacy_has_it in one.items():
            (items.legacy if legacy_has_it else items.candidate).put(key, "open", 1.0)
        items.tracker.hold("demo", *held)
        before = items.legacy.states, items.candidate.states
        told: list[ItemKey] = []
        while made := items.look().made:
            assert len(made) <= limit
            assert set(made.values()) == {"repaired"}
            told += made
            assert len(told) <= len(both), "an item is repaired again and again"
        last = items.look()
    moved = set()
    for key, (legacy, candidate) in both.items():
        now = items.legacy.states[key], items.candidate.states[key]
        repair = repair_of(plan, names, legacy, candidate)
        if names.get(candidate, candidate) == legacy or repair == "report" or key in held:
            assert now == (legacy, candidate)
            continue
        moved.add(key)
        assert names.get(now[1], now[1]) == now[0]
        assert (
            now[0 if repair == "use_legacy" else 1] == (legacy, candidate)[repair != "use_legacy"]
        )
    assert sorted(told) == sorted(moved)
    recorded: list[Any] = [r["key"] for e in items.entries("items_compared") for r in e["repairs"]]
    assert sorted(recorded) == sorted(moved)
    for key in one:
        assert before[0].get(key) == items.legacy.states.get(key)
        assert before[1].get(key) == items.candidate.states.get(key)
    differing = sum(
        names.get(candidate, candidate) != legacy for legacy, candidate in both.values()
    )
    flying = sum(names.get(c, c) != a for key, (a, c) in both.items() if key in held)
    assert last.left == differing - flying - len(moved) + len(one)
