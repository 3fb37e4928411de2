"""Each way to compare two values of a field."""

from __future__ import annotations

import copy
import json
import math
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from switchover.judge.agreement import MOST, Agreement
from switchover.judge.equality import equal, token
from switchover.judge.path import parse

pytestmark = pytest.mark.req("O4")

texts = st.text(max_size=3)
json_values = st.recursive(
    st.none() | st.booleans() | st.integers(-3, 3) | st.floats() | texts,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(texts, inner, max_size=3),
    max_leaves=10,
)
#: One field of every kind, with options.
WAYS: list[dict[str, Any]] = [
    {"compare": "exact"},
    {"compare": "number", "absolute": 0.1},
    {"compare": "number", "relative": 0.1},
    {"compare": "category", "same": [["low", "minimal"]], "categories": [0, 1]},
    {"compare": "set"},
    {"compare": "order", "key": "id"},
    {"compare": "keyed", "key": "id"},
    {"compare": "text", "normalise": ["trim", "casefold", "whitespace", "unicode"]},
    {"compare": "timestamp", "within": 5.0},
]
DEEP: Any = 0
for _ in range(20_000):
    DEEP = [DEEP]


def agreement(way: dict[str, Any], **more: Any) -> Agreement:
    return Agreement.from_dict({"default": "ignore", "fields": [{"path": "a", **way}], **more})


def agrees(way: dict[str, Any], legacy: Any, candidate: Any) -> bool:
    return agreement(way).compare({"a": legacy}, {"a": candidate}).agree


@pytest.mark.parametrize("way", WAYS, ids=lambda way: way["compare"])
@settings(max_examples=40)
@given(value=json_values)
def test_any_json_agrees_with_itself(way: dict[str, Any], value: Any) -> None:
    """Whatever a rule expects, the same answer is the same: not-a-number, wrong types and all."""
    assert agrees(way, value, copy.deepcopy(value))


@pytest.mark.parametrize(
    "way", [w for w in WAYS if "relative" not in w], ids=lambda w: w["compare"]
)
@settings(max_examples=40)
@given(one=json_values, other=json_values)
def test_who_is_asked_first_does_not_matter(way: dict[str, Any], one: Any, other: Any) -> None:
    """All but a relative tolerance, which is of legacy's value, are symmetric."""
    assert agrees(way, one, other) == agrees(way, other, one)


numbers = st.integers(-(10**400), 10**400) | st.floats(allow_nan=False)
tolerances = st.floats(0, 1e6)


@given(numbers, numbers, tolerances, tolerances, st.sampled_from(["absolute", "relative"]))
def test_a_wider_tolerance_never_takes_agreement_away(
    legacy: float, candidate: float, one: float, other: float, kind: str
) -> None:
    """Monotone in the tolerance, for floats and for integers beyond every float."""
    narrow, wide = sorted((one, other))
    if agrees({"compare": "number", kind: narrow}, legacy, candidate):
        assert agrees({"compare": "number", kind: wide}, legacy, candidate)


@given(st.lists(numbers, max_size=5), st.lists(numbers, max_size=5), tolerances)
def test_a_list_of_numbers_is_compared_like_its_items(
    legacy: list[float], candidate: list[float], absolute: float
) -> None:
    """The quick way through a list says what item by item says."""
    way = {"compare": "number", "absolute": absolute}
    items = len(legacy) == len(candidate) and all(
        agrees(way, *pair) for pair in zip(legacy, candidate, strict=True)
    )
    assert agrees(way, legacy, candidate) == items


@given(json_values, json_values)
def test_equal_values_have_equal_tokens(one: Any, other: Any) -> None:
    """Sets and keys tell values apart exactly where equality does."""
    assert equal(one, other) == (token(one) == token(other))


@given(json_values, json_values)
def test_equality_is_that_of_json(one: Any, other: Any) -> None:
    """As equal as their canonical texts, once 1.0 is written as 1."""

    def canonical(value: Any) -> Any:
        if isinstance(value, float) and value.is_integer():
            return int(value)
        if isinstance(value, list):
            return [canonical(item) for item in value]
        if isinstance(value, dict):
            return {name: canonical(item) for name, item in value.items()}
        return value

    left, right = (json.dumps(canonical(value), sort_keys=True) for value in (one, other))
    assert equal(one, other) == (left == right)


