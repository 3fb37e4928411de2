"""Reconcile work items: find, write down, repair where the plan says how, write that down too.

A repair is on record before it is made. An order without its outcome is what a crash left
behind, and is carried out by whoever looks next: a change is made only while both sides are
still as they were seen, so doing it twice is doing it once (docs/decisions/0013).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from switchover.engine.compare_items import (
    Findings,
    compare_items,
    kept_for,
    opened,
    outcome,
    planned,
    stores,
)
from switchover.engine.context import Case, Context, persist
from switchover.engine.disagreement import Disagreement, Memory, Rules, name_of
from switchover.machine.event import Event, ItemsCompared, ItemsRepaired, event_from_dict
from switchover.machine.state import Phase
from switchover.ports import CheckResult, Effect, ItemChange, ItemKey

#: What the check between two steps is called in the record.
CHECK = "work items"

REPAIRED, CHANGED, IN_FLIGHT, REFUSED = "repaired", "changed", "in flight", "refused"

#: Phases in which monitor repairs; whoever holds a migration wants nothing to move.
_ITS_OWN = (Phase.RUNNING, Phase.AWAITING_APPROVAL)


@dataclass(frozen=True, slots=True)
class Reconciled:
    """``made`` is what became of each repair by key, ``left`` how many items still disagree."""

    findings: Findings
    left: int
    ok: bool
    sentence: str
    made: dict[ItemKey, str] = field(default_factory=dict)

    def to_dict(self) -> dict[str, Any]:
        made = [{"key": key, "outcome": what} for key, what in self.made.items()]
        return {"ok": self.ok, "left": self.left, "sentence": self.sentence, "made": made,
                "findings": self.findings.to_dict()}  # fmt: skip


def reconcile_items(
    context: Context, migration: str, *, actor: str, repair: bool = True, again: bool = False
) -> Reconciled:
    """Look once, and repair at most the plan's limit.

    A finding goes on record when it differs from the last one. ``again`` also tries what a
    database refused before.
    """
    case = context.open(migration)
    made: dict[ItemKey, str] = {}
    if repair and case.state.items is not None and case.state.items.order:
        case, made = _carry_out(case, actor)
    found = compare_items(case, again=again)
    case = _write_down(case, found, found.repairs if repair else (), actor)
    now: dict[ItemKey, str] = {}
    if repair and case.state.items is not None and case.state.items.order:
        case, now = _carry_out(case, actor)
    gone = sum(what in (REPAIRED, CHANGED, IN_FLIGHT) for what in now.values())
    left = max(0, found.disagreements - gone)
    ok, sentence = outcome(found, left, planned(case))
    return Reconciled(found, left, ok, sentence + _told({**made, **now}), {**made, **now})


def watch_items(context: Context, migration: str, *, actor: str) -> Reconciled:
    """The sweep's look: repairs unless somebody holds the migration or it has ended."""
    repair = context.open(migration).state.phase in _ITS_OWN
    return reconcile_items(context, migration, actor=actor, repair=repair)


def check_items(context: Context, migration: str, *, actor: str) -> CheckResult | None:
    """The look between two steps, as a data check; None where the plan has no work items."""
    case = context.open(migration)
    if case.plan.work_items is None:
        return None
    began = context.timestamp
    done = reconcile_items(context, migration, actor=actor)
    detail = {"disagreements": done.findings.disagreements, "left": done.left,
              "compared": done.findings.compared, "counts": dict(done.findings.counts),
              "samples": done.findings.samples}  # fmt: skip
    return CheckResult(CHECK, done.ok, done.sentence, context.timestamp - began, detail)


def _write_down(case: Case, found: Findings, repairs: Sequence[Disagreement], actor: str) -> Case:
    rules = Rules(planned(case))
    event = ItemsCompared(
        at=found.at,
        disagreements=found.disagreements,
        digest=found.digest,
        summary=found.sentence,
        counts=dict(found.counts),
        samples=found.samples,
        repairs=[_ordered(each, rules) for each in repairs],
    )

    def make(now: Case) -> tuple[Event, Sequence[Effect]] | None:
        known = now.state.items
        if now.state.attempt != case.state.attempt or known != case.state.items:
            # Another look came first, and what this one found may be repaired by now; after a
            # new start the plan may even be another one.
            return None
        if known is not None and known.order:
            return None
        same = known is not None and known.digest == event.digest
        return None if same and not event.repairs else (event, ())

    return persist(case.context, case.state.migration, make, actor=actor)


