"""Monitor: one look at one migration. Rolls back, voids and expires; never promotes."""

from __future__ import annotations

from switchover.engine.advance import Outcome, take_step
from switchover.engine.assess import facts
from switchover.engine.collect import collect
from switchover.engine.context import Case, Context, persist
from switchover.engine.reconcile import reconcile
from switchover.machine.action import Action, Expire, RollBack, Void
from switchover.machine.decide import Facts, decide
from switchover.machine.event import Judged, Noted
from switchover.machine.state import TERMINAL

#: What monitor may do by itself; every step forward is left to ``advance``.
_ITS_OWN = (RollBack, Void, Expire)


def watched(context: Context) -> list[str]:
    """Migrations that a sweep looks at: all that have not ended."""
    return [s.migration for s in context.ledger.migrations() if s.phase not in TERMINAL]


def look(context: Context, migration: str, *, actor: str) -> Outcome:
    """Reconcile, collect, judge, and do what may not wait."""
    reconcile(context, migration)
    collect(context, migration)
    case = context.open(migration)
    known = facts(case)
    action = decide(case.state, case.stages, known)
    if isinstance(action, _ITS_OWN):
        return take_step(context, migration, actor=actor)
    _write_down(context, case, known, actor)
    return Outcome(
        migration, "look", False, _sentence(action), case.stage.title, case.state.split / 100
    )


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
    if known.silence and not _noted(context, case):
        noted = Noted(at=known.now, topic="silence", text=known.silence)
        persist(context, state.migration, lambda now: (noted, ()), actor=actor)


def _noted(context: Context, case: Case) -> bool:
    """True when the silence of this stage was written down before."""
    return any(
        entry.kind == Noted.kind
        and entry.payload["topic"] == "silence"
        and entry.payload["at"] >= case.state.entered_at
        for entry in context.ledger.entries(case.state.migration)
    )


def _sentence(action: Action) -> str:
    return action.reason