@pytest.mark.parametrize(
    ("way", "legacy", "candidate", "agree"),
    [
        ({"compare": "text", "normalise": ["trim"]}, " a", "a ", True),
        ({"compare": "text", "normalise": ["trim"]}, "a  b", "a b", False),
        ({"compare": "text", "normalise": ["whitespace"]}, "a \n b", "a b", True),
        ({"compare": "text", "normalise": ["whitespace"]}, " a", "a", False),
        ({"compare": "text", "normalise": ["casefold"]}, "STRASSE", "straße", True),
        ({"compare": "text", "normalise": ["unicode"]}, "e\u0301", "\u00e9", True),
        ({"compare": "text", "normalise": ["unicode"]}, "A", "a", False),
        ({"compare": "text", "normalise": ["casefold", "unicode"]}, "E\u0301", "\u00e9", True),
        ({"compare": "text", "normalise": ["trim"]}, "1", 1, False),
        ({"compare": "timestamp"}, "2026-01-01T10:00:00Z", "2026-01-01T11:00:00+01:00", True),
        ({"compare": "timestamp"}, "2026-01-01T10:00:00", 1767261600, True),
        ({"compare": "timestamp"}, "2026-01-01T10:00:00", "2026-01-01T10:00:01", False),
        ({"compare": "timestamp", "within": 1.0}, "2026-01-01T10:00:00", "2026-01-01T10:00:01",
         True),
        ({"compare": "timestamp", "within": 1.0}, "yesterday", "2026-01-01T10:00:01", False),
        ({"compare": "timestamp", "within": 1.0}, "0001-01-01T00:00:00+23:00", "9999-12-31", False),
        ({"compare": "timestamp", "within": 1.0}, 10**400, 10**400 + 1, False),
        ({"compare": "order"}, ["a", "b"], ["a", "b"], True),
        ({"compare": "order"}, ["a", "b"], ["b", "a"], False),
        ({"compare": "order", "key": "id"}, [{"id": 1, "x": 1}], [{"id": 1, "x": 2}], True),
        ({"compare": "order", "key": "id"}, [{"id": 1}], [{"id": 1}, {"id": 2}], False),
        ({"compare": "keyed", "key": "id"}, [{"id": 1}, {"id": 2}], [{"id": 2}, {"id": 1}], True),
        ({"compare": "keyed", "key": "id"}, [{"id": 1}], [{"id": 1, "x": 1}], False),
        ({"compare": "keyed", "key": "id"}, [], [], True),
        ({"compare": "keyed", "key": "id"}, [{"id": 1}], {"id": 1}, False),
        ({"compare": "set"}, [1, True], [True, 1.0, 1], True),
        ({"compare": "set"}, [1], [True], False),
        ({"compare": "set"}, [[math.nan]], [[math.nan]], True),
        ({"compare": "category"}, True, 1, False),
        ({"compare": "number", "absolute": 0.5}, 10**400, 10**400 + 1, False),
        ({"compare": "number", "relative": 0.5}, 10**400, 10**400 + 1, True),
        ({"compare": "number", "absolute": 0.5}, [10**400, 1], [10**400, 1.25], True),
        ({"compare": "number", "absolute": 0.5}, 10**400, math.inf, False),
        ({"compare": "number", "absolute": 0.5}, [1, True], [1, 1], False),
        ({"compare": "number", "absolute": 0.5}, [math.nan], [math.nan], True),
        ({"compare": "number", "absolute": 0.5}, [math.nan], [1], False),
        ({"compare": "number", "absolute": 0.5}, [math.inf, 1], [math.inf, 1], True),
        ({"compare": "number", "absolute": 0.5}, ["n/a"], ["n/a"], True),
    ],
)  # fmt: skip
def test_a_value_is_compared_in_its_way(
    way: dict[str, Any], legacy: Any, candidate: Any, agree: bool
) -> None:
    """Normalisers, moments, orders, keys, and the numbers that are hard to compare."""
    assert agrees(way, legacy, candidate) is agree


def test_the_way_in_which_a_list_differs_is_told() -> None:
    """Another order is another kind of disagreement than other items."""
    order = agreement({"compare": "order"})
    whys = [
        order.compare({"a": [1, 2]}, {"a": other}).mismatches[0].why
        for other in ([2, 1], [1, 3], "x")
    ]
    assert whys == [
        "is in another order", "does not hold the same items", "is not a list on both sides",
    ]  # fmt: skip


