"""Monitor: one look at one migration. Rolls back, voids and expires; never promotes."""

from __future__ import annotations

from switchover.engine.advance import Outcome, take_step
from switchover.engine.ask_probes import ask_probes
from switchover.engine.assess import absent_since, facts, lost
from switchover.engine.checklist import note_look
from switchover.engine.collect import collect
from switchover.engine.context import Case, Context, persist
from switchover.engine.outbox import silence_effects
from switchover.engine.reconcile import reconciled, unfinished
from switchover.engine.targets import tell
from switchover.engine.tell_triggers import tell_of_triggers
from switchover.engine.told import remember_told, was_told
from switchover.engine.triggers import trigger_readings
from switchover.machine.action import Abort, Expire, RollBack, Strand, Void
from switchover.machine.decide import Facts, decide
from switchover.machine.event import Judged, Noted
from switchover.machine.state import TERMINAL, Phase, State

#: Uncollected blocks of a migration that has ended are kept for so many seconds.
KEPT = 86_400.0

#: What monitor may do by itself; every step forward is left to ``advance``.
_ITS_OWN = (RollBack, Strand, Abort, Void, Expire)


def watched(context: Context) -> list[str]:
    """Migrations that a sweep looks at: all that have not ended, those that completed a while ago
    at most, and those whose end is still to reach routing or the record."""
    return [
        state.migration
        for state in context.ledger.migrations()
        if _judged(context, state) or unfinished(context, state)
    ]


def discard(context: Context) -> None:
    """Keep the streams of migrations that nobody judges any more from growing: their recorders
    go on, and what is older than a day is of no use to anybody."""
    for state in context.ledger.migrations():
        if not _judged(context, state):
            context.stream.discard(state.migration, KEPT)
            over = [
                heartbeat
                for heartbeat in context.stream.heartbeats(state.migration)
                if heartbeat.ended or heartbeat.overdue
            ]
            context.stream.forget(state.migration, over)


def _judged(context: Context, state: State) -> bool:
    if state.phase is Phase.COMPLETE:
        return context.open(state.migration).watched
    return state.phase not in TERMINAL


def look(context: Context, migration: str, *, actor: str, ahead: Context | None = None) -> Outcome:
    """Reconcile, collect, judge, and do what may not wait. A verdict or an alert that is written
    down changes the ledger too.

    ``ahead`` is the same context with some of the reading done (see :mod:`.ahead`): it is judged
    by, and whatever is done to the migration then looks again for itself.
    """
    seen = ahead or context
    case, repairs = reconciled(seen, migration)
    collect(seen, migration, case)
    ask_probes(seen, case)
    triggers = trigger_readings(case, seen.ledger.evidence(migration))
    known = facts(case, explain=ahead is None, triggers=triggers)
    action = decide(case.state, case.stages, known)
    if isinstance(action, _ITS_OWN):
        return take_step(context, migration, actor=actor)
    note_look(case)
    tell_of_triggers(seen, case, triggers, actor=actor)
    _write_down(seen, case, known, actor)
    tell(seen, case, actor=actor)
    did = bool(repairs) or seen.open(migration).state.revision > case.state.revision
    uneasy = known.reading is not None and known.reading.frozen
    split = case.state.split / 100
    return Outcome(migration, "look", did, action.reason, case.stage.title, split, uneasy)


def _write_down(context: Context, case: Case, known: Facts, actor: str) -> None:
    """Record a verdict that changed, and the first look at which evidence was missing."""
    state, reading = case.state, known.reading
    if reading is not None and reading.verdict.value != state.verdict:
        event = Judged(
            stage=state.stage,
            verdict=reading.verdict.value,
            at=known.now,
            sentence=reading.sentence,
            reading=reading.to_dict(),
        )
        persist(
            context,
            state.migration,
            lambda now: (event, ()) if now.state.stage == event.stage
            and now.state.verdict != event.verdict and now.state.phase not in TERMINAL else None,
            actor=actor,
        )  # fmt: skip
    _write_losses(context, case, actor)
    if known.silence and not _noted(context, case):
        noted = Noted(at=known.now, topic="silence", text=known.silence)
        persist(
            context,
            state.migration,
            lambda now: (
                (noted, silence_effects(now, noted.text))
                if now.state.stage == state.stage
                and now.state.phase not in TERMINAL
                and not _noted(context, now)
                else None
            ),
            actor=actor,
        )


def _write_losses(context: Context, case: Case, actor: str) -> None:
    """Record that evidence of this stage was lost, once."""
    if case.stage.work:
        return
    text = lost(case, context.ledger.evidence(case.state.migration)).text
    if not text or was_told(case, "lost"):
        return
    noted = Noted(at=context.timestamp, topic="lost", text=text)
    persist(
        context,
        case.state.migration,
        lambda now: (
            (noted, ())
            if now.state.stage == case.state.stage and not _told(context, now, "lost")
            else None
        ),
        actor=actor,
    )
    remember_told(case, "lost")


def _noted(context: Context, case: Case) -> bool:
    """True when this silence was written down before: after the last evidence that came."""
    since = absent_since(case, context.ledger.evidence(case.state.migration))
    return _told(context, case, "silence", since)


def _told(context: Context, case: Case, topic: str, since: float = 0.0) -> bool:
    """True when this was noted in the present stage, at ``since`` or later.

    Every stage with traffic changes who serves when it begins, so older entries are not read.
    """
    return any(
        entry.kind == Noted.kind
        and entry.payload["topic"] == topic
        and entry.payload["at"] >= since
        for entry in context.ledger.entries(case.state.migration, after=case.state.turned)
    )
