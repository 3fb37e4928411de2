"""Watchers: which guards live, in words."""

from __future__ import annotations

from collections.abc import Sequence

from switchover.ports.guards import GuardBeat, Guards


def watched_by(guards: Guards, migration: str = "") -> str:
    """Who watches a migration, or anything, now. Raises ``DependencyUnavailable``."""
    return watch_words(guards.alive(), migration, guards.wanted)


def watch_words(beats: Sequence[GuardBeat], migration: str = "", wanted: int = 0) -> str:
    """Who watches, in a sentence: ``watched by 2 guards, last sweep 0.8 s ago``.

    With ``migration`` only guards that watch it count; ``wanted`` is how many there should be."""
    mine = [beat for beat in beats if not migration or beat.watches(migration)]
    able = [beat for beat in mine if not beat.trouble]
    few = f", {wanted} wanted" if len(able) < wanted else ""
    blind = [f"{beat.guard} can't judge: {beat.trouble}" for beat in mine if beat.trouble]
    if not able:
        return "; ".join([f"watched by no guard{few}, by monitor every minute", *blind])
    count = f"{len(able)} guard{'s' * (len(able) > 1)}"
    last = min(beat.age for beat in able)
    return "; ".join([f"watched by {count}{few}, last sweep {last:.1f} s ago", *blind])
