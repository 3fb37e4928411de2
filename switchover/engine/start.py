"""Start a migration: accept a plan into the ledger; legacy serves everything."""

from __future__ import annotations

from collections.abc import Mapping

from switchover.engine.context import ATTEMPTS, Case, Context
from switchover.engine.incident import may_retry
from switchover.engine.outbox import start_effects
from switchover.engine.project import project
from switchover.engine.push import push
from switchover.engine.reconcile import reconcile
from switchover.errors import InputError, LostRace, Refused
from switchover.machine.apply import begin
from switchover.machine.event import Started
from switchover.machine.flag import Flag
from switchover.machine.state import Phase
from switchover.plan.flags import compile_flags
from switchover.plan.load import LoadedPlan
from switchover.plan.stages import compile_stages, salt
from switchover.ports import StoredPlan

_RETRY = (Phase.ROLLED_BACK, Phase.ABORTED)


def start(context: Context, loaded: LoadedPlan, *, actor: str) -> Case:
    """Begin, or begin another attempt after an abort, or after a rollback whose incident is
    analysed and whose criteria are ticked (see :func:`may_retry`).

    Starting a running migration with the same plan changes nothing and is no error; with
    another plan it is refused, as a plan is immutable once started.
    """
    for _ in range(ATTEMPTS - 1):
        try:
            case = _begin(context, loaded, actor)
            break
        except LostRace:
            # Another start came first: look at what it made.
            continue
    else:
        case = _begin(context, loaded, actor)
    project(case)
    push(case)
    return case


def _begin(context: Context, loaded: LoadedPlan, actor: str) -> Case:
    slug = loaded.plan.migration
    try:
        routed = context.routing.read(slug)
    except InputError:
        # Unreadable: a document of ours mends it.
        routed = None
    try:
        case = context.open(slug)
    except InputError:
        # Read before the ledger, which is written first: a document nobody wrote down.
        if routed is not None:
            raise Refused(
                f"routing holds {slug} at epoch {routed.epoch} ({routed.mode}), which this ledger "
                "does not know: it belongs to another ledger, or to one that was lost. Use another "
                f"name, or delete the Redis key switchover:{{{slug}}}:routing"
            ) from None
        _can_be_approved(loaded, actor)
        stored = _stored(loaded, 1)
        event = _event(context, loaded, actor, compile_flags(loaded.plan))
        record = context.ledger.create(
            stored, begin(slug, event), event, at=context.clock.now(), actor=actor,
            effects=start_effects(slug, stored.version),
        )  # fmt: skip
        return Case(context, record)
    return _again(case, loaded, actor)


def _again(case: Case, loaded: LoadedPlan, actor: str) -> Case:
    context, slug = case.context, case.state.migration
    if case.state.phase in _RETRY:
        reconcile(context, slug)
        case = context.open(slug)
    if case.state.phase not in _RETRY:
        if case.record.plan.digest == loaded.digest:
            return case
        raise Refused(
            f"{slug} is {case.state.phase.value} with another plan; a plan can't "
            "change once started: abort it, then start the new one"
        )
    may_retry(case)
    _can_be_approved(loaded, actor)
    if case.plan.request_key.kind != loaded.plan.request_key.kind:
        raise InputError(
            f"{slug}: request_key.kind changed to "
            f"{loaded.plan.request_key.kind}; that would move every key, use a new migration name"
        )
    # What an operator set stays as it is, unless the plan itself says something else now.
    before = compile_flags(case.plan)
    flags = {
        name: flag
        for name, flag in compile_flags(loaded.plan).items()
        if before.get(name) != flag or name not in case.state.flags
    }
    # The new attempt answers the halt in force, which need not be the one on record: a
    # rollback that was asked for twice, the first time without Redis, leaves another.
    halt = context.routing.halted(slug)
    stored = _stored(loaded, case.record.plan.version + 1)
    record = context.ledger.append(
        slug,
        case.state.revision,
        _event(context, loaded, actor, flags, halt.id if halt else case.state.halt),
        at=context.clock.now(),
        actor=actor,
        plan=stored,
        effects=start_effects(slug, stored.version),
    )
    return Case(context, record)


def _can_be_approved(loaded: LoadedPlan, actor: str) -> None:
    """Refuse what would wait for ever: with four eyes whoever starts is no approver."""
    policy = loaded.plan.approvals
    if policy is None or not policy.four_eyes:
        return
    if not any(stage.approval for stage in compile_stages(loaded.plan)):
        return
    barred = policy.barred(actor)
    missing = policy.missing([name for name in policy.people if name != barred], barred)
    if missing:
        raise Refused(
            f"with four_eyes {actor!r} can't approve what they start, and then nobody could give "
            f"{'; '.join(missing)}: let somebody else start it, or name more approvers"
        )


def _stored(loaded: LoadedPlan, version: int) -> StoredPlan:
    return StoredPlan(version, loaded.digest, loaded.document, str(loaded.directory))


def _event(
    context: Context, loaded: LoadedPlan, actor: str, flags: Mapping[str, Flag], halt: str = ""
) -> Started:
    return Started(
        plan=loaded.digest,
        salt=salt(loaded.plan),
        key=loaded.plan.request_key.kind,
        at=context.timestamp,
        actor=actor,
        halt=halt,
        flags={name: flag.to_dict() for name, flag in flags.items()},
        group=loaded.plan.group.name if loaded.plan.group else "",
    )