def test_items_are_paired_by_key_and_compared_by_their_own_rules() -> None:
    """A list that moves around: tolerances hold item by item, and a missing item is named."""
    rules = Agreement.from_dict({"default": "ignore", "fields": [
        {"path": "items", "compare": "keyed", "key": "product.id"},
        {"path": "items[*].price", "compare": "number", "absolute": 0.1},
    ]})  # fmt: skip

    def answer(*items: tuple[Any, float]) -> dict[str, Any]:
        return {"items": [{"product": {"id": key}, "price": price} for key, price in items]}

    legacy = answer((1, 10.0), (2, 20.0), (3, 30.0))
    assert rules.compare(legacy, answer((3, 30.05), (1, 10.0), (2, 20.0))).agree
    found = rules.compare(legacy, answer((3, 31.0), (4, 10.0), (2, 20.0))).mismatches
    assert [(m.path, m.why) for m in found] == [
        ("items[0]", "missing in candidate"),
        ("items[2].price", "beyond the tolerance"),
        ("items[1]", "missing in legacy"),
    ]


def test_items_that_share_a_key_are_paired_in_their_order() -> None:
    """Duplicates and items without a key are no fault of the rules."""
    way = {"compare": "keyed", "key": "id"}
    legacy = [{"id": 1, "n": 1}, {"id": 1, "n": 2}, {"n": 3}]
    assert agrees(way, legacy, [legacy[2], legacy[0], legacy[1]])
    assert not agrees(way, legacy, [legacy[2], legacy[1], legacy[0]])


def test_a_rule_for_one_item_adds_to_the_rules_for_all() -> None:
    """``a[0]`` wins where ``a[*]`` says something else, and only there."""
    rules = Agreement.from_dict({"default": "ignore", "fields": [
        {"path": "a[*].x"}, {"path": "a[*].y"},
        {"path": "a[0].y", "compare": "number", "absolute": 1},
    ]})  # fmt: skip
    legacy = {"a": [{"x": 1, "y": 1}, {"x": 1, "y": 1}]}
    assert rules.compare(legacy, {"a": [{"x": 1, "y": 2}, {"x": 1, "y": 1}]}).agree
    assert not rules.compare(legacy, {"a": [{"x": 2, "y": 1}, {"x": 1, "y": 1}]}).agree
    assert not rules.compare(legacy, {"a": [{"x": 1, "y": 1}, {"x": 1, "y": 2}]}).agree


@pytest.mark.req("INV9")
@pytest.mark.parametrize("default", ["exact", "ignore"])
def test_an_answer_as_deep_as_it_likes_is_compared(default: str) -> None:
    """A bomb of brackets is an answer like another: equal to itself, different from the next."""
    rules = Agreement.from_dict({"default": default, "fields": [{"path": "a"}]})
    assert rules.compare({"a": DEEP}, {"a": [DEEP][0]}).agree
    assert not rules.compare({"a": DEEP}, {"a": [DEEP]}).agree
    assert not Agreement.from_dict({}).compare(DEEP, [DEEP]).agree
    assert not rules.compare({"a": DEEP}, {"a": 1}).agree


@pytest.mark.req("INV9")
def test_what_can_not_be_compared_for_its_depth_disagrees() -> None:
    """Where a rule has to look into every level there is no verdict, and that is not agreement."""
    found = agreement({"compare": "set"}).compare({"a": [DEEP]}, {"a": [[DEEP]]})
    assert [m.why for m in found.mismatches] == ["is nested too deeply to compare"]


def test_a_rule_to_ignore_a_field_ends_after_its_last_day() -> None:
    """The field counts again, exactly, and the compiled rules say when to compile them anew."""
    document = {"default": "exact", "fields": [
        {"path": "at", "compare": "ignore", "owner": "ada", "until": "2026-03-01"}]}  # fmt: skip
    last = datetime(2026, 3, 1, 23, 59, 59, tzinfo=UTC)
    after = datetime(2026, 3, 2, tzinfo=UTC)
    during, over = (Agreement.from_dict(document, now) for now in (last, after))
    pair = {"at": 1, "x": 1}, {"at": 2, "x": 1}
    assert during.compare(*pair).agree
    assert during.expires == after.timestamp()
    assert [m.path for m in over.compare(*pair).mismatches] == ["at"]
    assert over.expires == math.inf


def test_a_default_of_ignore_never_ends() -> None:
    """Only a rule has an end; fields without one stay out of it."""
    rules = Agreement.from_dict({"default": "ignore", "fields": [{"path": "x"}]})
    assert rules.expires == math.inf
    assert rules.compare({"at": 1, "x": 1}, {"at": 2, "x": 1}).agree


