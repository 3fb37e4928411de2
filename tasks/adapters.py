"""Tasks of adapter validation: one per consumer (P4)."""

from __future__ import annotations

from prefect import task

from switchover.engine.work import record_work
from switchover.errors import SwitchoverError
from switchover.ports import CheckResult
from tasks.engine import PATIENT, engine


@task(**PATIENT)
def planned_consumers(migration: str) -> list[str]:
    """Names of the plan's consumers."""
    return [consumer.name for consumer in engine().open(migration).plan.consumers]


@task(task_run_name="validate {name}", **PATIENT)
def validate_adapter(migration: str, name: str) -> CheckResult:
    """Run one consumer's adapter over the recordings and check its contract."""
    case = engine().open(migration)
    consumer = next(c for c in case.plan.consumers if c.name == name)
    try:
        return engine().adapters.validate(consumer, case.record.plan.directory)
    except SwitchoverError as error:
        return CheckResult(name, False, str(error), 0.0)


@task(**PATIENT)
def record_adapters(migration: str, results: list[CheckResult], actor: str) -> str:
    """Write the results into the ledger; gives the sentence that sums them up."""
    case = record_work(engine(), migration, "adapters", results, actor=actor)
    return case.state.work.summary if case.state.work else ""
