"""How often somebody looks changes neither the error bound nor how soon a late failure is found."""

from __future__ import annotations

import random
from collections.abc import Iterator
from math import log

import pytest

from switchover.judge.block import Look, Tally
from switchover.judge.bursty import log_decisive
from switchover.judge.evidence import GateEvidence
from switchover.judge.gate import GateSpec
from switchover.judge.pace import whole_look
from switchover.judge.rollout import Evidence, Rules, begin, enter_stage, observe
from switchover.observe.cell import STREAK

#: A rollout of ten minutes, planned with a look a minute.
MINUTES = 10
RULES = Rules(planned_looks=MINUTES)
LIMIT, RATE = 0.1, 10
GATE = GateSpec("ok", "proportion", "ok", LIMIT)


def ships(rng: random.Random, seconds: int, bad: float) -> Iterator[tuple[float, int, int]]:
    """What a recorder in haste ships, by time, of a candidate that fails a share ``bad``: every
    five seconds, and at a streak of failures as soon as half a second has passed."""
    shipped, streak, n, wrong = 0.0, 0, 0, 0
    for number in range(seconds * RATE):
        now = (number + 1) / RATE
        failed = rng.random() < bad
        n, wrong, streak = n + 1, wrong + failed, streak + 1 if failed else 0
        hurry = streak >= STREAK and now - shipped >= 0.5
        if hurry or now - shipped >= 5.0:
            yield now, n, wrong
            shipped, streak, n, wrong = now, 0, 0, 0


def look(n: int, bad: int, metric: str = "ok", system: str = "candidate") -> Look:
    return {metric: {system: Tally(n=n, bad=bad)}}


def rolled_back(seed: int, every: float, bad: float = LIMIT) -> bool:
    """Whether the evidence of a rollout ever says so, with a sweep ``every`` so many seconds."""
    rng = random.Random(seed)
    evidence = enter_stage(begin([GATE]), "s", "canary", 0.1)
    waiting, due = [0, 0], every
    for now, n, wrong in ships(rng, 60 * MINUTES, bad):
        if now > due and waiting[0]:
            evidence = observe([GATE], RULES, evidence, look(*waiting), at=now, since=now)
            waiting = [0, 0]
            if log_decisive(evidence.gates["ok"]) >= -log(RULES.alpha):
                return True
        if now > due:
            due = now + every
        waiting = [waiting[0] + n, waiting[1] + wrong]
    return False


@pytest.mark.req("INV12")
def test_a_look_each_second_keeps_the_error_bound_at_the_limit() -> None:
    """A candidate exactly on its limit, a recorder that hurries at failures, and a guard: no more
    rollbacks than 1 % of the rollouts."""
    assert sum(rolled_back(seed, 1.0) for seed in range(300)) <= 3


@pytest.mark.req("INV12")
def test_a_candidate_beyond_its_limit_is_rolled_back_by_the_same_looks() -> None:
    """The bound is not kept by being deaf."""
    assert sum(rolled_back(seed, 1.0, 1.6 * LIMIT) for seed in range(20)) >= 19


