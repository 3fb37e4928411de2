"""Silence: what gates wait to hear of. No gate may pass on what it heard before it fell silent."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from switchover.judge.block import Look
from switchover.judge.gate import GateSpec, kinds
from switchover.judge.rollout import Evidence
from switchover.judge.rules import Rules


def heard_key(metric: str, system: str) -> str:
    """Under what is kept when a metric was last heard of; pairs are the candidate's."""
    return f"{'legacy' if system == 'legacy' else 'candidate'} {metric}"


def awaited(gates: Iterable[GateSpec], stage_kind: str) -> list[str]:
    """The keys of all that the gates which decide on a stage of this kind need to hear of."""
    asked = [gate for gate in gates if stage_kind in gate.stages and not gate.report_only]
    needed = [
        heard_key(gate.metric, system) for gate in asked for system in kinds()[gate.kind].needs
    ]
    return needed + [heard_key(gate.noise, "pair") for gate in asked if gate.noise is not None]


def heard_in(look: Look) -> set[str]:
    """The keys of all that a look brought."""
    return {
        heard_key(metric, system)
        for metric, systems in look.items()
        for system, tally in systems.items()
        if tally.n > 0
    }


def unread(
    gates: Iterable[GateSpec],
    rules: Rules,
    evidence: Evidence,
    heard: Mapping[str, float],
    entered_at: float,
) -> dict[str, float]:
    """``heard`` without what came but told its gate nothing, as gauges do that can't be read.

    A gate that works by intervals notes the end of the last that told something. The one after
    that may be open yet, and in a stage the first may have begun before it, so two are allowed.
    """
    told = dict(heard)
    for gate in gates:
        kept = evidence.gates[gate.name].memory if gate.name in evidence.gates else {}
        for system in kinds()[gate.kind].needs:
            last = kept.get(f"{system}_told")
            key = heard_key(gate.metric, system)
            if last is not None and key in told:
                until = max(last, entered_at + gate.warm_up) + 2.0 * rules.gauge_seconds
                told[key] = min(told[key], until)
    return told


def silent_words(what: str, seconds: float, advice: str = "is the recorder running?") -> str:
    """What people are told of a silence."""
    return f"no evidence of {what} has arrived for {seconds / 60:.0f} minutes; {advice}"
