"""Tasks of the data-integrity suites that run between every two steps (P8, C4)."""

from __future__ import annotations

from prefect import task

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


@task(**PATIENT)
def record_suites(migration: str, results: list[CheckResult], actor: str) -> str:
    """Write the results into the ledger; gives the sentence that sums them up."""
    case = record_data(engine(), migration, results, actor=actor)
    return case.state.data.summary if case.state.data else ""
