"""Collect: bring every block of evidence into the ledger's database exactly once."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from switchover.engine.context import Case, Context
from switchover.engine.losses import account, done_with, entering_stage, settle
from switchover.engine.mismatches import keep_mismatches
from switchover.engine.sources import read_sources
from switchover.engine.targets import observed
from switchover.engine.triggers import trigger_windows
from switchover.judge import rollout
from switchover.judge.block import Block, tally
from switchover.judge.gate import GateSpec
from switchover.judge.heartbeat import Heartbeat
from switchover.judge.rollout import Evidence
from switchover.judge.silence import heard_key, unread
from switchover.machine.state import Phase

#: Blocks read from the stream at once.
BATCH = 5_000

#: The evidence as it shall be, from what is stored (None before the first collection).
Revision = Callable[[dict[str, Any] | None], dict[str, Any]]


@dataclass(frozen=True, slots=True)
class Collected:
    """What one collection brought."""

    fresh: int
    duplicates: int
    malformed: int


def collect(
    context: Context, migration: str, case: Case | None = None, *, elsewhere: bool = True
) -> Collected:
    """Read the stream from the stored cursor to its end, then what is due of the plan's other
    sources, and fold each batch into the evidence.

    Running it again, or twice at once, changes nothing: a block's id is unique. ``case`` saves
    a caller that has just opened the migration another look at it. Without ``elsewhere`` only the
    stream is read: a person's machine need not reach the other sources, nor have their tokens.
    """
    case = case or context.open(migration)
    fresh = duplicates = malformed = 0
    if case.state.phase is Phase.COMPLETE and not case.watched:
        return Collected(0, 0, 0)
    # In this order: see ``settle``.
    known = (context.ledger.evidence(migration) or {}).get("recorders", {})
    heartbeats = context.stream.heartbeats(migration)
    cursor = context.ledger.cursor(migration)
    while True:
        blocks, after, broken = context.stream.read(migration, cursor, BATCH)
        malformed += broken
        if after == cursor:
            break
        ingested = context.ledger.ingest(
            migration,
            blocks,
            after,
            lambda stored, new: fold(case, stored, new, heartbeats),
            part=part_of,
        )
        fresh += ingested.fresh
        duplicates += ingested.duplicates
        cursor = after
        context.stream.trim(migration, cursor)
        if len(blocks) + broken < BATCH:
            # That was the end; what came meanwhile is for the next collection.
            break
    if case.watched:
        _settle(case, heartbeats, known)
    keep_mismatches(case)
    if not (elsewhere and case.plan.sources):
        return Collected(fresh, duplicates, malformed)
    found = read_sources(case, at_stage(case, context.ledger.evidence(migration)))
    if found.by_source:
        ingested = context.ledger.ingest(
            migration,
            found.blocks,
            cursor,
            lambda stored, new: found.noted(
                fold(case, stored, [block for block in new if block.n]), new
            ),
            always=True,
            part=part_of,
        )
        fresh += ingested.fresh
        duplicates += ingested.duplicates
    return Collected(fresh, duplicates, malformed)


def _settle(case: Case, heartbeats: Sequence[Heartbeat], before: dict[str, Any]) -> None:
    """Compare what recorders say with what came, and let go of those that say nothing more."""
    context, migration = case.context, case.state.migration

    def settled(stored: dict[str, Any] | None) -> dict[str, Any]:
        document = at_stage(case, stored)
        account = settle(
            document.get("recorders", {}), heartbeats, document["since"], context.timestamp,
            before,
        )  # fmt: skip
        return {**document, "recorders": account}

    stored = context.ledger.evidence(migration)
    if not heartbeats and not (stored or {}).get("recorders", {}).get("live"):
        return
    # An idle look writes nothing.
    if settled(stored)["recorders"] != (stored or {}).get("recorders", {}):
        stored = revise(context, migration, settled)
    account = (stored or {}).get("recorders", {})
    context.stream.forget(migration, done_with(account, heartbeats))


def revise(context: Context, migration: str, change: Revision) -> dict[str, Any]:
    """Change the evidence without new blocks, in one transaction; gives it as it is then."""
    ledger = context.ledger
    cursor = ledger.cursor(migration)
    return ledger.ingest(
        migration, (), cursor, lambda stored, _: change(stored), always=True
    ).evidence


def fold(
    case: Case,
    stored: dict[str, Any] | None,
    blocks: Sequence[Block],
    heartbeats: Sequence[Heartbeat] = (),
) -> dict[str, Any]:
    """The evidence after ``blocks``: everything of this attempt counts against the candidate,
    only what was recorded since the stage began counts for it."""
    document = at_stage(case, stored)
    since = document["since"]
    if case.watched:
        recorders = account(document.get("recorders", {}), blocks, heartbeats, since)
        document = {**document, "recorders": recorders, "late": late(document, blocks)}
    current = [block for block in blocks if block.start >= since]
    if not current:
        return document
    # A recorder whose clock is ahead must not hide that it falls silent.
    now = case.context.timestamp
    last = min(max(block.start + block.seconds for block in current), now)
    heard = dict(document.get("heard", {}))
    judged = {metric for gate in case.gates for metric in (gate.metric, gate.noise)}
    for block in current:
        if block.metric in judged and block.n > 0:
            key = heard_key(block.metric, block.system)
            heard[key] = max(min(block.start + block.seconds, now), heard.get(key, 0.0))
    evidence = Evidence.from_dict(document["judge"])
    for age, part in by_age(case.gates, current, document["entered_at"]):
        evidence = rollout.observe(
            case.gates,
            case.rules,
            evidence,
            tally(part),
            tally(block for block in part if _of_stage(block, document)),
            at=last,
            age=age,
            since=min(block.start for block in part),
        )
    return {
        **document,
        "judge": evidence.to_dict(),
        "last_at": max(document["last_at"], last),
        "heard": unread(case.gates, case.rules, evidence, heard, document["entered_at"]),
        "blocks": document["blocks"] + len(current),
        "targets": observed(case, document, current),
        "triggers": trigger_windows(case, document, current),
    }


def late(document: dict[str, Any], blocks: Iterable[Block]) -> dict[str, int]:
    """How many observations came after their stage had ended: those of an earlier stage speak
    against the candidate and not for it, those from before the attempt are left out."""
    counts = {"earlier_stage": 0, "left_out": 0, **document.get("late", {})}
    for block in blocks:
        part = part_of(document, block)
        if part is None:
            counts["left_out"] += block.n
        elif part[1] < document["stage"] and block.start + block.seconds <= document["entered_at"]:
            counts["earlier_stage"] += block.n
    return counts


def by_age(
    gates: Sequence[GateSpec], blocks: Sequence[Block], entered_at: float
) -> list[tuple[float, list[Block]]]:
    """``blocks`` apart by the warm-ups they fall into, with how old the stage was at least.

    What was recorded before the stage is late, not early: it is judged.
    """
    ends = sorted({0.0, *(gate.warm_up for gate in gates)})
    parts: dict[float, list[Block]] = {}
    for block in blocks:
        age = block.start - entered_at
        reached = ends[-1] if age < 0.0 else ends[bisect_right(ends, age) - 1]
        parts.setdefault(reached, []).append(block)
    return sorted(parts.items())


def _of_stage(block: Block, document: dict[str, Any]) -> bool:
    """Recorded since the stage began, by its time and, where it is known, by its epoch: with a
    clock that is ahead, answers at the old split would speak for the new one."""
    by_epoch = block.epoch == 0 or block.epoch >= document.get("epoch", 0)
    return by_epoch and bool(block.start >= document["entered_at"])


def course(document: dict[str, Any]) -> list[list[Any]]:
    """The stages of this attempt in which evidence was collected: number, beginning, epoch."""
    if "course" in document:
        return list(document["course"])
    # From before it was kept: the stage that the evidence stands at is known.
    present = [document["stage"], document.get("entered_at", 0.0), document.get("epoch", 0)]
    return [present] if document["stage"] >= 0 else []


def part_of(document: dict[str, Any], block: Block) -> tuple[int, int] | None:
    """The attempt and the stage that a block was recorded in, by the rule that the gates go by;
    None for one from before the attempt."""
    if block.start < document["since"]:
        return None
    stage = None
    for number, began, epoch in course(document):
        if stage is None or (block.start >= began and (not block.epoch or block.epoch >= epoch)):
            stage = number
    return None if stage is None else (document["attempt"], stage)


def at_stage(case: Case, stored: dict[str, Any] | None) -> dict[str, Any]:
    """The stored evidence, turned to the present attempt and stage.

    A new attempt starts from nothing; a new stage keeps what speaks against the candidate and
    starts anew with what speaks for it. It never turns back: a collector that read the ledger
    before a step leaves the evidence of the newer stage as it is.
    """
    state = case.state
    if stored is None or stored["attempt"] < state.attempt:
        document: dict[str, Any] = {
            "attempt": state.attempt,
            "stage": -1,
            "since": state.entered_at,
            "judge": rollout.begin(case.gates).to_dict(),
            "last_at": 0.0,
            "blocks": 0,
            "sources": (stored or {}).get("sources", {}),
        }
    else:
        document = stored
    if document["attempt"] > state.attempt or document["stage"] >= state.stage:
        return document
    stage = case.stage
    turned = rollout.enter_stage(
        Evidence.from_dict(document["judge"]), stage.key, stage.kind, stage.split / 10_000
    )
    return {
        **document,
        "stage": state.stage,
        "entered_at": state.entered_at,
        "epoch": state.turned,
        "course": [*course(document), [state.stage, state.entered_at, state.turned]],
        "judge": turned.to_dict(),
        "recorders": entering_stage(document.get("recorders", {}), case.context.timestamp),
    }
