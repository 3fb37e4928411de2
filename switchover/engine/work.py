"""Record the outcome of a stage's work, or of the data checks between two steps."""

from __future__ import annotations

from collections.abc import Sequence

from switchover.engine.context import Case, Context, persist
from switchover.errors import Refused
from switchover.machine.event import DataChecked, Event, WorkRecorded
from switchover.ports import CheckResult, Effect


def record_work(context: Context, migration: str, stage_kind: str,
                results: Sequence[CheckResult], *, actor: str) -> Case:  # fmt: skip
    """Write down the results of the present ``checks`` or ``adapters`` stage.

    Results of a stage that another run has left by now are dropped. Raises ``Refused`` when the
    migration has not come to such a stage.
    """
    ok = all(result.ok for result in results)

    def make(case: Case) -> tuple[Event, Sequence[Effect]] | None:
        if case.stage.kind != stage_kind:
            if any(stage.kind == stage_kind for stage in case.stages[: case.state.stage]):
                # Another run did the same work and has taken the step out of it.
                return None
            raise Refused(
                f"{migration} is in stage {case.stage.title}; results of {stage_kind} have no place"
            )
        if ok and case.state.work is not None and case.state.work.ok:
            # Another run did the same work; it passed once, which is all the stage needs.
            return None
        event = WorkRecorded(
            stage=case.state.stage,
            ok=ok,
            at=context.timestamp,
            summary=summarise(stage_kind, results),
            results=[result.to_dict() for result in results],
        )
        return event, ()

    return persist(context, migration, make, actor=actor)


def record_data(context: Context, migration: str, results: Sequence[CheckResult],
                *, actor: str) -> Case:  # fmt: skip
    """Write down the results of the data-integrity suites for the present stage."""

    def make(case: Case) -> tuple[Event, Sequence[Effect]]:
        event = DataChecked(
            stage=case.state.stage,
            ok=all(result.ok for result in results),
            at=context.timestamp,
            summary=summarise("data checks", results),
            results=[result.to_dict() for result in results],
        )
        return event, ()

    return persist(context, migration, make, actor=actor)


def summarise(what: str, results: Sequence[CheckResult]) -> str:
    """One sentence: all passed, or which failed and why."""
    failed = [result for result in results if not result.ok]
    if not failed:
        return f"{what}: {len(results)} passed"
    reasons = "; ".join(f"{result.name}: {result.summary}" for result in failed)
    return f"{what}: {len(failed)} of {len(results)} failed ({reasons})"
