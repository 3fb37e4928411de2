"""Losses: what recorders shipped and never arrived, to the observation. Pure.

A recorder numbers its observations: each block says how many it has shipped with this one, and
its heartbeat how many have left it at all. Blocks go in order and are stored once, so whatever
lies below the highest number and is not stored is lost, be it dropped by a recorder that could
not ship, trimmed off a full stream or gone with a store. A process that is killed takes with it
what it counted since its last shipment: how much that was nobody knows, but that it ended without
signing off is seen, and one interval is the most.

The account is kept in the evidence and moves in the transaction that stores the blocks.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from math import inf
from typing import Any

from switchover.judge.block import Block
from switchover.judge.heartbeat import LEAST, Heartbeat

#: A recorder that fell silent is forgotten after so many seconds, or when so many have.
FORGOTTEN, MOST = 86_400.0, 1_000

#: The account of one attempt, and within it of each recorder that has not signed off.
Account = dict[str, Any]

_EMPTY: Account = {"round": 0, "seen": 0, "lost": 0, "unsigned": 0, "live": {}, "stage": {}}


@dataclass(frozen=True, slots=True)
class Losses:
    """Observations ``seen`` and ``lost``, and recorders that ended ``unsigned``, each since the
    stage began; ``interval`` is the most, in seconds, that one of these took with it."""

    seen: int
    lost: int
    unsigned: int
    interval: float

    @property
    def share(self) -> float:
        """The lost share of what was shipped."""
        return self.lost / (self.seen + self.lost) if self.lost else 0.0

    @property
    def text(self) -> str:
        """What people are told; empty without a loss."""
        told = []
        if self.lost:
            told.append(f"{self.lost:,} of {self.seen + self.lost:,} recorded observations "
                        f"({self.share:.1%}) were lost on their way")  # fmt: skip
        if self.unsigned:
            ended = "process" if self.unsigned == 1 else "processes"
            told.append(f"{self.unsigned:,} {ended} ended without signing off, each with what it "
                        f"recorded in its last {self.interval:g} s at most")  # fmt: skip
        return "; ".join(told)


def account(known: Account, blocks: Sequence[Block], heartbeats: Iterable[Heartbeat],
            since: float) -> Account:  # fmt: skip
    """The account after fresh blocks, of an attempt that began at ``since``."""
    blocks = [block for block in blocks if block.recorder]
    if not blocks:
        return known
    said = {heartbeat.recorder: heartbeat for heartbeat in heartbeats}
    live = {name: dict(entry) for name, entry in {**_EMPTY, **known}["live"].items()}
    for block in blocks:
        entry = live.get(block.recorder)
        if entry is None:
            older = _older(said.get(block.recorder), since)
            before = block.upto - block.n if older else 0
            entry = live[block.recorder] = {"seen": before, "upto": before}
        entry["seen"] += block.n
        entry["upto"] = max(entry["upto"], block.upto)
    document = {**_EMPTY, **known, "live": live}
    return {**document, "seen": document["seen"] + sum(block.n for block in blocks)}


def settle(known: Account, heartbeats: Sequence[Heartbeat], since: float, now: float,
           before: Account) -> Account:  # fmt: skip
    """The account after the stream was read to its end beyond these heartbeats.

    ``before`` is the account as it was just before they were read. In another round, recorders of
    these heartbeats may have been forgotten already, and nothing changes. A recorder is missing
    from the heartbeats only if it was in that account: another may be younger than they are.
    """
    document = {**_EMPTY, **known}
    earlier = {**_EMPTY, **before}
    if document["round"] != earlier["round"]:
        return known
    live = {name: dict(entry) for name, entry in document["live"].items()}
    for heartbeat in heartbeats:
        start = heartbeat.upto if _older(heartbeat, since) else 0
        entry = live.setdefault(heartbeat.recorder, {"seen": start, "upto": start})
        entry["upto"] = max(entry["upto"], heartbeat.upto)
        entry.update(dropped=heartbeat.dropped, every=heartbeat.every, process=heartbeat.process)
        if heartbeat.ended:
            entry["ended"] = True
        if heartbeat.overdue:
            entry.setdefault("silent_since", now)
        else:
            entry.pop("silent_since", None)
    missing = (earlier["live"].keys() & live.keys()) - {each.recorder for each in heartbeats}
    for name in missing:
        if "ended" not in live[name]:
            live[name].setdefault("silent_since", now)
    # Its sign-off was dropped after it was on record, and a recorder says nothing after that.
    gone = {name for name in missing if "ended" in earlier["live"][name]} | _long_silent(live, now)
    document["lost"] += sum(_missing(live[name]) for name in gone)
    document["unsigned"] += sum("ended" not in live[name] for name in gone)
    document["live"] = {name: entry for name, entry in live.items() if name not in gone}
    document["round"] += bool(gone)
    return known if document == {**_EMPTY, **known} else document


def done_with(account: Account, heartbeats: Iterable[Heartbeat]) -> list[Heartbeat]:
    """Heartbeats that say nothing beyond what ``account`` holds: their recorders signed off, or
    fell silent. One that was only slow says so again."""
    live = account.get("live", {})
    return [
        heartbeat
        for heartbeat in heartbeats
        if (heartbeat.ended and "ended" in live.get(heartbeat.recorder, ()))
        or (heartbeat.overdue and "silent_since" in live.get(heartbeat.recorder, ()))
    ]


def entering_stage(known: Account, now: float) -> Account:
    """The account when a stage begins."""
    document = {**_EMPTY, **known}
    return {**document, "stage": _totals(document, now)}


def losses(known: Account, now: float) -> Losses:
    """What was lost since the stage began."""
    document = {**_EMPTY, **known}
    total, before = _totals(document, now), document["stage"]
    intervals = [entry.get("every", 0.0) for entry in _unsigned(document, now)]
    return Losses(
        seen=total["seen"] - before.get("seen", 0),
        # A slow recorder that comes back takes its loss back.
        lost=max(0, total["lost"] - before.get("lost", 0)),
        unsigned=max(0, total["unsigned"] - before.get("unsigned", 0)),
        interval=max(intervals, default=0.0),
    )


def _totals(document: Account, now: float) -> dict[str, int]:
    live = document["live"].values()
    return {
        "seen": document["seen"],
        "lost": document["lost"] + sum(_missing(entry) for entry in live),
        "unsigned": document["unsigned"] + len(_unsigned(document, now)),
    }


def _missing(entry: Account) -> int:
    return max(0, int(entry["upto"] - entry["seen"]))


def _unsigned(document: Account, now: float) -> list[Account]:
    """Recorders that stayed silent: after an outage all of them are overdue for a moment."""
    return [
        entry
        for entry in document["live"].values()
        if "ended" not in entry and entry.get("silent_since", inf) <= now - LEAST
    ]


def _long_silent(live: dict[str, Account], now: float) -> set[str]:
    silent = sorted((entry["silent_since"], name) for name, entry in live.items()
                    if "silent_since" in entry and "ended" not in entry)  # fmt: skip
    most = max(0, len(silent) - MOST)
    return {
        name for place, (at, name) in enumerate(silent) if place < most or at <= now - FORGOTTEN
    }


def _older(heartbeat: Heartbeat | None, since: float) -> bool:
    """Whether the recorder began before the attempt: what it shipped before is no loss of it."""
    return heartbeat is not None and heartbeat.since < since
