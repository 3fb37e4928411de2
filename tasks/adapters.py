"""Tasks of adapter validation: one per part of each consumer's recordings (P4)."""

from __future__ import annotations

import time
from typing import Any

from prefect import task

from switchover.engine.context import Case
from switchover.engine.work import record_work
from switchover.errors import SwitchoverError
from switchover.plan.spec import Consumer
from switchover.ports import CheckResult, RecordedPart
from tasks.engine import PATIENT, engine

#: What a part showed, or why it could not be examined.
Examined = dict[str, Any] | str


@task(**PATIENT)
def planned_parts(migration: str) -> dict[str, list[RecordedPart]]:
    """The plan's consumers, each with the parts of its recordings."""
    case, adapters = engine().open(migration), engine().adapters
    directory = case.record.plan.directory
    return {each.name: adapters.parts(each, directory) for each in case.plan.consumers}


@task(task_run_name="validate {name} from line {part.line}", **PATIENT)
def examine_part(migration: str, name: str, part: RecordedPart) -> Examined:
    """Run a part of one consumer's recordings through its adapter and contract."""
    case, began = engine().open(migration), time.perf_counter()
    try:
        found = engine().adapters.examine(_consumer(case, name), case.record.plan.directory, part)
    except SwitchoverError as error:
        return str(error)
    return {**found, "seconds": time.perf_counter() - began}


@task(**PATIENT)
def record_adapters(migration: str, found: dict[str, list[Examined]], actor: str) -> str:
    """Write the results into the ledger; gives the sentence that sums them up."""
    case = engine().open(migration)
    results = [_result(case, name, parts) for name, parts in found.items()]
    case = record_work(engine(), migration, "adapters", results, actor=actor)
    return case.state.work.summary if case.state.work else ""


def _result(case: Case, name: str, examined: list[Examined]) -> CheckResult:
    faults = [each for each in examined if isinstance(each, str)]
    parts = [each for each in examined if not isinstance(each, str)]
    seconds = sum(part["seconds"] for part in parts)
    if faults:
        return CheckResult(name, False, faults[0], seconds)
    consumer, directory = _consumer(case, name), case.record.plan.directory
    try:
        return engine().adapters.conclude(consumer, directory, parts, seconds)
    except SwitchoverError as error:
        return CheckResult(name, False, str(error), seconds)


def _consumer(case: Case, name: str) -> Consumer:
    return next(consumer for consumer in case.plan.consumers if consumer.name == name)
