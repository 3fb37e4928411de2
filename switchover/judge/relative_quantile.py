"""Relative quantile: the candidate's quantile is at most ``limit`` times that of legacy.

The threshold tau is legacy's quantile over PAST blocks only, so it is fixed before a block is
seen. Then the block says how often legacy lies above tau and the candidate above r tau, and the
two shares are compared as in :mod:`switchover.judge.relative_rate` with ratio 1: if the candidate
is nowhere slower than r times legacy, its share is not the larger one, whatever tau is; an error
in tau costs power, not validity, and a minute that is slow for both cancels out. While legacy is
absent its past share stands in, with a bound to the safe side. For promotion, a share of at most
1 - quantile above r tau counts too (a legacy of constant speed is hardly ever above its quantile).
"""

from __future__ import annotations

from collections.abc import Mapping
from math import ceil, floor, log
from typing import Any

from switchover.judge.block import Look, Tally
from switchover.judge.evidence import GateEvidence
from switchover.judge.gate import GateSpec
from switchover.judge.proportion import recent_rate
from switchover.judge.reading import Seen, figure, read
from switchover.judge.relative_rate import compare_against, compare_in_favour
from switchover.judge.rules import Rules
from switchover.judge.sketch import (
    GAMMA,
    beyond,
    merge,
    quantile,
    quantile_bucket,
    value_of,
)
from switchover.judge.verdict import GateReading

#: Past legacy counts are halved beyond this many, so that old times fade.
_FADE = 200_000
#: The threshold is taken anew when legacy has grown by this factor: the sort is the costly part.
_GROWN = 1.05


class RelativeQuantile:
    """A measured value of both systems, compared."""

    weighted = True
    needs: tuple[str, ...] = ("candidate",)

    def check(self, spec: GateSpec) -> None:
        """The limits are ratios above 0."""
        if not 0.0 < spec.to_promote <= spec.limit < float("inf"):
            raise ValueError(
                f"gate {spec.name}: the limit is a ratio to legacy above 0 (1.5 for half as "
                f"slow again), not {spec.limit}"
            )

    def observe(
        self,
        spec: GateSpec,
        rules: Rules,
        state: GateEvidence,
        look: Look,
        stage_look: Look,
        at: float | None,
    ) -> None:
        """Bet on which system the values above the threshold come from."""
        fresh, staged = look.get(spec.metric, {}), stage_look.get(spec.metric, {})
        memory = state.memory
        last = memory.get("last")
        if last is not None:
            past = Tally(n=memory["n"], bad=beyond(memory["sketch"], last))
            # Rounded to the safe side each time: up to roll back, down to promote.
            stretch = log(spec.limit) / log(GAMMA)
            compare_against(
                state,
                rules,
                1.0,
                _beyond(_sketch(fresh, "candidate"), last + ceil(stretch - 1e-9)),
                _beyond(_sketch(fresh, "legacy"), last),
                past,
            )
            stretch = log(spec.to_promote) / log(GAMMA)
            compare_in_favour(
                state,
                1.0,
                1.0 - spec.quantile,
                _beyond(_sketch(staged, "candidate"), last + floor(stretch + 1e-9)),
                _beyond(_sketch(staged, "legacy"), last),
                past,
                floor_known=past.n >= spec.least(1.0 - spec.quantile),
            )
        seen = _sketch(staged, "candidate")
        if seen:
            kept = state.stage
            state.stage = {**kept, "sketch": merge((kept.get("sketch", {}), seen))}
        legacy = _sketch(fresh, "legacy")
        if legacy:
            state.memory = _learn(memory, legacy, spec.quantile)

    def fired(self, spec: GateSpec, state: GateEvidence) -> bool:
        """Never: evidence decides."""
        return False

    def read(
        self, spec: GateSpec, rules: Rules, state: GateEvidence, rolls_back: bool
    ) -> GateReading:
        """The estimate is the ratio of the stage's quantile to legacy's past one."""
        ours = quantile(state.stage.get("sketch", {}), spec.quantile)
        last = state.memory.get("last")
        theirs = None if last is None else value_of(last)
        estimate = None if ours is None or not theirs else ours / theirs
        name = f"p{100 * spec.quantile:g}"
        against = "legacy unknown" if theirs is None else f"legacy {figure(theirs)}"
        allowed = f"{against}, {figure(spec.limit)} times allowed"
        seen = Seen(
            estimate=estimate,
            words=f"{name} {figure(ours or 0.0)} in {state.n:,}, {allowed}",
            recently=f"{recent_rate(state)} above the allowed {name}, {allowed}",
            n_min=spec.least(1.0 - spec.quantile),
        )
        return read(spec, rules, state, seen, rolls_back)


def _sketch(systems: Mapping[str, Tally], system: str) -> Mapping[int, int]:
    tally = systems.get(system)
    return tally.sketch if tally else {}


def _beyond(sketch: Mapping[int, int], last: int) -> Tally:
    return Tally(n=sum(sketch.values()), bad=beyond(sketch, last))


def _learn(memory: Mapping[str, Any], legacy: Mapping[int, int], share: float) -> dict[str, Any]:
    """Past legacy with a look more, and its threshold."""
    past = merge((memory.get("sketch", {}), legacy))
    n = memory.get("n", 0) + sum(legacy.values())
    last, since = memory.get("last"), memory.get("since", 0)
    if n > _FADE:
        past = {bucket: count // 2 for bucket, count in past.items() if count > 1}
        n = since = sum(past.values())
        last = quantile_bucket(past, share)
    elif last is None or n > _GROWN * since:
        last, since = quantile_bucket(past, share), n
    return {"sketch": past, "n": n, "last": last, "since": since}
