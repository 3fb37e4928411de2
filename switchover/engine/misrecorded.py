"""Misrecorded: a metric that came as numbers where a gate reads yes or no, or the reverse."""

from __future__ import annotations

from switchover.engine.context import Case
from switchover.engine.sources import told_by
from switchover.judge.block import Tally
from switchover.judge.gate import GateSpec
from switchover.judge.silence import heard_key
from switchover.plan.catalogue import FORMS

#: The kinds that read what each system did by itself; those of pairs have both in one block.
_COMPARING = ("relative_rate", "relative_quantile", "drift", "memory")
_ADVICE = {
    "yes or no": "record a bool, True for good",
    "numbers": "record what was measured, times in seconds",
    "the outcomes of both systems": "record it with Recorder.record_pair",
}


def misrecorded(case: Case) -> str:
    """Which metrics of the present stage came in another form than a gate reads, so that it has
    no data of them, and what to do; empty when there are none."""
    if case.stage.work:
        return ""
    seen = {
        (each.metric, each.system): each.tally
        for each in case.context.ledger.tallies(case.state.migration, case.state.attempt)
        if each.stage == case.state.stage and each.tally.n > 0
    }
    told: dict[str, None] = {}
    for gate in case.gates:
        if case.stage.kind in gate.stages and gate.kind in FORMS:
            for system in ("candidate", "legacy") if gate.kind in _COMPARING else ("candidate",):
                told[_words(case, gate, system, seen)] = None
    return "; ".join(words for words in told if words)


def _words(case: Case, gate: GateSpec, system: str, seen: dict[tuple[str, str], Tally]) -> str:
    wanted = FORMS[gate.kind]
    if system == "candidate" and (gate.metric, "pair") in seen:
        system = "pair"
    tally = seen.get((gate.metric, system))
    if tally is None:
        return ""
    numbers = sum(tally.sketch.values())
    came = {"numbers": numbers, "yes or no": tally.n - numbers}
    if system == "pair":
        came["the outcomes of both systems"] = came["yes or no"]
    if came.get(wanted, 0) > 0:
        return ""
    form = "numbers" if numbers else "yes or no"
    of = {"pair": "pairs", "candidate": "the candidate"}.get(system, system)
    source = told_by(case.plan, heard_key(gate.metric, system))
    advice = f"change what source {source} reads" if source else _ADVICE[wanted]
    return (
        f"{gate.metric} of {of} came as {form} ({tally.n:,}), and gate {gate.name} reads {wanted}; "
        f"{advice}"
    )
