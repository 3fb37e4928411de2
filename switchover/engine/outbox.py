"""The side effects that belong to each event, as outbox rows with unique keys."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

from switchover.engine.context import Case
from switchover.engine.quorum import missing_votes
from switchover.machine.event import (
    AlertCleared,
    AlertRaised,
    ApprovalDecided,
    ApprovalRequested,
    ApprovalVoted,
    ComponentRolledBack,
    RollbackEscalated,
    RollbackFrozen,
    RolledBack,
    StageEntered,
    Stranded,
    WaveValidated,
)
from switchover.machine.inquiry import inquiry_of
from switchover.plan.rollback_steps import Step
from switchover.ports import Effect

#: Seconds until somebody looks whether the steps of a rollback were taken, and again each time.
STEPS_AGAIN = 90.0
#: An approved step that was not taken after so many seconds is started again.
RELEASE_AFTER = 120.0


def _slack(case: Case, key: str, kind: str, **payload: object) -> list[Effect]:
    """A message to the plan's channel; none where the plan names no channel."""
    channel = case.plan.notify.slack_channel
    if not channel:
        return []
    return [Effect(key, kind, {"migration": case.state.migration, "channel": channel, **payload})]


def start_effects(migration: str, version: int) -> list[Effect]:
    """Write the runbook of this version of the plan."""
    return [Effect(f"{migration}:runbook:{version}", "runbook", {"migration": migration})]


def step_effects(case: Case, event: StageEntered) -> list[Effect]:
    """A notice that the next stage began."""
    key = f"{case.state.migration}:{case.state.attempt}:{event.stage}"
    text = f"{case.plan.title}: {event.title} began, the candidate serves {event.split / 100:g} %"
    return _slack(case, f"{key}:notice", "notice", text=text)


def ask_effects(case: Case, event: ApprovalRequested) -> list[Effect]:
    """Start the ``approve`` run that people resume, and tell them."""
    migration = case.state.migration
    run = Effect(
        f"{event.id}:run",
        "start_flow",
        {
            "migration": migration,
            "deployment": "approve/approve",
            "parameters": {"migration": migration, "approval": event.id},
        },
    )
    return [run, *_slack(case, f"{event.id}:ask", "ask_people", approval=event.id)]


def voted_effects(case: Case, event: ApprovalVoted) -> list[Effect]:
    """Tell people who approved, and whose approval is still missing."""
    missing = "; ".join(missing_votes(case, event.approver))
    text = f"{case.plan.title}: {event.approver} approves {event.id}; still missing: {missing}"
    told = _slack(case, f"{event.id}:vote:{event.approver}", "notice", text=text)
    return [*told, *_shown(case, event.id, f"vote:{event.approver}")]


def decided_effects(case: Case, event: ApprovalDecided, actor: str) -> list[Effect]:
    """Let the waiting ``approve`` run end, take the approved step at once, or ask anew about
    evidence that grew too old.

    A run that was resumed in Prefect goes on with the step by itself. It may die before, as may
    any run that is started here: so a later effect looks whether the step was taken.
    """
    own = {"migration": case.state.migration, "approval": event.id}
    effects = _shown(case, event.id, event.status)
    if event.via != "prefect":
        effects.append(Effect(f"{event.id}:end:{event.status}", "end_approval", own))
        if event.status == "approved":
            effects.append(_advance(case, f"{event.id}:advance", actor))
    effects += _forget(case, event.id, event.status)
    if event.status == "approved":
        later = case.context.clock.now() + timedelta(seconds=RELEASE_AFTER)
        release = {**own, "actor": actor}
        effects.append(Effect(f"{event.id}:release", "release_step", release, not_before=later))
    elif event.status == "void" and _outdated(case):
        effects.append(_advance(case, f"{event.id}:renew", actor))
    return effects


def _shown(case: Case, approval: str, what: str) -> list[Effect]:
    """Let the message that asked for the approval show how it stands: who approved, or how it
    ended, and then no buttons any more."""
    return _slack(case, f"{approval}:shown:{what}", "ask_update", approval=approval)


def _forget(case: Case, approval: str, why: str) -> list[Effect]:
    """Delete codes that were typed into the form and that no run came to read."""
    if case.plan.approvals is None or case.plan.approvals.identity != "code":
        return []
    payload = {"migration": case.state.migration, "approval": approval}
    return [Effect(f"{approval}:forget:{why}", "forget_code", payload)]


