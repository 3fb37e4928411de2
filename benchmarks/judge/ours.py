"""Our own judge, as it is: the code under ``switchover/judge``, look by look."""

from __future__ import annotations

from dataclasses import dataclass
from math import log

from benchmarks.judge.rule import LOOKS, Limit, Outcome
from benchmarks.judge.streams import Stream
from switchover.judge.bursty import log_decisive, log_favour
from switchover.judge.gate import GateSpec
from switchover.judge.rollout import Evidence, Rules, assess, begin, enter_stage, observe
from switchover.judge.verdict import Verdict

RULES = Rules(planned_looks=LOOKS)
#: With one gate its evidence decides alone; a little less, so that rounding makes no difference.
_NEAR_ROLLBACK = -log(RULES.alpha) - 0.01
_NEAR_PROMOTION = -log(RULES.alpha_promote) - 0.01


@dataclass(frozen=True, slots=True)
class Ours:
    """One gate in one stage that bakes for the whole day; our defaults."""

    name: str = "Switchover"
    settings: str = "defaults: alpha 1 % a rollout, alpha_promote 5 % a stage, a look a minute"

    def judge(self, stream: Stream, limit: Limit, seed: int) -> Outcome:
        """Judge one day; a minute without observations is no look."""
        gates = (limit.gate,)
        evidence = enter_stage(begin(gates), "canary", "canary")
        passes = None
        for minute, look in enumerate(stream.looks()):
            if look is None:
                continue
            evidence = observe(gates, RULES, evidence, look, at=60.0 * minute)
            state = evidence.gates[limit.gate.name]
            # The verdict takes as long as the update. It is asked for where it may be a new one.
            if log_decisive(state) >= _NEAR_ROLLBACK:
                if _verdict(gates, evidence) is Verdict.ROLLBACK:
                    return Outcome(minute, promoted=False, passes=passes)
            elif passes is None and log_favour(state) >= _NEAR_PROMOTION:
                passes = minute if _verdict(gates, evidence) is Verdict.PROMOTE else None
        promoted = _verdict(gates, evidence) is Verdict.PROMOTE
        return Outcome(None, promoted=promoted, passes=passes)


def _verdict(gates: tuple[GateSpec, ...], evidence: Evidence) -> Verdict:
    return assess(gates, RULES, evidence, stage_kind="canary", dwell_over=True).verdict
