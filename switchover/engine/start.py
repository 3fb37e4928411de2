"""Start a migration: accept a plan into the ledger; legacy serves everything."""

from __future__ import annotations

from switchover.engine.context import Case, Context
from switchover.engine.project import project
from switchover.errors import InputError, Refused
from switchover.machine.apply import begin
from switchover.machine.event import Started
from switchover.machine.state import Phase
from switchover.plan.load import LoadedPlan
from switchover.plan.stages import salt
from switchover.ports import StoredPlan


def start(context: Context, loaded: LoadedPlan, *, actor: str) -> Case:
    """Begin, or begin another attempt after a rollback or an abort.

    Starting a running migration with the same plan changes nothing and is no error; with
    another plan it is refused, as a plan is immutable once started.
    """
    slug = loaded.plan.migration
    existing = next((s for s in context.ledger.migrations() if s.migration == slug), None)
    now = context.clock.now()
    stored = StoredPlan(1, loaded.digest, loaded.document, str(loaded.directory))
    event = Started(
        plan=loaded.digest,
        salt=salt(loaded.plan),
        key=loaded.plan.request_key.kind,
        at=now.timestamp(),
        actor=actor,
        halt=existing.halt if existing else "",
    )
    if existing is None:
        record = context.ledger.create(stored, begin(slug, event), event, at=now, actor=actor)
        case = Case(context, record)
    else:
        case = _again(context, loaded, stored, event, actor)
    project(case)
    return case


def _again(
    context: Context, loaded: LoadedPlan, stored: StoredPlan, event: Started, actor: str
) -> Case:
    case = context.open(loaded.plan.migration)
    if case.state.phase not in (Phase.ROLLED_BACK, Phase.ABORTED):
        if case.record.plan.digest == loaded.digest:
            return case
        raise Refused(
            f"{case.state.migration} is {case.state.phase.value} with another plan; a plan can't "
            "change once started: abort it, then start the new one"
        )
    if case.plan.request_key.kind != loaded.plan.request_key.kind:
        raise InputError(
            f"{case.state.migration}: request_key.kind changed to "
            f"{loaded.plan.request_key.kind}; that would move every key, use a new migration name"
        )
    record = context.ledger.append(
        case.state.migration, case.state.revision, event, at=context.clock.now(), actor=actor,
        plan=StoredPlan(
            case.record.plan.version + 1, stored.digest, stored.document, stored.directory
        ),
    )  # fmt: skip
    return Case(context, record)
