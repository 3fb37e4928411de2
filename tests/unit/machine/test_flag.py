"""Feature flags as values: what is refused, and what comes back from the document."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from switchover.machine.flag import VISIBILITIES, Flag, check_flags, in_order, read_flags
from switchover.machine.targeting import Rule

FEW = st.integers(0, 2)
NAMES = st.text("abc-._", min_size=1, max_size=6)


@st.composite
def weights(draw: st.DrawFn) -> dict[str, int]:
    """Two to five variants whose weights are 10 000 together."""
    names = draw(st.lists(NAMES, min_size=2, max_size=5, unique=True))
    cuts = sorted(draw(st.lists(st.integers(0, 10_000), min_size=len(names) - 1,
                                max_size=len(names) - 1)))  # fmt: skip
    edges = [0, *cuts, 10_000]
    return {name: edges[i + 1] - edges[i] for i, name in enumerate(names)}


@st.composite
def flags(draw: st.DrawFn) -> Flag:
    """Any flag that is whole in itself."""
    variants = draw(st.one_of(st.just({}), weights()))
    choice = st.sampled_from(sorted(variants) or ["on", "off"])
    return Flag(
        draw(NAMES),
        enabled=draw(st.booleans()),
        split=10_000 if variants else draw(st.integers(0, 10_000)),
        variants=variants,
        values={name: draw(st.integers()) for name in variants},
        off=draw(st.sampled_from(["", *variants])),
        overrides=draw(st.dictionaries(st.text(max_size=4), choice, max_size=3)),
        rules=tuple(Rule({"plan": draw(st.text())}, draw(choice)) for _ in range(draw(FEW))),
        metadata=draw(st.dictionaries(st.text(max_size=4), st.integers(), max_size=2)),
        visibility=draw(st.sampled_from(VISIBILITIES)),
        component=draw(st.text(max_size=4)),
        follows_split=draw(st.booleans()),
        version=draw(st.integers(0, 9)),
    )


@pytest.mark.req("T5")
@given(flag=flags())
def test_a_flag_comes_back_from_its_document_as_it_was(flag: Flag) -> None:
    """What is at its default is left out, and nothing else is lost."""
    assert Flag.from_dict(flag.name, flag.to_dict()) == flag


@pytest.mark.req("T9")
@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({"split": 10_001}, "outside 0 to 100"),
        ({"split": -1}, "outside 0 to 100"),
        ({"variants": {"a": 5000, "b": 4000}}, "sum to 90 %"),
        ({"variants": {"a": 11_000, "b": -1000}}, "never negative"),
        ({"variants": {"a": 10_000}, "split": 500}, "no share of its own"),
        ({"variants": {"a": 10_000}, "values": {"a": float("nan")}}, "its values are no JSON"),
        ({"variants": {"a": 10_000}, "values": {"a": {1, 2}}}, "its values are no JSON"),
        ({"metadata": {"a": float("inf")}}, "its metadata are no JSON"),
        ({"visibility": "secret"}, "unknown visibility 'secret'"),
        ({"variants": {"a": 10_000}, "off": "b"}, "unknown variant 'b'"),
        ({"off": "b"}, "it has no variants"),
        ({"values": {"b": 1}}, "unknown variant 'b'"),
        ({"overrides": {"u1": "b"}}, "override to the unknown variant 'b'"),
        ({"variants": {"a": 10_000}, "overrides": {"u1": "on"}}, "name one of them"),
        ({"requires": {"f": "on"}}, "requires itself"),
        ({"enabled": 1}, "enabled is 1"),
        ({"split": 50.0}, "split is 50.0"),
        ({"split": True}, "split is True"),
        ({"variants": {"a": True}}, "variants holds 'a': True"),
        ({"variants": ["a"]}, "variants is"),
        ({"metadata": {"owner": ["ann"]}}, "metadata holds 'owner'"),
        ({"rules": (Rule({"plan": "pro"}, "b"),)}, "gives the unknown variant 'b'"),
    ],
)
def test_a_flag_that_makes_no_sense_is_refused_in_words(fields: dict[str, Any], words: str) -> None:
    """Shares outside 0 to 100 %, weights that do not sum up, names that do not exist."""
    with pytest.raises(ValueError, match=words):
        Flag("f", **fields)


@pytest.mark.req("T5")
@pytest.mark.parametrize(
    ("documents", "words"),
    [
        ({"a": {"requires": {"b": "on"}}}, "requires 'b', which does not exist"),
        ({"a": {"requires": {"b": "x"}}, "b": {}}, "to be 'x', which it never is"),
        ({"a": {"requires": {"b": "on"}}, "b": {"requires": {"a": "on"}}}, "in a circle: "),
        ({"a": 3}, "flag 'a' is no object"),
        ({"a": {"rules": [{"variant": "on"}]}}, "flag 'a': a rule holds 'when' and 'variant'"),
        ({"": {}}, "needs a name"),
    ],
)
def test_flags_that_can_not_be_evaluated_together_are_refused(
    documents: dict[str, Any], words: str
) -> None:
    """Prerequisites exist, can be met, and do not go round in a circle."""
    with pytest.raises(ValueError, match=words):
        read_flags(documents)


@pytest.mark.req("T5")
def test_flags_are_ordered_by_what_they_require() -> None:
    """Each comes after those it requires, however deep, as evaluation wants it."""
    chain = {str(n): Flag(str(n), requires={str(n + 1): "on"}) for n in range(2000)}
    chain["2000"] = Flag("2000")
    check_flags(chain)
    order = [flag.name for flag in in_order(chain)]
    assert order == [str(n) for n in range(2000, -1, -1)]


@pytest.mark.req("T5")
def test_keys_of_a_newer_writer_are_ignored() -> None:
    """A router of today reads what tomorrow's engine writes."""
    assert Flag.from_dict("f", {"split": 10, "tomorrow": 1}) == Flag("f", split=10)