def _ordered(disagreement: Disagreement, rules: Rules) -> dict[str, Any]:
    side, state = rules.repaired(disagreement)
    return {"key": disagreement.key, "legacy": disagreement.legacy,
            "candidate": disagreement.candidate, "side": side, "state": state}  # fmt: skip


def _carry_out(case: Case, actor: str) -> tuple[Case, dict[ItemKey, str]]:
    """Make the repairs of the open order and write down how they ended, once."""
    items = case.state.items
    if items is None:
        raise AssertionError("an open order is part of what was found")
    order, migration = items.order, case.state.migration
    entry = case.context.ledger.entries(migration, after=order - 1, limit=1)[0]
    ordered = event_from_dict(entry.kind, entry.payload)
    if not isinstance(ordered, ItemsCompared):
        raise AssertionError(f"revision {order} holds no repairs but {entry.kind}")
    answers = _repair(case, ordered.repairs)
    made = {key: what for key, (what, _) in answers.items()}
    gone = sum(what in (REPAIRED, CHANGED, IN_FLIGHT) for what in made.values())
    event = ItemsRepaired(
        order=order,
        at=case.context.timestamp,
        repaired=sum(what == REPAIRED for what in made.values()),
        disagreements=max(0, items.disagreements - gone),
        summary=_told(made).removeprefix("; "),
        left=[{"key": key, "outcome": what, "why": why}
              for key, (what, why) in answers.items() if what != REPAIRED],
    )  # fmt: skip
    _follow_refused(case, ordered.repairs, made)
    after = persist(
        case.context,
        migration,
        lambda now: (
            (event, ()) if now.state.items is not None and now.state.items.order == order else None
        ),
        actor=actor,
    )
    return after, made


def _repair(case: Case, repairs: Sequence[dict[str, Any]]) -> dict[ItemKey, tuple[str, str]]:
    """Key -> what became of it, and why where the database refused."""
    sides = stores(case)
    keys = [each["key"] for each in repairs]
    held = opened(case).tracker.in_flight(case.state.migration, keys)
    seen = {side: store.find(keys) for side, store in sides.items()}
    answers: dict[ItemKey, tuple[str, str]] = {}
    changes: dict[str, list[ItemChange]] = {"legacy": [], "candidate": []}
    for each in repairs:
        key, side = each["key"], each["side"]
        other = "legacy" if side == "candidate" else "candidate"
        target, source = seen[side].get(key), seen[other].get(key)
        if name_of(source) != each[other] or target is None:
            answers[key] = CHANGED, ""
        elif target.state == each["state"]:
            # Made by a run that ended before it could say so.
            answers[key] = REPAIRED, ""
        elif target.state != each[side]:
            answers[key] = CHANGED, ""
        elif key in held:
            answers[key] = IN_FLIGHT, ""
        else:
            changes[side].append(ItemChange(target, each["state"]))
    for side, wanted in changes.items():
        for change, why in zip(wanted, sides[side].set_states(wanted), strict=True):
            what = {"": REPAIRED, "changed": CHANGED}.get(why, REFUSED)
            answers[change.item.key] = what, why if what == REFUSED else ""
    return answers


def _follow_refused(
    case: Case, repairs: Sequence[dict[str, Any]], made: dict[ItemKey, str]
) -> None:
    """Remember what the database refused, so that it is not ordered again at every look."""
    refused = [each for each in repairs if made[each["key"]] == REFUSED]
    if not refused:
        return
    tracker, migration = opened(case).tracker, case.state.migration
    now = case.context.timestamp
    memory = Memory.of(tracker.recall(migration), now)
    for each in refused:
        since, _ = memory.since(each["legacy"], each["candidate"], each["key"], now)
        memory.seen[each["key"]] = each["legacy"], each["candidate"], since, True
    tracker.remember(migration, memory.to_dict(), kept_for(planned(case)))


def _told(made: dict[ItemKey, str]) -> str:
    counts = {what: list(made.values()).count(what)
              for what in (REPAIRED, CHANGED, IN_FLIGHT, REFUSED)}  # fmt: skip
    words = {CHANGED: "changed meanwhile", REFUSED: "refused by the database"}
    told = ", ".join(f"{n:,} {words.get(what, what)}" for what, n in counts.items() if n)
    return f"; {told}" if told else ""