def _outdated(case: Case) -> bool:
    """Whether the evidence holds still, and only was shown too long ago."""
    policy, approval = case.plan.approvals, case.state.approval
    if policy is None or approval is None:
        return False
    return bool(approval.aged(case.context.timestamp, policy.evidence_max_age))


def _advance(case: Case, key: str, actor: str) -> Effect:
    migration = case.state.migration
    parameters = {"migration": migration, "actor": actor}
    return Effect(
        key,
        "start_flow",
        {"migration": migration, "deployment": "advance/advance", "parameters": parameters},
    )


def rollback_effects(case: Case, event: RolledBack) -> list[Effect]:
    """Let the steps and the waves of the validation begin, write the incident's report, page
    people, and end a waiting approval. A Slack that hangs keeps the steps from nothing."""
    return [
        *_wave_starts(case, event),
        *_steps_start(case, event, case.plan.rollback.levels.service),
        *_incident_effects(case, event.incident), *end_effects(case, "rolled_back"),
    ]  # fmt: skip


def component_effects(case: Case, event: ComponentRolledBack) -> list[Effect]:
    """The same for a rollback of one component; a waiting approval stays as it is."""
    steps = case.plan.rollback.levels.of("component", event.component)
    return [*_incident_effects(case, event.incident), *_steps_start(case, event, steps)]


def _steps_start(
    case: Case, event: RolledBack | ComponentRolledBack, steps: Sequence[Step]
) -> list[Effect]:
    """A run that takes the steps, unless a wave's run does so at once; and later looks whether
    all were taken, as any run may die."""
    if not steps:
        return []
    key = f"{event.incident}:steps"
    payload = _completing(case, event.incident, event.actor, event.reason)
    waves = event.waves if isinstance(event, RolledBack) else ()
    at_once = any(wave.name in waves and wave.after == 0 for wave in case.waves)
    later = case.context.clock.now() + timedelta(seconds=STEPS_AGAIN)
    return [
        *([] if at_once else [Effect(key, "start_flow", payload)]),
        Effect(f"{key}:look", "rollback_steps", payload, not_before=later),
    ]


def escalated_effects(case: Case, event: RollbackEscalated) -> list[Effect]:
    """Tell people that a rollback goes on at the next level. What a step led to is done by the run
    that took it; what a person asked for begins a run of its own."""
    told = f"{case.plan.title}: the rollback goes on at level {event.level}: {event.reason}"
    key, incident = f"{event.incident}:steps:{event.level}", event.incident
    effects = [
        *_slack(case, f"{key}:told", "notice", text=told),
        *incident_effects(case, incident, ""),
    ]
    if event.level != "system":
        return effects  # the rollback of the service has effects of its own
    payload = _completing(case, incident, event.actor, event.reason)
    later = case.context.clock.now() + timedelta(seconds=STEPS_AGAIN)
    if not event.step:
        effects.append(Effect(key, "start_flow", payload))
    return [*effects, Effect(f"{key}:look", "rollback_steps", payload, not_before=later)]


def _completing(case: Case, incident: str, actor: str, reason: str) -> dict[str, object]:
    """What starts a run that takes an incident's steps."""
    migration = case.state.migration
    parameters = {"migration": migration, "reason": reason, "actor": actor, "incident": incident}
    return {"migration": migration, "deployment": "rollback/rollback", "parameters": parameters}


def steps_frozen_effects(case: Case, event: RollbackFrozen) -> list[Effect]:
    """Page people: the steps of a rollback need them."""
    text = (
        f"CRITICAL: {case.plan.title}: the steps of the rollback stop, and people are needed. "
        f"{event.reason}. `switchover steps {case.state.migration}`"
    )
    key = f"{event.incident}:frozen:{case.state.revision + 1}"
    return [
        *_slack(case, key, "notice", text=text), *incident_effects(case, event.incident, "frozen")
    ]  # fmt: skip


def _wave_starts(case: Case, event: RolledBack) -> list[Effect]:
    """A run of ``rollback`` for each wave, at the time at which it begins."""
    payload = _completing(case, event.incident, event.actor, event.reason)
    return [
        Effect(
            f"{event.incident}:wave:{wave.name}", "start_flow", payload,
            not_before=datetime.fromtimestamp(event.at + wave.after, UTC),
        )
        for wave in case.waves if wave.name in event.waves
    ]  # fmt: skip


