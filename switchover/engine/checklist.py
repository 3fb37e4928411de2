"""The checklist before the candidate's first traffic: what is done, what is missing."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from typing import Any

from switchover.engine.collect import at_stage, revise
from switchover.engine.context import Case
from switchover.machine.state import TERMINAL, SignOff
from switchover.plan.checklist import ITEMS, Checklist, SignOffItem
from switchover.plan.units import spoken


@dataclass(frozen=True, slots=True)
class ChecklistItem:
    """``id`` names it in commands; ``found`` is what it rests on, ``advice`` what to do."""

    id: str
    text: str
    done: bool
    found: str
    advice: str

    def to_dict(self) -> dict[str, Any]:
        """Plain JSON."""
        return asdict(self)


def checklist(case: Case, stored: dict[str, Any] | None) -> tuple[ChecklistItem, ...]:
    """Every item of the plan's checklist as it stands now; ``stored`` is the evidence."""
    section = case.plan.checklist
    if section is None:
        return ()
    items = [_engine_item(case, section, name, stored) for name in section.items]
    items += [_signed_item(case, item) for item in section.sign_offs if not item.instead_of]
    return tuple(items)


def missing(case: Case, stored: dict[str, Any] | None) -> str:
    """The sentence for a checklist that lets no traffic begin; empty where it is complete, or
    where the next stage is not the one that it stands before."""
    if case.plan.checklist is None or not before_traffic(case):
        return ""
    items = [item for item in checklist(case, stored) if not item.done]
    words = "; ".join(f"{item.id} ({item.text}): {item.found}, {item.advice}" for item in items)
    return f"the checklist is not complete: {words}" if items else ""


def before_traffic(case: Case) -> bool:
    """True where the next stage is the first in which the candidate serves anybody."""
    following = case.stages[case.state.stage + 1 : case.state.stage + 2]
    return case.state.split == 0 and any(s.split for s in following) and _lives(case)


def note_look(case: Case) -> None:
    """Leave word that the monitor looked, where the checklist will ask for it."""
    section, context, migration = case.plan.checklist, case.context, case.state.migration
    if section is None or "monitoring" not in section.items or not before_traffic(case):
        return
    now = context.timestamp
    known = context.ledger.evidence(migration)
    if known is not None and now - known.get("looked_at", 0.0) < section.monitored_within / 4:
        # Fresh enough: a look that finds nothing writes nothing.
        return
    revise(context, migration, lambda stored: {**at_stage(case, stored), "looked_at": now})


def _lives(case: Case) -> bool:
    return case.state.phase not in TERMINAL


def _engine_item(
    case: Case, section: Checklist, name: str, stored: dict[str, Any] | None
) -> ChecklistItem:
    text, advice = ITEMS[name]
    if name == "rollback_drilled":
        done, found = _drilled(case, section)
        stand_in = _stand_in(section, name)
        if stand_in is not None:
            advice += f", or {_how(case, stand_in)}"
    elif name == "monitoring":
        done, found = _monitored(case, section, stored)
    else:
        stage = "adapters" if name == "adapters" else "checks"
        done = _passed(case, stage)
        found = f"the {stage} stage has {'' if done else 'not '}passed"
    return ChecklistItem(name, text, done, found, advice)


def _passed(case: Case, kind: str) -> bool:
    """Whether a stage of work is done: nothing comes after it before it is."""
    index = next((stage.index for stage in case.stages if stage.kind == kind), None)
    state = case.state
    if index is None or state.stage < index:
        return False
    return state.stage > index or (state.work is not None and state.work.ok)


def _drilled(case: Case, section: Checklist) -> tuple[bool, str]:
    at, migration = case.context.fleet.drilled
    age = case.context.timestamp - at
    if at and age <= section.drilled_within:
        return True, f"a rollback of {migration} reached every router at {_moment(at)}"
    stand_in = _stand_in(section, "rollback_drilled")
    signed = _signature(case, stand_in.id) if stand_in is not None else None
    if signed is not None:
        return True, _signed(signed)
    within = spoken(section.drilled_within)
    last = f"the last one was at {_moment(at)}" if at else "none is on record"
    return False, f"no rollback was measured within {within} ({last})"


def _monitored(case: Case, section: Checklist, stored: dict[str, Any] | None) -> tuple[bool, str]:
    now, within = case.context.timestamp, section.monitored_within
    current = stored is not None and stored["attempt"] == case.state.attempt
    looked = stored.get("looked_at", 0.0) if stored is not None and current else 0.0
    heard = stored["last_at"] if stored is not None and current else 0.0
    wanted = any(stage.shadow for stage in case.stages[: case.state.stage + 1])
    told = [_ago("the monitor looked", looked, now)]
    told += [_ago("evidence came", heard, now)] * wanted
    fresh = now - looked <= within and (not wanted or now - heard <= within)
    return fresh, " and ".join(told) + ("" if fresh else f" (within {spoken(within)} is asked)")


def _ago(what: str, at: float, now: float) -> str:
    return f"{what} {spoken(round(max(0.0, now - at)))} ago" if at else f"{what} never"


def _signed_item(case: Case, item: SignOffItem) -> ChecklistItem:
    signed = _signature(case, item.id)
    found = _signed(signed) if signed is not None else "not signed"
    return ChecklistItem(item.id, item.text, signed is not None, found, _how(case, item))


def _how(case: Case, item: SignOffItem) -> str:
    names = signers(case, item)
    who = f"{item.role}: {', '.join(names)}" if item.role else ", ".join(names)
    return f"`switchover sign {case.state.migration} {item.id} --by NAME` ({who})"


def signers(case: Case, item: SignOffItem) -> Sequence[str]:
    """Who may sign it."""
    if item.who is not None:
        return (item.who,)
    approvals = case.plan.approvals
    return tuple(approvals.roles.get(item.role or "", ())) if approvals else ()


def _stand_in(section: Checklist, name: str) -> SignOffItem | None:
    return next((item for item in section.sign_offs if item.instead_of == name), None)


def _signature(case: Case, item: str) -> SignOff | None:
    return next((signed for signed in case.state.sign_offs if signed.item == item), None)


def _signed(signed: SignOff) -> str:
    note = f": {signed.note}" if signed.note else ""
    return f"signed by {signed.by} at {_moment(signed.at)}{note}"


def _moment(at: float) -> str:
    return datetime.fromtimestamp(at, UTC).isoformat(timespec="minutes")


def open_sign_offs(case: Case) -> Iterator[SignOffItem]:
    """The sign-offs of the plan that nobody has given in this attempt."""
    section = case.plan.checklist
    yield from (i for i in (section.sign_offs if section else ()) if not _signature(case, i.id))
