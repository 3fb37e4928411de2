"""Tasks of the development phase: one per check, so that none hides another's result (P1)."""

from __future__ import annotations

from prefect import task

from switchover.engine.work import record_work
from switchover.errors import SwitchoverError
from switchover.ports import CheckResult
from tasks.engine import PATIENT, engine


@task(**PATIENT)
def planned_checks(migration: str) -> list[str]:
    """Names of the plan's checks."""
    return [check.name for check in engine().open(migration).plan.checks]


@task(task_run_name="check: {name}", **PATIENT)
def run_check(migration: str, name: str) -> CheckResult:
    """Run one check. What is wrong with the check itself is its failure too."""
    case = engine().open(migration)
    check = next(check for check in case.plan.checks if check.name == name)
    try:
        return engine().checks.run(check, case.plan, case.record.plan.directory)
    except SwitchoverError as error:
        return CheckResult(name, False, str(error), 0.0)


@task(**PATIENT)
def record_checks(migration: str, results: list[CheckResult], actor: str) -> str:
    """Write the results into the ledger; gives the sentence that sums them up."""
    case = record_work(engine(), migration, "checks", results, actor=actor)
    return case.state.work.summary if case.state.work else ""
