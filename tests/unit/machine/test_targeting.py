from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from switchover.machine.targeting import Rule, compile_rules, read_rules

pytestmark = pytest.mark.req("T12")

PLAIN = st.one_of(st.text(), st.booleans(), st.integers(), st.floats(allow_nan=False))


def decided(rules: list[Rule], attributes: Any) -> str | None:
    """The variant that the rules give."""
    decide = compile_rules([(rule, rule.variant) for rule in rules])
    assert decide is not None
    return decide(attributes)


def holds(wanted: Any, value: Any) -> bool:
    """Whether a rule with one condition matches an attribute."""
    return decided([Rule({"it": wanted}, "x")], {"it": value}) == "x"


def test_all_conditions_of_a_rule_must_hold() -> None:
    """One condition that does not hold is enough to pass a rule over."""
    rules = [Rule({"customer": False, "age": {"above": 10}}, "inside")]
    assert decided(rules, {"customer": False, "age": 11, "other": 1}) == "inside"
    assert decided(rules, {"customer": False, "age": 10}) is None
    assert decided(rules, {"customer": True, "age": 11}) is None
    assert decided(rules, {"age": 11}) is None
    assert decided(rules, {}) is None


def test_what_are_no_attributes_match_no_rule() -> None:
    """A caller's mistake does not become an exception on the way of a request."""
    assert decided([Rule({"a": 1}, "x")], ["a"]) is None
    assert decided([Rule({"a": 1}, "x")], None) is None


def test_without_rules_there_is_nothing_to_ask() -> None:
    """Flags without rules pay nothing for them."""
    assert compile_rules([]) is None


def test_first_matching_rule_decides() -> None:
    """A general rule may follow a special one."""
    rules = [Rule({"country": "NL", "plan": "pro"}, "a"), Rule({"country": "NL"}, "b")]
    assert decided(rules, {"country": "NL", "plan": "pro"}) == "a"
    assert decided(rules, {"country": "NL", "plan": "free"}) == "b"
    assert decided(rules, {"country": "BE"}) is None


@pytest.mark.parametrize(
    ("wanted", "value"),
    [
        ("a", "a"),
        ("", ""),
        (1, 1.0),
        (0.5, 0.5),
        (True, True),
        (False, False),
        (["a", 2], 2),
        ({"at_least": 3, "below": 4}, 3),
        ({"at_most": 3}, 3),
        ({"above": -1.5}, 10**400),
    ],
)
def test_condition_holds(wanted: Any, value: Any) -> None:
    """Equal values, one of several, and numbers within limits."""
    assert holds(wanted, value)


@pytest.mark.parametrize(
    ("wanted", "value"),
    [
        ("a", "A"),
        ("1", 1),
        (1, True),
        (True, 1),
        (0, False),
        (0, None),
        ("", None),
        (["a", "b"], ["a"]),
        ({"above": 0}, True),
        ({"above": 0}, "5"),
        ({"below": 4}, float("-inf")),
        ({"below": 4}, float("nan")),
        ({"at_least": 3, "below": 4}, 4),
        ("2026-01-01", datetime(2026, 1, 1, tzinfo=UTC)),
    ],
)
def test_condition_does_not_hold(wanted: Any, value: Any) -> None:
    """Kinds are never mixed, and what is no plain value meets no condition."""
    assert not holds(wanted, value)


@given(PLAIN, st.one_of(PLAIN, st.none(), st.lists(PLAIN), st.dictionaries(st.text(), PLAIN)))
def test_rule_never_fails_on_any_attribute(wanted: Any, value: Any) -> None:
    """Whatever a caller passes, a rule matches or it does not."""
    if isinstance(wanted, float) and wanted in (float("inf"), float("-inf")):
        wanted = 0.0
    assert holds(wanted, value) in (True, False)
    assert not holds({"above": 0, "below": 0}, value)


@pytest.mark.parametrize(
    ("document", "said"),
    [
        ({"when": {"a": 1}}, "holds 'when' and 'variant'"),
        ({"when": {"a": 1}, "variant": "x", "unless": {}}, "holds 'when' and 'variant'"),
        ("x", "holds 'when' and 'variant'"),
        ({"when": {}, "variant": "x"}, "no condition"),
        ({"when": ["a"], "variant": "x"}, "no condition"),
        ({"when": {"a": 1}, "variant": ""}, "name one"),
        ({"when": {"a": 1}, "variant": 1}, "name one"),
        ({"when": {1: 1}, "variant": "x"}, "asks for 1"),
        ({"when": {"a": None}, "variant": "x"}, "condition on 'a' is None"),
        ({"when": {"a": []}, "variant": "x"}, "condition on 'a' is \\[\\]"),
        ({"when": {"a": [["b"]]}, "variant": "x"}, "condition on 'a'"),
        ({"when": {"a": float("nan")}, "variant": "x"}, "condition on 'a'"),
        ({"when": {"a": {}}, "variant": "x"}, "comparisons are above, at_least"),
        ({"when": {"a": {"over": 1}}, "variant": "x"}, "comparisons are above, at_least"),
        ({"when": {"a": {"above": "1"}}, "variant": "x"}, "each with a number"),
        ({"when": {"a": {"above": True}}, "variant": "x"}, "each with a number"),
    ],
)
def test_malformed_rule_is_refused(document: Any, said: str) -> None:
    """What is not understood is refused with a sentence, never taken for always true."""
    with pytest.raises(ValueError, match=said):
        Rule.from_dict(document)


def test_rule_survives_the_document() -> None:
    """Written as JSON and read again it is the same rule."""
    rule = Rule({"a": ["x", 1], "b": {"above": 2.5}, "c": False}, "v")
    assert read_rules(json.loads(json.dumps([rule.to_dict()]))) == (rule,)


def test_rules_are_a_list() -> None:
    """Their order decides, so an object is refused."""
    with pytest.raises(ValueError, match="rules are a list"):
        read_rules({"when": {"a": 1}, "variant": "x"})
