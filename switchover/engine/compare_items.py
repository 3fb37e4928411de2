"""Compare the work items of both sides: what disagrees for longer than it takes to settle."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass, field
from itertools import islice
from typing import Any

from switchover.canonical import digest_of
from switchover.clock import iso
from switchover.engine.context import Case, Context, ItemPorts
from switchover.engine.disagreement import (
    FOLLOWED,
    REPORT,
    Disagreement,
    Memory,
    Rules,
    last_change,
    name_of,
    paired,
)
from switchover.errors import InputError
from switchover.plan.units import spoken
from switchover.plan.work_items import WorkItems
from switchover.ports import Item, ItemStore

#: Disagreements that a finding lists, and those of them that go on record.
LISTED, SAMPLES = 1_000, 20
#: Items whose claims are asked for at once.
_CHUNK = 1_000

_Pair = tuple[Item | None, Item | None]


@dataclass(slots=True)
class Findings:
    """What one look found.

    ``compared`` counts keys; ``settling`` differ and changed a moment ago, ``in_flight`` are
    held by a claim, ``waiting`` have to be seen again. ``listed`` are the first disagreements by
    key, ``repairs`` those that a rule repairs, up to the plan's limit. ``blind`` is true until
    looks go back as far as it takes to settle.
    """

    at: float
    compared: int = 0
    settling: int = 0
    in_flight: int = 0
    waiting: int = 0
    disagreements: int = 0
    blind: bool = False
    counts: Counter[str] = field(default_factory=Counter)
    listed: list[Disagreement] = field(default_factory=list)
    repairs: list[Disagreement] = field(default_factory=list)

    @property
    def digest(self) -> str:
        """Tells this finding from another; empty when nothing disagrees."""
        return digest_of([self.counts, self.samples]) if self.disagreements else ""

    @property
    def samples(self) -> list[dict[str, Any]]:
        """The first disagreements, short enough for the record."""
        return [{"key": d.key, "legacy": d.legacy, "candidate": d.candidate}
                for d in self.listed[:SAMPLES]]  # fmt: skip

    @property
    def sentence(self) -> str:
        """The finding in words."""
        text = f"{self.compared:,} items compared, {self.disagreements:,} disagree"
        if self.counts:
            text += f" (legacy / candidate: {_told(self.counts)})"
        more = {"settling": self.settling, "in flight": self.in_flight,
                "to be seen again": self.waiting}  # fmt: skip
        return text + "".join(f", {count:,} {what}" for what, count in more.items() if count)

    def to_dict(self) -> dict[str, Any]:
        """As JSON, for programs; times are ISO 8601."""
        listed = [{**each.to_dict(), "since": iso(each.since)} for each in self.listed]
        return {
            "at": iso(self.at), "compared": self.compared, "disagreements": self.disagreements,
            "settling": self.settling, "in_flight": self.in_flight, "waiting": self.waiting,
            "counts": dict(self.counts), "listed": listed,
        }  # fmt: skip


def _told(counts: Counter[str]) -> str:
    first = "; ".join(f"{pair}: {count:,}" for pair, count in counts.most_common(3))
    return first + ("; …" if len(counts) > 3 else "")


def planned(case: Case) -> WorkItems:
    """The plan's section; ``InputError`` where there is none."""
    if case.plan.work_items is None:
        raise InputError(
            f"the plan of {case.state.migration} names no work_items; see "
            "docs/how-to/reconcile-work-items.md"
        )
    return case.plan.work_items


def opened(case: Case) -> ItemPorts:
    """How items are reached."""
    if case.context.items is None:
        raise InputError("this engine was built without access to work items; pass items=…")
    return case.context.items


def stores(case: Case) -> dict[str, ItemStore]:
    """The items of both sides."""
    spec, ports = planned(case), opened(case)
    return {"legacy": ports.store(spec.legacy, "legacy"),
            "candidate": ports.store(spec.candidate, "candidate")}  # fmt: skip


