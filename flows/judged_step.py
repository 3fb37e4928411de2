"""The step out of a stage with traffic: judge, check the data, then promote, hold or roll back."""

from __future__ import annotations

from typing import Any

from prefect import State

from flows.conclude import conclude
from tasks.data import compare_work_items, planned_suites, record_suites, run_suite
from tasks.step import IDLE, step, what_is_due


def judged_step(migration: str, kind: str, actor: str) -> State[dict[str, Any]]:
    """Take at most one step out of the present stage if it is of ``kind``."""
    stage, action, reason = what_is_due(migration, actor=actor)
    if stage != kind:
        sentence = f"{migration} is not in a {kind} stage but in {stage}: {reason}"
        return conclude(migration, {"action": action, "did": False, "sentence": sentence})
    if action in IDLE:
        return conclude(migration, {"action": action, "did": False, "sentence": reason})
    if action == "check_data":
        futures = [run_suite.submit(migration, name) for name in planned_suites(migration)]
        results = [future.result() for future in futures] + compare_work_items(migration, actor)
        record_suites(migration, results, actor)
    return conclude(migration, step(migration, actor))
