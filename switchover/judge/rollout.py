"""A rollout: the evidence of all gates from look to look, and the verdict on a stage."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from math import log
from typing import Any

from switchover.judge.block import Look
from switchover.judge.bursty import log_decisive
from switchover.judge.evidence import CAP, GateEvidence, log_total, natural
from switchover.judge.gate import GateSpec, kinds
from switchover.judge.pace import COMPARED, whole_look
from switchover.judge.reading import figure, odds
from switchover.judge.rules import Rules
from switchover.judge.verdict import GateReading, StageReading, Verdict

__all__ = ["Evidence", "Rules", "assess", "begin", "enter_stage", "observe"]

_UNSEEN = GateEvidence()


@dataclass(frozen=True, slots=True)
class Evidence:
    """All that is kept between looks: O(1) per gate, and plain JSON.

    ``stage`` is the key of the present stage, ``stage_kind`` its kind ("" when not told),
    ``looks`` the number of looks so far, ``gates`` the evidence by gate name.
    """

    stage: str = ""
    stage_kind: str = ""
    looks: int = 0
    gates: Mapping[str, GateEvidence] = field(default_factory=dict)

    def to_dict(self) -> dict[str, Any]:
        """Plain JSON values."""
        return {
            "stage": self.stage,
            "stage_kind": self.stage_kind,
            "looks": self.looks,
            "gates": {name: state.to_dict() for name, state in self.gates.items()},
        }

    @classmethod
    def from_dict(cls, document: Mapping[str, Any]) -> Evidence:
        """Read :meth:`to_dict`; raises ``ValueError`` on anything else."""
        try:
            return cls(
                stage=str(document["stage"]),
                stage_kind=str(document["stage_kind"]),
                looks=int(document["looks"]),
                gates={
                    name: GateEvidence.from_dict(state) for name, state in document["gates"].items()
                },
            )
        except (KeyError, TypeError, AttributeError) as error:
            raise ValueError(f"not the evidence of a rollout: {error!r}") from error


def begin(gates: Sequence[GateSpec]) -> Evidence:
    """The evidence before the first look. Raises ``ValueError`` when two gates share a name."""
    names = [gate.name for gate in gates]
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        raise ValueError(f"two gates are called {twice[0]!r}; give each its own name")
    return Evidence(gates={name: GateEvidence() for name in names})


def enter_stage(
    evidence: Evidence, stage: str, kind: str = "", split: float | None = None
) -> Evidence:
    """Begin a stage: promote evidence and counts anew, rollback evidence as it is.

    With ``kind``, gates that do not apply to it are left out until the next stage. ``split`` is
    the share that the candidate is meant to serve.
    """
    kept = {name: state.entering_stage(split) for name, state in evidence.gates.items()}
    return replace(evidence, stage=stage, stage_kind=kind, gates=kept)


def observe(
    gates: Sequence[GateSpec],
    rules: Rules,
    evidence: Evidence,
    look: Look,
    stage_look: Look | None = None,
    *,
    at: float | None = None,
    age: float | None = None,
    since: float | None = None,
) -> Evidence:
    """The evidence after a look.

    ``look`` is everything fresh and feeds the rollback evidence; ``stage_look`` is the part
    recorded in the present stage (None: all of it) and feeds the promote evidence. ``at``, in
    seconds, sorts gauges into intervals; without it every look is one interval. ``age`` is how
    many seconds after the stage began the look did: gates that still warm up leave it out.
    ``since`` is when the look's first observation was made: with it, gates that compare the
    systems wait until they heard both for as long as a planned look takes.
    """
    states = dict(evidence.gates)
    staged = look if stage_look is None else stage_look
    for gate in gates:
        if evidence.stage_kind and evidence.stage_kind not in gate.stages:
            continue
        if age is not None and age < gate.warm_up:
            continue
        known = states.get(gate.name)
        states[gate.name] = state = GateEvidence() if known is None else known.copy()
        before, seen = state.n, (look, staged)
        if at is not None:
            state.moment = at / rules.gauge_seconds
            if since is not None and gate.kind in COMPARED:
                whole = whole_look(gate.metric, rules, state, seen, at, since)
                if whole is None:
                    continue
                seen = whole
        kinds()[gate.kind].observe(gate, rules, state, *seen, at)
        if at is not None and state.n > before:
            state.tick(at)
    return Evidence(evidence.stage, evidence.stage_kind, evidence.looks + 1, states)


def assess(
    gates: Sequence[GateSpec],
    rules: Rules,
    evidence: Evidence,
    *,
    stage_kind: str,
    dwell_over: bool,
    dwell_left: float | None = None,
) -> StageReading:
    """The verdict on the stage, with every gate's reading.

    Rolls back iff the weighted mean of the gates' W reaches 1/alpha or a gate fires by itself;
    with fixed weights the mean is again a supermartingale from 1. ``dwell_left`` (seconds)
    is told to people only.
    """
    threshold = 1.0 / rules.alpha
    states = {gate.name: evidence.gates.get(gate.name, _UNSEEN) for gate in gates}
    deciding = [gate for gate in gates if not gate.report_only]
    shares = budget(deciding)
    parts = {name: share * natural(log_decisive(states[name])) for name, share in shares.items()}
    total = min(CAP, sum(parts.values()))
    # If the sum reaches the threshold, some part reaches its equal share of it.
    share = threshold / max(1, len(parts)) if total >= threshold else float("inf")
    guilty = {name for name, part in parts.items() if part >= share * (1.0 - 1e-12)}
    guilty |= {gate.name for gate in deciding if kinds()[gate.kind].fired(gate, states[gate.name])}
    applying = [gate for gate in gates if stage_kind in gate.stages or gate.name in guilty]
    readings = tuple(
        _read(gate, rules, states[gate.name], gate.name in guilty) for gate in applying
    )
    cold = [gate.name for gate in deciding if _log_worst(states[gate.name]) >= log(rules.freeze_at)]
    verdict, sentence = _decide(
        [reading for reading in readings if not reading.report_only],
        bool(guilty),
        cold,
        dwell_over,
        dwell_left,
    )
    if guilty:
        sentence += f" (weighted evidence {odds(total)}, threshold {figure(threshold)})"
    return StageReading(
        verdict=verdict,
        gates=readings,
        rollback_evidence=total,
        rollback_threshold=threshold,
        frozen=bool(cold or guilty),
        sentence=sentence,
    )


def budget(gates: Sequence[GateSpec]) -> dict[str, float]:
    """Each weighted gate's share of the error budget, by its name; they sum to 1.

    Critical gates divide one half of it among themselves, and the others the other half, each by
    their weights. With shares fixed, a gate that reaches 1/alpha by its share alone rolls back.
    """
    groups: dict[bool, list[GateSpec]] = {}
    for gate in gates:
        if kinds()[gate.kind].weighted:
            groups.setdefault(gate.critical, []).append(gate)
    return {
        gate.name: gate.weight / sum(other.weight for other in group) / len(groups)
        for group in groups.values()
        for gate in group
    }


def _read(gate: GateSpec, rules: Rules, state: GateEvidence, rolls_back: bool) -> GateReading:
    """One reading. One that is for report only says what the gate would do by itself."""
    kind = kinds()[gate.kind]
    if not gate.report_only:
        return kind.read(gate, rules, state, rolls_back)
    alone = kind.fired(gate, state) or (kind.weighted and log_decisive(state) >= -log(rules.alpha))
    reading = kind.read(gate, rules, state, alone)
    return replace(reading, report_only=True, sentence=f"{reading.sentence} (report only)")


def _log_worst(state: GateEvidence) -> float:
    """What freezes the ramp: the worse of the bets on observations and on blocks."""
    return max(log_total(state.against), log_decisive(state))


def _decide(
    readings: Sequence[GateReading],
    goes_back: bool,
    cold: Sequence[str],
    dwell_over: bool,
    dwell_left: float | None,
) -> tuple[Verdict, str]:
    """The stage's verdict from those of its gates, worst first."""

    def told(verdict: Verdict) -> str:
        return "; ".join(r.sentence for r in readings if r.verdict is verdict)

    verdicts = {reading.verdict for reading in readings}
    dwell = "the bake time is not over" + (
        f", {dwell_left:,.0f} s are left" if dwell_left is not None else ""
    )
    if goes_back:
        return Verdict.ROLLBACK, f"Roll back: {told(Verdict.ROLLBACK)}"
    if cold:
        return Verdict.HOLD, f"Hold, frozen by {', '.join(cold)}: {told(Verdict.HOLD)}"
    if Verdict.HOLD in verdicts:
        return Verdict.HOLD, f"Hold: {told(Verdict.HOLD)}"
    if Verdict.INSUFFICIENT_EVIDENCE in verdicts:
        sentence = f"Not enough evidence: {told(Verdict.INSUFFICIENT_EVIDENCE)}"
        return Verdict.INSUFFICIENT_EVIDENCE, sentence + ("" if dwell_over else f"; {dwell}")
    if not readings:
        return Verdict.INSUFFICIENT_EVIDENCE, (
            "Not enough evidence: no gate judges this stage, so nothing can promote it"
            + ("" if dwell_over else f"; {dwell}")
        )
    if not dwell_over:
        return Verdict.HOLD, f"Hold: every gate passes; {dwell}"
    return Verdict.PROMOTE, f"Promote: every gate passes: {told(Verdict.PROMOTE)}"
