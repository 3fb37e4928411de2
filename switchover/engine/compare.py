"""Compare: how legacy and candidate did beside each other, per stage and overall (O3)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from switchover.engine.context import Case
from switchover.judge.block import Tally
from switchover.judge.comparison import ALPHA, Figure, Pair, Shape, compare
from switchover.plan.catalogue import METRICS
from switchover.plan.spec import Plan

_Stages = dict[int, dict[str, dict[str, Tally]]]


def comparison(case: Case, key: str = "") -> dict[str, Any]:
    """Every stage of this attempt that both systems answered in, and all of them together; of one
    stage only with its ``key``. Figures are for people: no gate uses them."""
    stages = _by_stage(case)
    shown = [
        {
            "stage": stage.key,
            "title": stage.title,
            "figures": [figure.to_dict() for figure in _figures(case.plan, [stages[stage.index]])],
        }
        for stage in case.stages
        if stage.index in stages and key in ("", stage.key)
    ]
    document: dict[str, Any] = {
        "migration": case.state.migration,
        "attempt": case.state.attempt,
        "confidence": 1 - ALPHA,
        "stages": [each for each in shown if each["figures"]],
    }
    if not key:
        overall = _figures(case.plan, list(stages.values()))
        document["overall"] = [figure.to_dict() for figure in overall]
    return document


def present(case: Case) -> dict[str, Any]:
    """The present stage's figures, as they go into the ledger when it ends; empty where no metric
    is known of both systems."""
    stage = _by_stage(case).get(case.state.stage)
    figures = _figures(case.plan, [stage]) if stage else ()
    if not figures:
        return {}
    return {
        "stage": case.stage.key,
        "confidence": 1 - ALPHA,
        "figures": [figure.to_dict() for figure in figures],
    }


def _by_stage(case: Case) -> _Stages:
    stages: _Stages = {}
    for each in case.context.ledger.tallies(case.state.migration, case.state.attempt):
        metrics = stages.setdefault(each.stage, {})
        metrics.setdefault(each.metric, {})[each.system] = each.tally
    return dict(sorted(stages.items()))


def _figures(plan: Plan, stages: Sequence[Mapping[str, Mapping[str, Tally]]]) -> tuple[Figure, ...]:
    """Metrics of both systems: those of the catalogue in its order, then the plan's own."""
    names = {name for metrics in stages for name in metrics}
    order = {name: place for place, name in enumerate(METRICS)}
    found: list[Figure] = []
    for name in sorted(names, key=lambda name: (order.get(name, len(order)), name)):
        sides = [metrics.get(name, {}) for metrics in stages]
        pairs: list[Pair] = [
            (side["legacy"], side["candidate"])
            for side in sides
            if {"legacy", "candidate"} <= {*side}
        ]
        if pairs:
            found += compare(_shape(plan, name, pairs), pairs)
    return tuple(found)


def _shape(plan: Plan, metric: str, pairs: Sequence[Pair]) -> Shape:
    """What the metric is, by the catalogue, by what was recorded and by what the plan limits."""
    known = METRICS.get(metric)
    gates = [gate for gate in plan.gates if gate.metric == metric]
    if known is not None and known.unit == "requests":
        return Shape(metric, "requests")
    upper = any(gate.at_most is not None for gate in gates)
    if any(tally.sketch for pair in pairs for tally in pair):
        timed = any(gate.kind == "quantile" for gate in gates)
        unit = known.unit if known is not None else "seconds" if timed else ""
        gauge = unit == "bytes" or any(gate.kind == "memory" for gate in gates)
        down = known is not None or upper
        return Shape(metric, "gauge" if gauge else "values", -1 if down else 0, unit)
    down = known.at_most is not None if known is not None else upper
    return Shape(metric, "share", -1 if down else 1)
