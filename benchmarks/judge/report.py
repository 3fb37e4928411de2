"""Tables for terminal and page, and the JSON that the next run takes its rows from."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from benchmarks.judge.scenarios import BAD, LIMIT, TRAFFIC, Scenario
from benchmarks.judge.simulation import RULES, Row

_MARK = re.compile(r"(<!-- begin: (\w+) -->\n).*?(<!-- end -->)", re.DOTALL)


def read(path: Path) -> dict[tuple[str, str], Row]:
    """The rows of an earlier run by scenario and rule; none when there is no file."""
    if not path.exists():
        return {}
    document = json.loads(path.read_text(encoding="utf-8"))
    return {(row["scenario"], row["rule"]): row for row in document["rollouts"]["rows"]}


def write(path: Path, measured: Mapping[str, Any]) -> None:
    """All measurements, one row a line."""
    text = json.dumps(measured, ensure_ascii=False, indent=1)
    # One line per row: {"a": ..} over ten lines would hide what changed.
    text = re.sub(r"\{\n\s+([^{}]*?)\n\s+\}", lambda m: "{" + _joined(m[1]) + "}", text)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text + "\n", encoding="utf-8")


def _joined(text: str) -> str:
    return re.sub(r"\s*\n\s*", " ", text)


def page(path: Path, tables: Mapping[str, str]) -> None:
    """Put the tables between their marks in the page; the rest of it is written by hand."""
    text = path.read_text(encoding="utf-8")
    text = _MARK.sub(lambda m: f"{m[1]}{tables[m[2]]}{m[3]}" if m[2] in tables else m[0], text)
    path.write_text(text, encoding="utf-8")


def table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """A Markdown table with its columns aligned."""
    whole = [list(head), *map(list, rows)]
    widths = [max(len(row[place]) for row in whole) for place in range(len(head))]
    lines = ["| " + " | ".join(c.ljust(w) for c, w in zip(r, widths, strict=True)) + " |"
             for r in whole]  # fmt: skip
    lines.insert(1, "|" + "|".join("-" * (width + 2) for width in widths) + "|")
    return "\n".join(lines) + "\n"


def false_rollbacks(rows: Mapping[tuple[str, str], Row], scenarios: Sequence[Scenario]) -> str:
    """Rollbacks of candidates that are within their limit, in per cent of the rollouts."""
    lines = [
        [scenario.title, _traffic(scenario), *(_false(rows, scenario, r.name) for r in RULES)]
        for scenario in scenarios
        if scenario.truth != BAD and (scenario.name, RULES[0].name) in rows
    ]
    return table(["candidate", "traffic", *(one.name for one in RULES)], lines)


def detection(rows: Mapping[tuple[str, str], Row], scenarios: Sequence[Scenario]) -> str:
    """How long a bad candidate stays, beside false alarms and false promotions."""
    lines = [
        [scenario.title, _traffic(scenario), *(_found(rows, scenario, r.name) for r in RULES)]
        for scenario in scenarios
        if scenario.truth == BAD and (scenario.name, RULES[0].name) in rows
    ]
    return table(["candidate", "traffic", *(one.name for one in RULES)], lines)


def plain(rows: Sequence[Mapping[str, Any]]) -> str:
    """A table of rows that share their keys."""
    if not rows:
        return "nothing measured\n"
    return table([key.replace("_", " ") for key in rows[0]],
                 [[_cell(value) for value in row.values()] for row in rows])  # fmt: skip


def settings(rows: Mapping[tuple[str, str], Row]) -> str:
    """Each rule's name, its settings, and how many rollouts it has judged: in all, and of how many
    rows with fewer than a thousand."""
    judged = {
        one.name: [row["rollouts"] for (_, rule), row in rows.items() if rule == one.name]
        for one in RULES
    }
    return table(
        ["rule", "settings", "rollouts", "rows", "of fewer than 1,000"],
        [
            [
                one.name,
                one.settings,
                f"{sum(judged[one.name]):,}",
                str(len(judged[one.name])),
                str(sum(count < 1000 for count in judged[one.name])),
            ]
            for one in RULES
        ],
    )


def _traffic(scenario: Scenario) -> str:
    return "a reading a minute" if scenario.family == "gauges" else scenario.traffic


def _false(rows: Mapping[tuple[str, str], Row], scenario: Scenario, name: str) -> str:
    row = rows.get((scenario.name, name))
    if row is None:
        return "–"
    text = percent(row["false"], row["rollouts"])
    return f"{text} (≤ {100 * row['upper']:.2g} %)" if scenario.truth == LIMIT and row[
        "false"] < row["rollouts"] / 10 else text  # fmt: skip


def _found(rows: Mapping[tuple[str, str], Row], scenario: Scenario, name: str) -> str:
    """Median (p10 to p90) in minutes; false alarms before; promoted nevertheless."""
    row = rows.get((scenario.name, name))
    if row is None:
        return "–"
    n = row["rollouts"]
    if row["delay"] is None:
        told = "no rollout left"
    elif row["delay"][1] is None:
        told = "not in a day"
    else:
        low, middle, high = (">day" if d is None else f"{d:,}" for d in row["delay"])
        told = f"{middle} ({low}–{high})"
    return f"{told}; {percent(row['false'], n)}; {percent(row['promoted'], n)}"


def percent(count: int, n: int) -> str:
    """A share of the rollouts."""
    share = 100.0 * count / n
    return f"{share:.0f} %" if share in (0.0, 100.0) or share >= 10 else f"{share:.2g} %"


def _cell(value: Any) -> str:
    if isinstance(value, bool):
        return "yes" if value else "**no**"
    if isinstance(value, float):
        return f"{value:g}"
    return "–" if value is None else f"{value:,}" if isinstance(value, int) else str(value)


def traffic_order(scenario: Scenario) -> int:
    """Slow traffic first."""
    return list(TRAFFIC).index(scenario.traffic)
