"""Tasks of the data suites and work items that are looked at between two steps (P8, C4, T13)."""

from __future__ import annotations

from prefect import task

from switchover.engine.repair_items import CHECK, check_items, watch_items
from switchover.engine.work import record_data
from switchover.errors import DependencyUnavailable, SwitchoverError
from switchover.ports import CheckResult
from tasks.engine import PATIENT, engine


@task(**PATIENT)
def planned_suites(migration: str) -> list[str]:
    """Names of the plan's data checks."""
    return [suite.name for suite in engine().open(migration).plan.data_checks]


@task(task_run_name="data: {name}", **PATIENT)
def run_suite(migration: str, name: str) -> CheckResult:
    """Run one suite. An unreachable database is retried; a fault of the suite is its failure."""
    case = engine().open(migration)
    suite = next(suite for suite in case.plan.data_checks if suite.name == name)
    try:
        return engine().data.check(suite)
    except DependencyUnavailable:
        raise
    except SwitchoverError as error:
        return CheckResult(name, False, str(error), 0.0)


@task(task_run_name="work items of {migration}", **PATIENT)
def compare_work_items(migration: str, actor: str) -> list[CheckResult]:
    """Where both systems disagree on their work, repaired where the plan says how; empty where
    the plan has no work items."""
    try:
        result = check_items(engine(), migration, actor=actor)
    except DependencyUnavailable:
        raise
    except SwitchoverError as error:
        result = CheckResult(CHECK, False, str(error), 0.0)
    return [] if result is None else [result]


@task(task_run_name="watch work items of {migration}", **PATIENT)
def watch_work_items(migration: str) -> str:
    """The sweep's look at work items; gives what it found."""
    return watch_items(engine(), migration, actor="monitor").sentence


@task(**PATIENT)
def record_suites(migration: str, results: list[CheckResult], actor: str) -> str:
    """Write the results into the ledger; gives the sentence that sums them up."""
    case = record_data(engine(), migration, results, actor=actor)
    return case.state.data.summary if case.state.data else ""
