"""Pace: gates that compare two systems look no more often than planned, whoever looks.

Recorders of different processes ship at different moments. Within a second the candidate may be
heard and legacy not: what hits both would then look like a fault of the candidate. A gate that
judges the candidate by itself loses nothing by looking at once; one that compares waits until it
has heard of the time of a planned look, of which a recorder's interval is a small part.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from switchover.judge.block import Look, Tally
from switchover.judge.evidence import GateEvidence
from switchover.judge.rules import Rules

#: The kinds of gates that hold one system's observations of a look against the other's.
COMPARED = ("relative_rate", "relative_quantile", "drift")
#: The part of a planned look that makes a whole one: whoever looks on time may be a little early.
_WHOLE = 0.9


def whole_look(
    metric: str, rules: Rules, state: GateEvidence, seen: tuple[Look, Look], at: float, since: float
) -> tuple[Look, Look] | None:
    """All that was seen since the gate's last look; None, and kept, as long as that is short of a
    planned look. ``seen`` is what is fresh, and the part of it that belongs to the stage."""
    kept = state.pending
    began = min(kept.get("since", since), since)
    names = ("look", "stage")
    tallies = [_merged(kept.get(name, {}), part.get(metric, {}))
               for name, part in zip(names, seen, strict=True)]  # fmt: skip
    last = kept.get("last", began)
    if at - last < _WHOLE * rules.gauge_seconds:
        documents = (
            {system: _document(tally) for system, tally in part.items()} for part in tallies
        )
        state.pending = {**kept, "since": began, **dict(zip(names, documents, strict=True))}
        return None
    state.pending = {"last": at}
    return {metric: tallies[0]}, {metric: tallies[1]}


def _merged(kept: Mapping[str, list[Any]], fresh: Mapping[str, Tally]) -> dict[str, Tally]:
    found: dict[str, Tally] = {}
    for system, (n, bad, total, squares, sketch) in kept.items():
        buckets = {int(bucket): count for bucket, count in sketch.items()}
        found[system] = Tally(n, bad, total, squares, buckets)
    for system, tally in fresh.items():
        found.setdefault(system, Tally()).add(tally)
    return found


def _document(tally: Tally) -> list[Any]:
    sketch = {str(bucket): count for bucket, count in tally.sketch.items()}
    return [tally.n, tally.bad, tally.total, tally.total_squares, sketch]
