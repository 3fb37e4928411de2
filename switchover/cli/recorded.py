"""A recorded rollout out of the ledger: its stages as they were, and its blocks as looks."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from math import floor, inf

from switchover.cli.observations import Recording
from switchover.errors import InputError
from switchover.judge.block import Look, Tally
from switchover.judge.replay import ReplayStage
from switchover.ports import Entry, Ledger

_KINDS = {"parallel": "shadow", "gradual": "canary"}
_ENDS = ("rolled_back", "aborted")


def read_recorded(
    ledger: Ledger,
    migration: str,
    attempt: int | None,
    kinds: Mapping[str, Collection[str]],
    every: float,
) -> tuple[Recording, tuple[ReplayStage, ...]]:
    """The blocks of one attempt, the newest by default, and the stages with traffic that it had.

    Raises ``InputError`` where there was no such attempt, or no stage with traffic in it.
    """
    entries = _attempt(ledger.entries(migration), migration, attempt)
    stages = tuple(_stages(entries))
    if not stages:
        raise InputError(f"{migration}: this attempt came to no stage with traffic")
    ended = [entry.at.timestamp() for entry in entries if entry.kind in _ENDS or _completes(entry)]
    since, until = stages[0].begins or 0.0, min(ended, default=inf)
    ignored: dict[str, int] = {}
    looks: dict[int, dict[str, dict[str, Tally]]] = {}
    number = 0
    for block in ledger.blocks(migration, since, until):
        number += 1
        if block.metric not in kinds:
            ignored[block.metric] = ignored.get(block.metric, 0) + 1
            continue
        look = looks.setdefault(floor(block.start / every), {})
        look.setdefault(block.metric, {}).setdefault(block.system, Tally()).add(block)
    ordered: list[tuple[float, Look]] = [(key * every, looks[key]) for key in sorted(looks)]
    return Recording(ordered, number, False, ignored), stages


def _attempt(entries: Sequence[Entry], migration: str, wanted: int | None) -> Sequence[Entry]:
    starts = [place for place, entry in enumerate(entries) if entry.kind == "started"]
    number = len(starts) if wanted is None else wanted
    if not 1 <= number <= len(starts):
        raise InputError(f"--attempt: {migration} had {len(starts)}, and no attempt {number}")
    return entries[starts[number - 1] : [*starts, len(entries)][number]]


def _stages(entries: Sequence[Entry]) -> Iterator[ReplayStage]:
    for entry in entries:
        event = entry.payload
        if entry.kind == "stage_entered" and event["mode"] in _KINDS:
            yield ReplayStage(
                title=str(event["title"]),
                kind=_KINDS[event["mode"]],
                bake=max(0.0, event["not_before"] - event["at"]),
                split=event["split"] / 10_000,
                begins=float(event["at"]),
            )


def _completes(entry: Entry) -> bool:
    return entry.kind == "stage_entered" and entry.payload["mode"] == "candidate_only"
