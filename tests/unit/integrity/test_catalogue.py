from __future__ import annotations

from typing import Any

import pytest

from switchover.errors import InputError
from switchover.integrity.catalogue import build, rules
from switchover.plan.spec import Expectation


def one(name: str, **arguments: Any) -> list[Any]:
    return build([Expectation(expect=name, arguments=arguments)], "data check 'x'")


@pytest.mark.req("C4")
@pytest.mark.parametrize("prefix", ["", "expect_"])
def test_rules_are_found_by_their_snake_case_name(prefix: str) -> None:
    """With and without the prefix that Great Expectations writes."""
    _, rule = one(f"{prefix}column_values_to_not_be_null", column="id")
    assert type(rule).__name__ == "ExpectColumnValuesToNotBeNull"
    assert rule.column == "id"
    assert len(rules()) > 40


@pytest.mark.req("C4")
@pytest.mark.req("INV6")
def test_a_suite_gets_a_row_count_rule_unless_it_has_one() -> None:
    """An empty table would satisfy nearly every other rule."""
    implicit, _ = one("column_values_to_not_be_null", column="id")
    assert type(implicit).__name__ == "ExpectTableRowCountToBeBetween"
    assert implicit.min_value == 1
    for name, arguments in [
        ("table_row_count_to_equal", {"value": 0}),
        ("expect_table_row_count_to_be_between", {"min_value": 0}),
    ]:
        assert len(one(name, **arguments)) == 1


@pytest.mark.req("C4")
@pytest.mark.parametrize(
    ("name", "arguments", "message"),
    [
        ("column_values_to_not_be_nul", {}, "did you mean column_values_to_not_be_null?"),
        ("zzz", {}, "unknown expectation 'zzz'; known are column_"),
        ("column_values_to_not_be_null", {}, "column: field required"),
        (
            "column_values_to_be_between",
            {"column": "x", "min_valu": 1, "max_value": 2},
            "min_valu: unknown argument; did you mean min_value?",
        ),
        (
            "column_values_to_not_be_null",
            {"column": "x", "mostly": 3},
            "mostly: ensure this value is less than or equal to 1.0",
        ),
        ("column_values_to_be_between", {"column": "x"}, "cannot both be None"),
        (
            "column_values_to_not_be_null",
            {"column": "x", "result_format": "COMPLETE"},
            "argument 'result_format' is set by Switchover",
        ),
    ],
)
def test_a_mistake_in_a_suite_is_named_with_a_suggestion(
    name: str, arguments: dict[str, Any], message: str
) -> None:
    """Before any query is sent."""
    with pytest.raises(InputError) as caught:
        one(name, **arguments)
    assert str(caught.value).startswith("data check 'x': ")
    assert message in str(caught.value)
