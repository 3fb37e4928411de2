"""What it costs to compare two answers of 2 KB, beside the ways one would do it by hand.

Prints one JSON document; times are in microseconds, the best of 15 runs: what others do on the
machine only ever adds. Ratios are to ``==`` of Python and to a walk written by hand, neither of
which knows rules or says what differs. ``deepdiff`` is measured where it is
installed. Run it on a quiet machine: `make bench`.
"""

from __future__ import annotations

import copy
import importlib.util
import json
import sys
import timeit
from collections.abc import Callable
from typing import Any

from switchover.judge.agreement import Agreement

#: A forecast with a series of 168 numbers, and a page of 12 search results.
FORECAST = {"risk_score": 0.42, "model_version": "0.2.0", "subject": "s-1", "horizon_hours": 24,
            "window_end": "2026-01-05T09:00:00Z",
            "series": [round(0.1 + place / 1000, 4) for place in range(168)]}  # fmt: skip
SEARCH = {"total": 12, "took_ms": 3, "items": [
    {"id": f"item-{place}", "title": f"Chair number {place}, oak", "price": 19.5 + place,
     "tags": ["oak", "chair"], "stock": {"berlin": place, "paris": 2}, "sold": True}
    for place in range(12)]}  # fmt: skip

#: Name -> rules, answer, and what the candidate does differently and may.
CASES: dict[str, tuple[dict[str, Any], Any, Callable[[Any], Any]]] = {
    "forecast_exact": ({"default": "exact"}, FORECAST, lambda answer: answer),
    "forecast_named_fields": (
        {"default": "ignore", "fields": [
            {"path": "risk_score", "compare": "number", "absolute": 0.1},
            {"path": "horizon_hours"},
            {"path": "window_end", "compare": "timestamp", "within": 60.0}]},
        FORECAST, lambda answer: answer | {"risk_score": 0.45, "model_version": "1"},
    ),
    "forecast_series_tolerance": (
        {"default": "exact", "fields": [
            {"path": "series", "compare": "number", "absolute": 0.01}]},
        FORECAST, lambda answer: answer | {"series": [n + 0.001 for n in answer["series"]]},
    ),
    "forecast_each_item_tolerance": (
        {"default": "ignore", "fields": [
            {"path": "series[*]", "compare": "number", "relative": 0.05}]},
        FORECAST, lambda answer: answer | {"series": [n + 0.001 for n in answer["series"]]},
    ),
    "search_exact_but_time": (
        {"default": "exact", "fields": [{"path": "took_ms", "compare": "ignore"}]},
        SEARCH, lambda answer: answer | {"took_ms": 9},
    ),
    "search_price_tolerance": (
        {"default": "ignore", "fields": [
            {"path": "items[*].id"},
            {"path": "items[*].price", "compare": "number", "relative": 0.01}]},
        SEARCH, lambda answer: answer,
    ),
    "search_keyed": (
        {"default": "exact", "fields": [
            {"path": "took_ms", "compare": "ignore"},
            {"path": "items", "compare": "keyed", "key": "id"}]},
        SEARCH, lambda answer: answer | {"items": answer["items"][::-1]},
    ),
    "forecast_one_value_differs": (
        {"default": "exact"}, FORECAST,
        lambda answer: answer | {"series": [*answer["series"][:100], 9.5, *answer["series"][101:]]},
    ),
    "forecast_one_beyond_its_tolerance": (
        {"default": "ignore", "fields": [
            {"path": "series[*]", "compare": "number", "relative": 0.05}]},
        FORECAST,
        lambda answer: answer | {"series": [*answer["series"][:100], 9.5, *answer["series"][101:]]},
    ),
    "search_disagrees": (
        {"default": "exact"}, SEARCH, lambda answer: answer | {"total": 13, "took_ms": 9},
    ),
}  # fmt: skip


def walk(legacy: Any, candidate: Any) -> bool:
    """Exact comparison as one writes it at first: a recursive walk."""
    if isinstance(legacy, dict) and isinstance(candidate, dict):
        return legacy.keys() == candidate.keys() and all(
            walk(legacy[name], candidate[name]) for name in legacy
        )
    if isinstance(legacy, list) and isinstance(candidate, list):
        return len(legacy) == len(candidate) and all(map(walk, legacy, candidate))
    return type(legacy) is type(candidate) and bool(legacy == candidate)


def best_us(call: Callable[[], object], loops: int = 200, repeat: int = 15) -> float:
    """The shortest time of one call."""
    return min(timeit.repeat(call, number=loops, repeat=repeat)) / loops * 1e6


def measure(name: str) -> dict[str, float | bool]:
    """One case: ours, Python's ``==``, the naive walk, and deepdiff where it is installed."""
    rules, legacy, change = CASES[name]
    # As parsed from two answers: nothing is shared, or comparing would end at the identity.
    candidate = json.loads(json.dumps(change(copy.deepcopy(legacy))))
    agreement = Agreement.from_dict(rules)
    ours = best_us(lambda: agreement.compare(legacy, candidate))
    same = json.loads(json.dumps(legacy))
    figures: dict[str, float | bool] = {
        "agree": agreement.compare(legacy, candidate).agree,
        "bytes": len(json.dumps(legacy)),
        "ours_us": ours,
        "equals_us": best_us(lambda: legacy == same),
        "walk_us": best_us(lambda: walk(legacy, same)),
    }
    figures["times_equals"] = ours / figures["equals_us"]
    figures["times_walk"] = ours / figures["walk_us"]
    if importlib.util.find_spec("deepdiff") is not None:
        import deepdiff

        figures["deepdiff_us"] = best_us(lambda: deepdiff.DeepDiff(legacy, candidate), 5, 5)
    return figures


def main() -> int:
    """Measure and print; fails when a comparison of 2 KB takes 30 microseconds or more."""
    figures = {name: measure(name) for name in CASES}
    print(json.dumps(figures, indent=2))
    return 0 if all(case["ours_us"] < 30.0 for case in figures.values()) else 1


if __name__ == "__main__":
    sys.exit(main())