@pytest.mark.parametrize(
    ("field", "message"),
    [
        ({"compare": "text"}, "text needs normalise"),
        ({"compare": "text", "normalise": ["upper"]}, "unknown normaliser 'upper'"),
        ({"compare": "timestamp", "within": -1}, "within must be"),
        ({"compare": "keyed"}, "keyed needs key"),
        ({"compare": "keyed", "key": "a[*].b"}, "wildcard"),
        ({"compare": "order", "key": "a..b"}, "can't be read"),
        ({"compare": "category", "same": ["low"]}, "list of lists"),
        ({"compare": "ignore", "until": "soon"}, "until is a day"),
        ({"compare": "exact", "until": "2026-01-01"}, "no option 'until'"),
    ],
)
def test_impossible_options_are_refused(field: dict[str, Any], message: str) -> None:
    """The message names the field and what is wrong."""
    with pytest.raises(ValueError, match=message) as refused:
        agreement(field)
    assert "field a" in str(refused.value)


def test_a_keyed_list_has_no_rule_for_one_index() -> None:
    """Which item is the first is what the key takes away."""
    for fields in (
        [{"path": "a", "compare": "keyed", "key": "id"}, {"path": "a[0].x"}],
        [{"path": "a[0].x"}, {"path": "a", "compare": "keyed", "key": "id"}],
        [{"path": "g[*].a", "compare": "keyed", "key": "id"}, {"path": "g[0].a[0].x"}],
    ):
        with pytest.raises(ValueError, match="agreement: "):
            Agreement.from_dict({"fields": fields})


@pytest.mark.parametrize("way", WAYS, ids=lambda way: way["compare"])
@settings(max_examples=40)
@given(st.data())
def test_a_rule_for_every_item_is_the_rule_of_each(way: dict[str, Any], data: Any) -> None:
    """The quick look at whole lists changes no verdict."""
    if way["compare"] == "keyed":
        way = {"compare": "set"}
    legacy = data.draw(st.lists(json_values, min_size=1, max_size=3))
    candidate = [data.draw(json_values | st.just(item)) for item in legacy]
    every = Agreement.from_dict({"default": "ignore", "fields": [{"path": "[*]", **way}]})
    alone = all(agrees(way, *pair) for pair in zip(legacy, candidate, strict=True))
    assert every.compare(legacy, candidate).agree == alone


@given(one=st.lists(json_values, max_size=8), other=st.lists(json_values, max_size=8))
def test_every_item_that_differs_is_named_and_no_other(one: list[Any], other: list[Any]) -> None:
    """Looking for them quickly finds what looking at each one finds, true against 1 included."""
    differing = {
        place
        for place in range(max(len(one), len(other)))
        if place >= min(len(one), len(other)) or not equal(one[place], other[place])
    }
    found = Agreement.from_dict({"default": "exact"}).compare(one, other)
    named = {parse(mismatch.path)[0] for mismatch in found.mismatches if mismatch.path != "$"}
    assert (named == differing) or len(found.mismatches) == MOST
    assert found.agree == (not differing)


@given(
    one=st.lists(st.none() | st.booleans() | st.integers() | st.floats(), min_size=1, max_size=9),
    other=st.lists(st.none() | st.booleans() | st.integers() | st.floats(), min_size=1, max_size=9),
)
def test_every_number_beyond_its_tolerance_is_named(one: list[Any], other: list[Any]) -> None:
    """With a rule for each item; integers beyond every float, bools and not-a-number included."""
    way = {"compare": "number", "absolute": 1.0}
    pairs = list(zip(one, other, strict=False))
    differing = {place for place, pair in enumerate(pairs) if not agrees(way, *pair)}
    differing |= set(range(len(pairs), max(len(one), len(other))))
    rules = {"default": "ignore", "fields": [{"path": "[*]", **way}]}
    found = Agreement.from_dict(rules).compare(one, other)
    assert {parse(mismatch.path)[0] for mismatch in found.mismatches} == differing


def test_one_difference_in_a_long_list_is_one_closer_look(monkeypatch: pytest.MonkeyPatch) -> None:
    """The other items are passed over together."""
    looked = 0

    def counting(legacy: Any, candidate: Any) -> bool:
        nonlocal looked
        looked += 1
        return equal(legacy, candidate)

    monkeypatch.setattr("switchover.judge.matcher.equal", counting)
    legacy = {"series": [float(number) for number in range(1000)]}
    candidate = {"series": [*legacy["series"][:700], -1.0, *legacy["series"][701:]]}
    (found,) = Agreement.from_dict({"default": "exact"}).compare(legacy, candidate).mismatches
    assert (found.path, looked) == ("series[700]", 1)
