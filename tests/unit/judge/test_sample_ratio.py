"""The sample-ratio kind: simulated splits with fixed seeds."""

from __future__ import annotations

import pytest

from switchover.judge.block import Tally
from switchover.judge.gate import GateSpec
from switchover.judge.rollout import Evidence, Rules, assess, begin, enter_stage, observe
from switchover.judge.verdict import Verdict

GATES = (GateSpec("split", "sample_ratio", "served", 0.02),)


def served(evidence: Evidence, candidate: int, legacy: int) -> Evidence:
    look = {"served": {"candidate": Tally(candidate), "legacy": Tally(legacy)}}
    return observe(GATES, Rules(), evidence, look)


def judged(evidence: Evidence):
    return assess(GATES, Rules(), evidence, stage_kind="canary", dwell_over=True)


def at(split: float | None) -> Evidence:
    return enter_stage(begin(GATES), "canary-25", "canary", split)


@pytest.mark.req("O5")
def test_a_right_split_within_its_allowance_hardly_ever_freezes(binomial) -> None:
    """At the edge of what is allowed, 27 % for 25 %: of 200 stages of 40 looks at most 20."""
    draw = binomial(100, 0.27, seed=51)
    frozen = 0
    for _ in range(200):
        evidence = at(0.25)
        for _ in range(40):
            ours = draw()
            evidence = served(evidence, ours, 100 - ours)
            if judged(evidence).frozen:
                frozen += 1
                break
    assert frozen <= 20


@pytest.mark.req("O5")
def test_a_wrong_split_freezes_the_ramp_and_never_rolls_back(binomial) -> None:
    """35 % served where 25 % are wanted: found within 2,000 requests, every time."""
    draw = binomial(100, 0.35, seed=52)
    for _ in range(30):
        evidence = at(0.25)
        for _ in range(20):
            ours = draw()
            evidence = served(evidence, ours, 100 - ours)
        reading = judged(evidence)
        assert reading.verdict is Verdict.HOLD
        assert reading.frozen
        assert "25 % wanted" in reading.sentence


@pytest.mark.req("O5")
def test_all_requests_on_one_side_are_a_wrong_split() -> None:
    """A candidate that serves nothing at all is not the 25 % that was meant."""
    for candidate, legacy in ((0, 200), (200, 0)):
        assert judged(served(at(0.25), candidate, legacy)).frozen


@pytest.mark.req("O5")
@pytest.mark.parametrize("split", [None, 0.0, 1.0])
def test_where_nothing_is_split_there_is_nothing_to_hold_for(split: float | None) -> None:
    """At 100 %, and where the split is not known, it passes and says so."""
    reading = judged(served(at(split), 100, 3))
    assert reading.verdict is Verdict.PROMOTE
    assert "splits no requests" in reading.sentence


@pytest.mark.req("O5")
def test_a_mismatch_of_one_stage_ends_with_it() -> None:
    """The next stage wants another share, and is judged by its own requests."""
    evidence = served(at(0.25), 100, 100)
    assert judged(evidence).frozen
    evidence = served(enter_stage(evidence, "canary-50", "canary", 0.5), 100, 100)
    assert judged(evidence).verdict is Verdict.PROMOTE


def test_a_promote_limit_is_refused() -> None:
    """There is one split, and it is the wanted one or not."""
    with pytest.raises(ValueError, match="promote_limit"):
        GateSpec("split", "sample_ratio", "served", 0.02, promote_limit=0.01)
