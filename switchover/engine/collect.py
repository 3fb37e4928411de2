"""Collect: bring every block of evidence into the ledger's database exactly once."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from switchover.engine.context import Case, Context
from switchover.judge import rollout
from switchover.judge.block import Block, tally
from switchover.judge.rollout import Evidence

#: Blocks read from the stream at once.
BATCH = 5_000


@dataclass(frozen=True, slots=True)
class Collected:
    """What one collection brought."""

    fresh: int
    duplicates: int
    malformed: int


def collect(context: Context, migration: str, case: Case | None = None) -> Collected:
    """Read the stream from the stored cursor to its end and fold each batch into the evidence.

    Running it again, or twice at once, changes nothing: a block's id is unique. ``case`` saves
    a caller that has just opened the migration another look at it.
    """
    case = case or context.open(migration)
    fresh = duplicates = malformed = 0
    cursor = context.ledger.cursor(migration)
    while True:
        blocks, after, broken = context.stream.read(migration, cursor, BATCH)
        malformed += broken
        if after == cursor:
            break
        ingested = context.ledger.ingest(
            migration, blocks, after, lambda stored, new: fold(case, stored, new)
        )
        fresh += ingested.fresh
        duplicates += ingested.duplicates
        cursor = after
        context.stream.trim(migration, cursor)
        if len(blocks) + broken < BATCH:
            # That was the end; what came meanwhile is for the next collection.
            break
    return Collected(fresh, duplicates, malformed)


def fold(case: Case, stored: dict[str, Any] | None, blocks: Sequence[Block]) -> dict[str, Any]:
    """The evidence after ``blocks``: everything of this attempt counts against the candidate,
    only what was recorded since the stage began counts for it."""
    document = at_stage(case, stored)
    since = document["since"]
    current = [block for block in blocks if block.start >= since]
    if not current:
        return document
    # A recorder whose clock is ahead must not hide that it falls silent.
    now = case.context.timestamp
    last = min(max(block.start + block.seconds for block in current), now)
    heard = dict(document.get("heard", {}))
    judged = {gate.metric for gate in case.gates}
    for block in current:
        if block.metric in judged and block.n > 0:
            key = heard_key(block.metric, block.system)
            heard[key] = max(min(block.start + block.seconds, now), heard.get(key, 0.0))
    evidence = rollout.observe(
        case.gates,
        case.rules,
        Evidence.from_dict(document["judge"]),
        tally(current),
        tally(block for block in current if _of_stage(block, document)),
        at=last,
    )
    return {
        **document,
        "judge": evidence.to_dict(),
        "last_at": max(document["last_at"], last),
        "heard": heard,
        "blocks": document["blocks"] + len(current),
    }


def heard_key(metric: str, system: str) -> str:
    """Under what the evidence keeps when it last heard of a metric; pairs are the candidate's."""
    return f"{'legacy' if system == 'legacy' else 'candidate'} {metric}"


def _of_stage(block: Block, document: dict[str, Any]) -> bool:
    """Recorded since the stage began, by its time and, where it is known, by its epoch: with a
    clock that is ahead, answers at the old split would speak for the new one."""
    by_epoch = block.epoch == 0 or block.epoch >= document.get("epoch", 0)
    return by_epoch and bool(block.start >= document["entered_at"])


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
        }
    else:
        document = stored
    if document["attempt"] > state.attempt or document["stage"] >= state.stage:
        return document
    stage = case.stage
    turned = rollout.enter_stage(Evidence.from_dict(document["judge"]), stage.key, stage.kind)
    return {
        **document,
        "stage": state.stage,
        "entered_at": state.entered_at,
        "epoch": state.turned,
        "judge": turned.to_dict(),
    }
