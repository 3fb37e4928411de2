"""Replay triggers: when each would have fired in a recording; probes leave nothing to replay."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from switchover.judge.block import Block, Look, Tally
from switchover.judge.target import Kept, observe
from switchover.judge.trigger import TriggerReading, TriggerSpec, read_metric


def trigger_kinds(specs: Iterable[TriggerSpec]) -> dict[str, set[str]]:
    """The kinds in which triggers read each metric, as :func:`.replay.kinds_by_metric`."""
    kinds: dict[str, set[str]] = {}
    for spec in specs:
        if spec.window is not None:
            kinds.setdefault(spec.window.metric, set()).add(spec.window.kind)
    return kinds


def fired(
    specs: Sequence[TriggerSpec], looks: Iterable[tuple[float, Look]], every: float
) -> Iterator[tuple[float, TriggerReading]]:
    """When each trigger fired first, and again after it was well; to the width of a look, as a
    recording counts what is in it together. ``looks`` are those of the judge's replay."""
    watched = [spec for spec in specs if spec.window is not None]
    kept: dict[str, Kept] = {spec.name: {} for spec in watched}
    open_now: set[str] = set()
    since: float | None = None
    for began, look in looks:
        since = began if since is None else since
        ends = began + every
        for spec in watched:
            window = spec.metric
            # In the last slot that has ended: a short window would have forgotten a look's begin.
            blocks = [
                _block(window.metric, system, tally, ends - window.width / 2, every)
                for system, tally in look.get(window.metric, {}).items()
            ]
            kept[spec.name] = observe(window, kept[spec.name], blocks, ends)
            system = "pair" if "pair" in look.get(window.metric, {}) else "candidate"
            was = spec.name in open_now
            reading = read_metric(spec, kept[spec.name], system, ends, since=since, alerted=was)
            if reading.raises and not was:
                open_now.add(spec.name)
                yield ends, reading
            elif reading.clears:
                open_now.discard(spec.name)


def _block(metric: str, system: str, tally: Tally, start: float, seconds: float) -> Block:
    return Block("", "", metric, system, start, seconds, tally.n, tally.bad, tally.total,
                 tally.total_squares, tally.sketch)  # fmt: skip
