"""The figures to reach, and whether they are."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from benchmarks.judge.scenarios import SCENARIOS
from benchmarks.judge.simulation import OURS, Row, on_the_limit

Rows = Mapping[tuple[str, str], Row]


@dataclass(frozen=True, slots=True)
class Figure:
    """What is promised of one scenario; ``read`` gives the value, ``most`` bounds it."""

    text: str
    scenario: str
    read: Callable[[Row], float | None]
    most: float
    unit: str


def _false(row: Row) -> float:
    return float(100.0 * row["false"] / row["rollouts"])


def _upper(row: Row) -> float:
    return float(100.0 * row["upper"])


def _passes(row: Row) -> float:
    return float(100.0 * max(row["passes"], row["promoted"]) / row["rollouts"])


def _median(row: Row) -> float | None:
    return row["delay"][1] if row["delay"] else None


FIGURES: tuple[Figure, ...] = (
    *(
        figure
        for scenario in on_the_limit(SCENARIOS)
        for figure in (
            Figure("rolled back on the limit", scenario.name, _false, 1.0, "%"),
            Figure("its upper 95 % bound", scenario.name, _upper, 1.5, "%"),
            Figure("passed at some look", scenario.name, _passes, 5.0, "%"),
        )
    ),
    Figure("good candidate rolled back", "failures-good-20/h", _false, 0.1, "%"),
    Figure("good candidate rolled back", "bursts-good", _false, 1.0, "%"),
    Figure("good candidate rolled back", "bursts-errors-good", _false, 1.0, "%"),
    Figure("bad candidate passed at any look", "failures-very-20/h", _passes, 0.1, "%"),
    Figure("found, median", "failures-sudden-35-1/s", _median, 5, "min"),
    Figure("found, median", "failures-sudden-20-1/s", _median, 30, "min"),
    Figure("found, median", "errors-5-1/s", _median, 30, "min"),
    Figure("found, median", "slower-1.8-1/s", _median, 15, "min"),
    Figure("found, median", "slower-1.8-of-1.2-1/s", _median, 15, "min"),
    Figure("found, median", "slower-3-1/s", _median, 2, "min"),
)


def figures(rows: Rows, costs: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """Every figure that has been measured, and whether it is reached."""
    told = []
    for figure in FIGURES:
        row = rows.get((figure.scenario, OURS.name))
        if row is not None:
            value = figure.read(row)
            told.append(_line(figure.scenario, figure.text, value, figure.most, figure.unit))
    for line in costs:
        name = f"{line['kind']}, {line['traffic']}"
        told.append(_line(name, "one update, median", line["median_us"], 30, "µs"))
    return {
        "title": "Figures to reach",
        "rows": told,
        "notes": ["A share counts as reached when the measured one is within the figure."],
        "parameters": {},
    }


def _line(name: str, text: str, value: float | None, most: float, unit: str) -> dict[str, Any]:
    return {
        "scenario": name,
        "what": text,
        "value": None if value is None else round(value, 3),
        "at_most": most,
        "unit": unit,
        "reached": value is not None and value <= most,
    }