def items_due(context: Context, migration: str) -> bool:
    """True when the plan has work items, and the last look is as long ago as it wants."""
    case = context.open(migration)
    if case.plan.work_items is None:
        return False
    known = opened(case).tracker.recall(migration)
    return known is None or context.timestamp - known["at"] >= case.plan.work_items.every


def compare_items(case: Case, *, again: bool = False) -> Findings:
    """Read both sides once, in the order of keys, and remember what has to be seen again.

    Nothing is changed. ``again`` also offers repairs that a database refused before.
    """
    spec, now = planned(case), case.context.timestamp
    tracker, migration = opened(case).tracker, case.state.migration
    memory = Memory.of(tracker.recall(migration), now)
    found = Findings(now, blind=now - memory.began < spec.settle)
    look = _Look(spec, Rules(spec), memory, Memory(memory.began, now), found, again)
    sides = stores(case)
    with closing(sides["legacy"].items()) as legacy, closing(sides["candidate"].items()) as other:
        suspects = look.suspects(paired(legacy, other))
        while chunk := list(islice(suspects, _CHUNK)):
            held = tracker.in_flight(migration, [_key(pair) for pair in chunk])
            found.in_flight += len(held)
            for pair in chunk:
                if _key(pair) not in held:
                    look.weigh(pair)
    tracker.remember(migration, look.next.to_dict(), kept_for(spec))
    return found


def kept_for(spec: WorkItems) -> float:
    """Seconds for which a look is remembered: a longer pause is a break."""
    return 2 * (spec.settle + spec.every)


def _key(pair: _Pair) -> Any:
    item = pair[0] or pair[1]
    return item.key if item is not None else None


@dataclass(slots=True)
class _Look:
    """One look under way."""

    spec: WorkItems
    rules: Rules
    memory: Memory
    next: Memory
    found: Findings
    again: bool

    def suspects(self, pairs: Iterator[_Pair]) -> Iterator[_Pair]:
        """Pairs that differ, and not just since a moment ago."""
        now, settle = self.found.at, self.spec.settle
        for pair in pairs:
            self.found.compared += 1
            if self.rules.agree(*pair):
                continue
            changed = last_change(pair, now, settle)
            if changed is not None and changed > now - settle:
                self.found.settling += 1
            else:
                yield pair

    def weigh(self, pair: _Pair) -> None:
        """Count one suspect: a disagreement, or to be seen again."""
        legacy, candidate = pair
        found, now = self.found, self.found.at
        seen, refused = self.memory.since(name_of(legacy), name_of(candidate), _key(pair), now)
        changed = last_change(pair, now, self.spec.settle)
        if (changed is None or refused) and len(self.next.seen) < FOLLOWED:
            self.next.seen[_key(pair)] = name_of(legacy), name_of(candidate), seen, refused
        if changed is None and now - seen < self.spec.settle:
            found.waiting += 1
            return
        judged = self.rules.judged(legacy, candidate, seen if changed is None else changed)
        found.disagreements += 1
        found.counts[judged.pair] += 1
        if len(found.listed) < LISTED:
            found.listed.append(judged)
        repairable = judged.repair != REPORT and (self.again or not refused)
        if repairable and len(found.repairs) < self.spec.limit:
            found.repairs.append(judged)


def outcome(found: Findings, left: int, spec: WorkItems) -> tuple[bool, str]:
    """Whether a step may be taken with ``left`` disagreements, and the sentence that says so."""
    if found.blind and found.waiting:
        return False, (
            f"{found.sentence}; the first look: they are disagreements if they are still there "
            f"in {spoken(spec.settle)}"
        )
    if left > spec.at_most:
        limit = f"{spec.at_most} may" if spec.at_most else "none may"
        return False, f"{found.sentence}; {left:,} unresolved, {limit} be left before a step"
    return True, found.sentence