def wave_effects(case: Case, event: WaveValidated) -> list[Effect]:
    """Show in the report and the thread what a wave found; one that failed pages people."""
    told = incident_effects(case, event.incident, f"wave:{event.wave}")
    if event.ok:
        return told
    key = f"{event.incident}:wave:{event.wave}:failed"
    text = (
        f"CRITICAL: {case.plan.title} was rolled back, and its validation fails. "
        f"{event.summary}. `switchover incident show {event.incident}`"
    )
    return [*_slack(case, key, "notice", text=text), *told]


def strand_effects(case: Case, event: Stranded) -> list[Effect]:
    """The same for a failure past the point of no return; a waiting approval stays as it is."""
    return _incident_effects(case, event.incident)


def _incident_effects(case: Case, incident: str) -> list[Effect]:
    payload = {"migration": case.state.migration, "incident": incident}
    report = Effect(f"{incident}:report", "incident_report", payload)
    return [report, *_slack(case, f"{incident}:page", "page", incident=incident)]


def abort_effects(case: Case) -> list[Effect]:
    """End a waiting approval, and tell people what stages that began leave to do."""
    begun = case.stages[: case.state.stage + 1]
    left = [f"{stage.compensation} (since {stage.title})" for stage in begun if stage.compensation]
    notice = f"{case.plan.title} was aborted; to compensate: {'; '.join(left)}"
    key = f"{case.state.migration}:{case.state.attempt}:compensate"
    return [*end_effects(case, "aborted"), *(_slack(case, key, "notice", text=notice)
                                             if left else [])]  # fmt: skip


def end_effects(case: Case, why: str) -> list[Effect]:
    """Let the run of a pending approval end, as there is nothing left to decide."""
    approval = case.state.approval
    if approval is None or approval.status != "pending":
        return []
    payload = {"migration": case.state.migration, "approval": approval.id}
    end = Effect(f"{approval.id}:end:{why}", "end_approval", payload)
    return [end, *_forget(case, approval.id, why), *_shown(case, approval.id, why)]


def silence_effects(case: Case, text: str) -> list[Effect]:
    """Tell people that no evidence comes; the revision makes each silence its own."""
    key = f"{case.state.migration}:{case.state.revision + 1}:silence"
    return _slack(case, key, "notice", text=f"{case.plan.title}: {text}")


def alert_effects(case: Case, event: AlertRaised | AlertCleared) -> list[Effect]:
    """Tell people that a target is missed by too much or a trigger fires, or that it is over."""
    color = str(event.reading.get("color", "amber")).upper()
    sign = color if isinstance(event, AlertRaised) else "recovered"
    key = f"{case.state.migration}:{case.state.revision + 1}:{event.kind}"
    return _slack(case, key, "notice", text=f"{case.plan.title}: {sign}: {event.text}")


def measured_effects(case: Case, incident: str) -> list[Effect]:
    """Render the report again, now that the rollback's time is known, and tell the thread."""
    return _updates(case, incident, "measured", "measured")


def incident_effects(case: Case, incident: str, what: str) -> list[Effect]:
    """Render the report again, bring its message in Slack up to date, and tell the thread what
    changed (see `switchover.incidents.slack_thread`); an empty ``what`` tells it nothing."""
    inquiry = inquiry_of(case.state.inquiries, incident)
    occasion = f"{inquiry.changes + 1}" if inquiry else f"r{case.state.revision + 1}"
    return _updates(case, incident, what, occasion)


def _updates(case: Case, incident: str, what: str, occasion: str) -> list[Effect]:
    payload = {"migration": case.state.migration, "incident": incident}
    report = Effect(f"{incident}:report:{occasion}", "incident_report", payload)
    key = f"{incident}:page:{occasion}"
    kind = "page_update" if what else "page_refresh"
    return [report, *_slack(case, key, kind, incident=incident, what=what)]


def inform_effects(case: Case, topic: str, text: str, channel: str | None) -> list[Effect]:
    """A regular notice or a review, to ``channel``; the topic makes it unique in an attempt."""
    if not channel:
        return []
    migration = case.state.migration
    key = f"{migration}:{case.state.attempt}:{topic}"
    payload = {"migration": migration, "channel": channel, "text": text}
    return [Effect(key, "notice", payload)]
