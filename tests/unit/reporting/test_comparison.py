from __future__ import annotations

from typing import Any

import pytest

from switchover.judge.block import Tally
from switchover.judge.comparison import Shape, compare
from switchover.judge.sketch import bucket_of
from switchover.reporting.comparison import amount, chief_rows, comparison_markdown, rows
from switchover.reporting.comparison_plot import comparison_plot


def measured(value: float, n: int = 500) -> Tally:
    """``n`` values that are all alike."""
    return Tally(n, 0, value * n, value * value * n, {bucket_of(value): n})


@pytest.fixture
def figures() -> list[dict[str, Any]]:
    success = Shape("success_rate", "share", 1)
    latency = Shape("response_time_p95", "values", -1, "seconds")
    memory = Shape("memory_usage_delta", "gauge", -1, "bytes")
    few = Shape("duration_avg", "values", -1, "seconds")
    found = [
        *compare(success, [(Tally(5000, 500), Tally(5000, 100))]),
        *compare(latency, [(measured(0.1), measured(0.2))]),
        *compare(memory, [(measured(2.0**27), measured(2.0**28))]),
        *compare(few, [(measured(1.0, 3), measured(1.2, 3))]),
    ]
    return [figure.to_dict() for figure in found]


@pytest.mark.req("O3")
def test_rows_say_what_differs_in_the_metrics_unit(figures: list[dict[str, Any]]) -> None:
    """Points, milliseconds and MiB; an interval that is unknown says so."""
    told = {row[0]: row[1:] for row in rows(figures)}
    assert told["success_rate"][:3] == ("90 %", "98 %", "+8 points")
    assert told["success_rate"][5] == "✓ better"
    assert told["response_time_p95 mean"][:3] == ("100 ms", "200 ms", "+100 ms")
    assert told["response_time_p95 p95"][5] == "✗ worse"
    assert told["memory_usage_delta mean"][:2] == ("128 MiB", "256 MiB")
    assert told["memory_usage_delta mean"][3] == "–"
    assert told["duration_avg p99"][3].endswith("to any")
    assert told["duration_avg p99"][5] == "no clear difference"


@pytest.mark.req("O3")
def test_the_short_table_leaves_out_the_middle_quantiles(figures: list[dict[str, Any]]) -> None:
    """Shares, means and the 99th percentile are enough for a status."""
    names = [row[0] for row in chief_rows(figures)]
    assert "response_time_p95 p99" in names
    assert not any(name.endswith((" p50", " p95")) for name in names)


@pytest.mark.req("P11")
def test_the_page_has_all_stages_first_and_even_tables(figures: list[dict[str, Any]]) -> None:
    """The newest stage comes before older ones; it says that it decides nothing."""
    stages = [{"title": title, "figures": figures} for title in ("shadow", "canary 10 %")]
    text = comparison_markdown({"stages": stages, "overall": figures})
    heads = [line for line in text.splitlines() if line.startswith("## ")]
    assert heads == ["## All stages", "## canary 10 %", "## shadow"]
    assert "not used for decisions" in text
    assert {line.count("|") for line in text.splitlines() if line.startswith("|")} == {8}
    assert "known of both systems yet" in comparison_markdown({"stages": [], "overall": []})


@pytest.mark.req("P11")
def test_the_picture_is_drawn_of_any_figures(figures: list[dict[str, Any]]) -> None:
    """All, none, one kind alone, and unbounded intervals; the same figures, the same file."""
    picture = comparison_plot(figures)
    assert picture.startswith(b"\x89PNG")
    assert picture == comparison_plot(figures)
    empty, shares = comparison_plot([]), comparison_plot(figures[:1])
    assert len({picture, empty, shares}) == 3


@pytest.mark.req("O3")
@pytest.mark.parametrize(
    ("value", "unit", "sign", "said"),
    [
        (0.1234, "share", False, "12.3 %"), (-0.1, "share", True, "-10 points"),
        (0.0, "share", True, "0 points"), (-0.05, "seconds", True, "-50 ms"),
        (None, "seconds", False, "–"), (1234.0, "", False, "1,234"),
        (12_345_678.0, "requests", False, "12,345,678"),
    ],
)  # fmt: skip
def test_amounts_have_unit_and_sign(value: float | None, unit: str, sign: bool, said: str) -> None:
    """A difference shows where it goes; nothing known is a dash."""
    assert amount(value, unit, sign=sign) == said
