"""Our own judge, as it is: the code under ``switchover/judge``, look by look."""

from __future__ import annotations

from dataclasses import dataclass

from benchmarks.judge.rule import LOOKS, Limit, Outcome
from benchmarks.judge.streams import Stream
from switchover.judge.rollout import Rules, assess, begin, enter_stage, observe
from switchover.judge.verdict import Verdict

RULES = Rules(planned_looks=LOOKS)


@dataclass(frozen=True, slots=True)
class Ours:
    """One gate in one stage that bakes for the whole day; our defaults."""

    name: str = "Switchover"
    settings: str = "defaults: alpha 1 % a rollout, alpha_promote 5 % a stage, a look a minute"

    def judge(self, stream: Stream, limit: Limit, seed: int) -> Outcome:
        """Judge one day; a minute without observations is no look."""
        gates = (limit.gate,)
        evidence = enter_stage(begin(gates), "canary", "canary")
        passes, verdict = None, Verdict.INSUFFICIENT_EVIDENCE
        for minute, look in enumerate(stream.looks()):
            if look is None:
                continue
            evidence = observe(gates, RULES, evidence, look, at=60.0 * minute)
            verdict = assess(gates, RULES, evidence, stage_kind="canary", dwell_over=True).verdict
            if verdict is Verdict.ROLLBACK:
                return Outcome(minute, promoted=False, passes=passes)
            if verdict is Verdict.PROMOTE and passes is None:
                passes = minute
        return Outcome(None, promoted=verdict is Verdict.PROMOTE, passes=passes)
