"""Sources: metrics from elsewhere, read on from where the evidence says, each event once.

The evidence keeps a mark for every feed, and moves it in the transaction that stores the blocks
up to it. A block's id is made of the mark before it. So a crash in between repeats the reading,
and of two readings from one mark the ledger takes the first.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from switchover.engine.context import Case
from switchover.judge.block import Block
from switchover.judge.silence import heard_key
from switchover.plan.sources import Source, feeds
from switchover.plan.spec import Plan
from switchover.plan.units import spoken
from switchover.ports import Mark, Reading


@dataclass(frozen=True, slots=True)
class Readings:
    """What the sources gave, by source."""

    now: float
    by_source: dict[str, list[Reading]]

    @property
    def blocks(self) -> list[Block]:
        """All blocks; one without events is there too, as it uses up its mark."""
        return [
            block
            for readings in self.by_source.values()
            for reading in readings
            for block in reading.blocks
        ]

    def noted(self, document: dict[str, Any], fresh: Sequence[Block]) -> dict[str, Any]:
        """The evidence with the marks of those readings whose blocks were new, and the errors."""
        new = {block.id for block in fresh}
        sources = {name: dict(known) for name, known in document.get("sources", {}).items()}
        for source, readings in self.by_source.items():
            known = sources.setdefault(source, {})
            for reading in readings:
                before = known.get(reading.feed, {})
                if reading.error:
                    since = before.get("failing_since") or self.now
                    known[reading.feed] = {
                        **before, "error": reading.error, "failing_since": since
                    }  # fmt: skip
                elif reading.mark is not None and _moves(before, reading, new, document["since"]):
                    mark = reading.mark
                    known[reading.feed] = {
                        "at": mark.at, "digest": mark.digest, "memory": mark.memory
                    }  # fmt: skip
        return {**document, "sources": sources}


@dataclass(frozen=True, slots=True)
class Unreadable:
    """Sources that a deciding gate needs and that can't be read now. ``since`` is when the first
    of them failed or the stage began; ``overdue`` after its plan's limit, ``goes_back`` if the
    plan then wants a rollback. ``heard`` are the metrics and systems that they would tell."""

    text: str
    since: float
    overdue: bool
    goes_back: bool
    heard: frozenset[tuple[str, str]]


def read_sources(case: Case, document: dict[str, Any]) -> Readings:
    """Ask every source of the plan for what is due. ``document`` is the evidence at the present
    stage. Nothing is read for a migration that is neither watched any more nor validated."""
    context = case.context
    now = context.timestamp
    if context.sources is None or not case.plan.sources:
        return Readings(now, {})
    if not case.watched and not case.validated:
        return Readings(now, {})
    found = {}
    for source in context.sources(case.plan):
        known = document.get("sources", {}).get(source.name, {})
        marks = {
            feed: Mark(entry["at"], entry["digest"], entry["memory"])
            for feed, entry in known.items()
            if "at" in entry
        }
        found[source.name] = source.read(marks, since=document["since"], now=now)
    return Readings(now, {name: readings for name, readings in found.items() if readings})


def unreadable(case: Case, document: dict[str, Any] | None) -> Unreadable | None:
    """What can't be read now of what the present stage's gates decide by; None when all can."""
    if document is None or case.stage.work or not case.watched:
        return None
    failed = list(_failed(case, document))
    if not failed:
        return None
    now = case.context.timestamp
    texts: dict[str, str] = {}
    for source, key, since, error, _ in failed:
        lasts = f", for {spoken(round(now - since))} now" if now > since else ""
        about = f"source {source.name} can't be read{lasts}"
        texts.setdefault(source.name, f"{about}: {key}: {error}")
    late = [source for source, _, since, _, _ in failed if now - since >= source.unreadable_after]
    return Unreadable(
        text="; ".join(texts.values()),
        since=min(since for _, _, since, _, _ in failed),
        overdue=bool(late),
        goes_back=any(source.unreadable == "rollback" for source in late),
        heard=frozenset(pair for _, _, _, _, pairs in failed for pair in pairs),
    )


def told_by(plan: Plan, key: str) -> str:
    """The name of the source that tells what ``heard_key`` names; empty when none does."""
    for source in plan.sources:
        for feed in feeds(source):
            if key in (heard_key(feed.metric, system) for system in feed.systems):
                return source.name
    return ""


def standing(document: dict[str, Any] | None) -> list[dict[str, Any]]:
    """How far each feed is read, and why it can't be; for people."""
    return [
        {"source": source, "feed": feed, "read_until": entry.get("at"),
         "error": entry.get("error") or None, "failing_since": entry.get("failing_since")}
        for source, known in sorted((document or {}).get("sources", {}).items())
        for feed, entry in sorted(known.items())
    ]  # fmt: skip


def _moves(before: dict[str, Any], reading: Reading, new: set[str], since: float) -> bool:
    """Whether the reading's mark is to be kept: another may have been faster."""
    mark = reading.mark
    if mark is None:
        return False
    usable = before.get("digest") == mark.digest and before.get("at", since) >= since
    if reading.blocks:
        ahead = not usable or mark.at > before["at"]
        return ahead and all(block.id in new for block in reading.blocks)
    return not usable


def _failed(
    case: Case, document: dict[str, Any]
) -> Iterator[tuple[Source, str, float, str, tuple[tuple[str, str], ...]]]:
    """Source, feed, since when, why, and what it would tell; only what decides."""
    asked = {
        metric
        for gate in case.gates
        if case.stage.kind in gate.stages and not gate.report_only
        for metric in (gate.metric, gate.noise)
    }
    for source in case.plan.sources:
        known = document.get("sources", {}).get(source.name, {})
        for feed in feeds(source):
            entry = known.get(feed.key, {})
            if feed.metric in asked and entry.get("error"):
                since = max(entry["failing_since"], case.state.entered_at)
                pairs = tuple((feed.metric, system) for system in feed.systems)
                yield source, feed.key, since, entry["error"], pairs