def steady(every: float, minutes: int, planned: int) -> GateEvidence:
    """A gate after so many good minutes of ten requests a second."""
    rules, evidence = Rules(planned_looks=planned), Evidence(gates={"ok": GateEvidence()})
    for number in range(round(60 * minutes / every)):
        n = round(RATE * every)
        at = (number + 1) * every
        evidence = observe([GATE], rules, evidence, look(n, number % 2 * n // 20), at=at)
    return evidence.gates["ok"]


@pytest.mark.req("INV12")
@pytest.mark.parametrize("every", [1.0, 7.0, 60.0, 300.0])
def test_stake_goes_by_time_and_not_by_looks(every: float) -> None:
    """After half of the planned time half of the later stake is laid, and never more than all;
    whoever looks less often than planned lays less."""
    state = steady(every, 60, 120)
    whole = 0.5 + 0.4 * min(60 / 120, 60 / 120 * 60.0 / every)
    assert state.spent == pytest.approx(whole, rel=0.02)
    assert steady(every, 300, 120).spent <= 1.0


@pytest.mark.req("R3")
def test_a_late_failure_is_found_as_soon_as_an_early_one() -> None:
    """After hours of looks each second, a total failure takes less than two seconds' requests."""

    def needed(minutes: int) -> int:
        rules, state = Rules(planned_looks=600), steady(1.0, minutes, 600)
        evidence = Evidence(gates={"ok": state})
        for second in range(1, 60):
            at = 60.0 * minutes + second
            evidence = observe([GATE], rules, evidence, look(RATE, RATE), at=at)
            if log_decisive(evidence.gates["ok"]) >= -log(rules.alpha):
                return second
        return 60

    assert needed(2) <= 2
    assert needed(300) <= 2


@pytest.mark.req("INV12")
@pytest.mark.parametrize("kind", ["relative_rate", "relative_quantile", "drift"])
def test_gates_that_compare_wait_until_both_systems_were_heard(kind: str) -> None:
    """An outage of both, of which the candidate's recorder tells some seconds earlier, is none of
    its own: the two are held against each other over the same minute."""
    spec = GateSpec("g", kind, "ok", 0.5 if kind == "drift" else 1.5, quantile=0.9)
    shipped, rng = begin([spec]), random.Random(7)
    for minute in range(1, 6):
        slow = 9.0 if minute == 5 else 1.0
        for second in range(60):
            at = 60.0 * minute + second
            # Legacy ships in the odd seconds and the candidate in the even ones.
            system = "legacy" if second % 2 else "candidate"
            values = [max(1, round(slow * 100 * rng.random())) for _ in range(20)]
            rated = kind == "relative_rate"
            sketch = {} if rated else {value: values.count(value) for value in values}
            tally = Tally(20, sum(value > 90 for value in values), sum(values), 0.0, sketch)
            shipped = observe(
                [spec], RULES, shipped, {"ok": {system: tally}}, at=at, since=at - 2.0
            )
    assert shipped.gates["g"].pending
    assert log_decisive(shipped.gates["g"]) < log(10)


@pytest.mark.req("INV12")
def test_what_waits_is_all_there_when_the_look_is_whole() -> None:
    """Counts and sketches of both systems, through JSON; the stage's own part apart from the rest,
    and forgotten when the stage ends."""
    state, both = GateEvidence(), ("ok", RULES)
    late = {"ok": {"legacy": Tally(5, 1, 2.0, 3.0, {7: 5})}}
    fresh = {"ok": {"candidate": Tally(2, 2, 1.0, 1.0, {3: 2})}}
    assert whole_look(*both, state, (late, {}), 1.0, 0.0) is None
    assert whole_look(*both, state, (fresh, fresh), 2.0, 1.0) is None
    state = GateEvidence.from_dict(state.to_dict())
    found = whole_look(*both, state, (fresh, fresh), 60.0, 59.0)
    assert found is not None
    seen, staged = found[0]["ok"], found[1]["ok"]
    assert seen["legacy"] == Tally(5, 1, 2.0, 3.0, {7: 5})
    assert seen["candidate"] == Tally(4, 4, 2.0, 2.0, {3: 4})
    assert set(staged) == {"candidate"}
    assert whole_look(*both, state, (fresh, fresh), 61.0, 60.0) is None, "the next one began"
    entered = state.entering_stage()
    assert not entered.pending["stage"]
    assert entered.pending["look"]
    again = whole_look(*both, entered, ({}, {}), 120.0, 119.0)
    assert again is not None
    assert set(again[0]["ok"]) == {"candidate"}
    assert not again[1]["ok"]


@pytest.mark.req("INV12")
def test_whoever_looks_once_a_minute_waits_for_nothing() -> None:
    """The look of ``monitor`` is a whole one, be it a little early."""
    state, fresh = GateEvidence(), {"ok": {"candidate": Tally(2, 2)}}
    assert whole_look("ok", RULES, state, (fresh, fresh), 60.0, 1.0) is not None
    assert whole_look("ok", RULES, state, (fresh, fresh), 118.0, 60.0) is not None
    assert whole_look("ok", RULES, state, (fresh, fresh), 400.0, 395.0) is not None


def test_evidence_from_before_looks_had_weights_can_be_read() -> None:
    """Each of its looks was a planned one."""
    document = GateEvidence(blocks=30, spent=0.6).to_dict()
    for name in ("clock", "weight", "moment", "bet_at", "pending"):
        del document[name]
    assert GateEvidence.from_dict(document).clock == 30.0
