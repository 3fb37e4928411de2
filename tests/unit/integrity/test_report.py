from __future__ import annotations

import json
from datetime import UTC, date, datetime
from decimal import Decimal
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from switchover.integrity.report import plain, row, to_markdown
from switchover.ports import CheckResult


def answer(name: str, success: bool = False, error: Any = None, **result: Any) -> Any:
    """An answer as Great Expectations shapes it."""
    return SimpleNamespace(
        success=success,
        result=result,
        exception_info=error or {"raised_exception": False},
        expectation_config=SimpleNamespace(type=name, kwargs={"column": "subject"}),
    )


@pytest.mark.req("C4")
def test_text_is_masked_and_values_are_few() -> None:
    """Tables hold people's data, and rows stay in the ledger."""
    found = row(answer("expect_column_values_to_be_in_set", partial_unexpected_list=["Jane"] * 20))
    assert found["examples"] == ["J… (4 characters)"] * 3


@pytest.mark.req("C4")
def test_numbers_are_shown_unless_they_say_who_somebody_is() -> None:
    """4711 out of a range is a reading; 4711 twice in a unique column is a patient's number."""
    between = row(answer("expect_column_values_to_be_between", partial_unexpected_list=[4711]))
    unique = row(answer("expect_column_values_to_be_unique", partial_unexpected_list=[4711]))
    assert between["examples"] == [4711]
    assert unique["examples"] == ["#… (4 characters)"]


@pytest.mark.req("C4")
@pytest.mark.parametrize(
    ("value", "shown"),
    [
        (None, None),
        (True, True),
        (np.float64(1.5), 1.5),
        (np.int64(3), 3),
        (float("nan"), "nan"),
        (Decimal("1.5"), "1… (3 characters)"),
        (date(2026, 1, 2), "2026-01-02"),
        (datetime(2026, 1, 2, tzinfo=UTC), "2026-01-02T00:00:00+00:00"),
        ((1, "abc"), [1, "a… (3 characters)"]),
        ({"quantiles": [0.5]}, {"quantiles": [0.5]}),
        (list(range(99)), [0, 1, 2, 3, 4]),
    ],
)
def test_every_value_becomes_plain_json(value: Any, shown: Any) -> None:
    """As results are stored as JSON."""
    assert plain(value) == shown
    json.dumps(plain(value), allow_nan=False)


@pytest.mark.req("C4")
@pytest.mark.req("INV6")
def test_an_expectation_that_raised_never_counts_as_success() -> None:
    """Whatever its flag says; the message is kept in one line."""
    info = {"some metric": {"raised_exception": True, "exception_message": "gone\nand more"}}
    found = row(answer("expect_column_mean_to_be_between", success=True, error=info))
    assert not found["success"]
    assert found["error"] == "gone"


@pytest.mark.req("C4")
def test_markdown_shows_each_expectation_and_escapes_what_would_break_the_table() -> None:
    """One row each, with counts and percent."""
    bad = row(
        answer(
            "expect_column_values_to_be_between",
            unexpected_count=3,
            unexpected_percent=1.5,
            partial_unexpected_list=[7, 8],
        )
    ) | {"column": "a|b<i>"}
    text = to_markdown(CheckResult("rows", False, "1 of 1\nfail", 0.1, {"expectations": [bad]}))
    assert text.splitlines()[0] == "### ❌ rows"
    assert "1 of 1 fail" in text
    assert (
        text.splitlines()[-1]
        == "| ❌ | column values to be between | a\\|b&lt;i> |  | 3 (1.5 %) | 7, 8 |"
    )
