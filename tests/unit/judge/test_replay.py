"""Replay of recorded observations."""

from __future__ import annotations

import random

import pytest

from switchover.judge.block import Look, Tally
from switchover.judge.gate import GateSpec
from switchover.judge.replay import NoData, Observation, ReplayStage, replay, walk
from switchover.judge.rollout import Rules
from switchover.judge.sketch import bucket_of
from switchover.judge.verdict import Verdict

GATES = (
    GateSpec("success", "proportion", "ok", 0.15),
    GateSpec("latency", "quantile", "seconds", 0.2, quantile=0.95),
    GateSpec("refusals", "count", "refused", 0),
)


def recorded(minutes: int, bad: float, seed: int = 1, refused: float = 0.0) -> list[Observation]:
    rng = random.Random(seed)
    return [
        observation
        for at in range(0, 60 * minutes, 2)
        for observation in (
            Observation(at, "candidate", "ok", float(rng.random() >= bad)),
            Observation(at, "candidate", "seconds", 0.05 * rng.lognormvariate(0, 0.3)),
            Observation(at, "candidate", "refused", refused if at == 600 else 0.0),
        )
    ]


@pytest.mark.req("O5")
def test_a_good_recording_ends_in_promotion() -> None:
    """A reading at the end of every minute, waiting first and promoting at last."""
    readings = list(replay(GATES, Rules(), recorded(30, bad=0.03)))
    assert [at for at, _ in readings] == [60.0 * minute for minute in range(1, 31)]
    assert readings[0][1].verdict is Verdict.INSUFFICIENT_EVIDENCE
    assert readings[-1][1].verdict is Verdict.PROMOTE


@pytest.mark.req("O5")
def test_the_bake_time_is_kept() -> None:
    """The same recording, but the stage lasts an hour at least."""
    *_, (_, last) = replay(GATES, Rules(), recorded(30, bad=0.03), bake=3600.0)
    assert last.verdict is Verdict.HOLD
    assert "1,800 s are left" in last.sentence


@pytest.mark.req("O5")
def test_a_bad_recording_is_rolled_back() -> None:
    """40 % failures where 15 % are allowed."""
    verdicts = [reading.verdict for _, reading in replay(GATES, Rules(), recorded(20, bad=0.4))]
    assert Verdict.ROLLBACK in verdicts


@pytest.mark.req("O2")
def test_one_event_is_found_in_its_minute() -> None:
    """The refusal in the eleventh minute rolls back at that minute's look."""
    readings = replay(GATES, Rules(), recorded(20, bad=0.03, refused=1.0))
    first = next(at for at, reading in readings if reading.verdict is Verdict.ROLLBACK)
    assert first == 660.0


@pytest.mark.req("O5")
def test_counted_observations_weigh_as_much_as_single_ones() -> None:
    """A share of good ones with its n is the same as the single observations."""
    gates = GATES[:1]
    single = [Observation(i, "candidate", "ok", float(i >= 5)) for i in range(50)]
    at_once = [Observation(0, "candidate", "ok", 0.9, n=50)]
    one, other = (next(replay(gates, Rules(), some))[1] for some in (single, at_once))
    assert one.gates == other.gates


@pytest.mark.req("O5")
def test_a_gap_makes_no_looks() -> None:
    """Two hours without observations are not a hundred looks, and nothing is an empty recording."""
    seen = [Observation(at, "candidate", "ok", 1.0) for at in (5.0, 7205.0)]
    assert [at for at, _ in replay(GATES, Rules(), seen)] == [60.0, 7260.0]
    assert list(replay(GATES, Rules(), [])) == []


@pytest.mark.parametrize(
    ("observations", "message"),
    [
        ([(5, "ok", 1.0), (4, "ok", 1.0)], "not sorted"),
        ([(5, "ok", 85.0)], "share of good ones"),
        ([(5, "refused", -1.0)], "number of events"),
    ],
)
def test_an_impossible_recording_is_refused(observations, message: str) -> None:
    """The message says which observation."""
    seen = [Observation(at, "candidate", metric, value) for at, metric, value in observations]
    with pytest.raises(ValueError, match=message):
        list(replay(GATES, Rules(), seen))


@pytest.mark.parametrize("changes", [{"system": "canary"}, {"n": 0}, {"at": float("nan")}])
def test_an_impossible_observation_is_refused(changes: dict[str, object]) -> None:
    """Unknown system, no count, no time."""
    values = {"at": 1.0, "system": "candidate", "metric": "ok", "value": 1.0} | changes
    with pytest.raises(ValueError, match=r"unknown system|impossible"):
        Observation(**values)


@pytest.mark.req("O5")
def test_pairs_means_and_noise_can_be_replayed() -> None:
    """A pair is 1, -1 or 0; a duration is itself; noise is read though no gate is on it."""
    gates = (
        GateSpec("pairs", "paired", "right", 0.05),
        GateSpec("duration", "mean", "spent", 1.0),
        GateSpec("agreed", "proportion", "alike", 0.1, noise="noise_rate"),
    )
    seen = []
    for number in range(900):
        at = float(number)
        seen += [
            Observation(at, "pair", "right", {0: 1, 1: -1}.get(number % 20, 0)),
            Observation(at, "candidate", "spent", 0.4 + 0.2 * (number % 3)),
            Observation(at, "pair", "alike", float(number % 20 > 0)),
            Observation(at, "pair", "noise_rate", float(number % 50 > 0)),
        ]
    *_, (_, reading) = replay(gates, Rules(), seen)
    assert reading.verdict is Verdict.PROMOTE
    assert [gate.estimate for gate in reading.gates] == [
        pytest.approx(0.0),
        pytest.approx(0.6),
        pytest.approx(0.05, abs=0.005),
    ]


def minutes(*numbers: int, bad: int = 1, n: int = 60) -> list[tuple[float, Look]]:
    """A look of ``n`` answers in each of these minutes."""
    return [(60.0 * number, {"ok": {"candidate": Tally(n=n, bad=bad)}}) for number in numbers]


SUCCESS = (GateSpec("success", "proportion", "ok", 0.15),)
STAGE = (ReplayStage("canary 10 %", "canary", 600.0, 0.1),)


@pytest.mark.req("INV6")
def test_a_gap_in_the_recording_is_told_when_the_engine_would() -> None:
    """Ten minutes after the last answer, at a look; and what comes later is judged as ever."""
    looks = list(walk(SUCCESS, Rules(), STAGE, minutes(*range(5), 60, 61), no_data=NoData(600.0)))
    [silent] = [look for look in looks if look.silence]
    assert (silent.at, silent.reading.verdict) == (960.0, Verdict.HOLD)
    assert "no evidence of candidate ok has arrived for 11 minutes" in silent.reading.sentence
    assert looks[-1].reading.verdict is Verdict.PROMOTE


@pytest.mark.req("INV6")
def test_a_gap_rolls_back_where_the_plan_says_so() -> None:
    """With no_data: rollback; and the walk does not go on to the next stage."""
    stages = (*STAGE, ReplayStage("canary 100 %", "canary"))
    told = NoData(600.0, rolls_back=True)
    looks = list(walk(SUCCESS, Rules(), stages, minutes(*range(5), *range(60, 90)), no_data=told))
    first = next(look for look in looks if look.reading.verdict is Verdict.ROLLBACK)
    assert (first.at, first.reading.sentence[:26]) == (960.0, "Roll back: no evidence of ")
    assert {look.stage for look in looks} == {0}


@pytest.mark.req("INV6")
def test_one_silent_metric_holds_what_the_others_would_promote() -> None:
    """No gate passes on what it heard before it fell silent."""
    gates = (*SUCCESS, GateSpec("refusals", "count", "refused", 0, n_min=50))
    looks = minutes(*range(40))
    refused = [
        (at, {**look, "refused": {"candidate": Tally(n=60)}} if at < 300 else look)
        for at, look in looks
    ]
    stages = (ReplayStage("canary 10 %", "canary", 1800.0),)
    seen = list(walk(gates, Rules(), stages, refused, no_data=NoData(600.0)))
    assert seen[-1].reading.verdict is Verdict.HOLD
    assert "no evidence of candidate refused" in seen[-1].silence
    assert list(walk(gates, Rules(), stages, refused))[-1].reading.verdict is Verdict.PROMOTE


@pytest.mark.req("O5")
def test_the_candidates_bad_answers_are_counted() -> None:
    """By gate, over all looks so far, shadowed ones included."""
    *_, last = walk(SUCCESS, Rules(), STAGE, minutes(*range(5), bad=7))
    assert last.bad == {"success": 35}
    slow = {0: 50, 500: 10}
    gates = (GateSpec("latency", "quantile", "seconds", 2.0),)
    looks: list[tuple[float, Look]] = [(0.0, {"seconds": {"candidate": Tally(n=60, sketch=slow)}})]
    assert next(walk(gates, Rules(), STAGE, looks)).bad == {"latency": 10}


@pytest.mark.req("O5")
def test_bad_answers_are_those_that_the_gate_bets_on() -> None:
    """Values in the limit's own bucket are within it, wherever in the bucket the limit lies."""
    for limit in (0.2, 0.21, 0.5, 1.0, 2.0, 10.0):
        gates = (GateSpec("latency", "quantile", "seconds", limit),)
        sketch = {bucket_of(limit): 30, bucket_of(limit) + 1: 7}
        looks: list[tuple[float, Look]] = [
            (0.0, {"seconds": {"candidate": Tally(n=37, sketch=sketch)}})
        ]
        assert next(walk(gates, Rules(), STAGE, looks)).bad == {"latency": 7}


@pytest.mark.req("O5")
def test_a_recorded_stage_begins_when_it_did() -> None:
    """Neither at its promotion nor before, and its counts begin there."""
    stages = (
        ReplayStage("canary 10 %", "canary", 120.0, 0.1, begins=0.0),
        ReplayStage("canary 100 %", "canary", 120.0, 1.0, begins=1200.0),
    )
    looks = list(walk(SUCCESS, Rules(), stages, minutes(*range(30))))
    assert [look.stage for look in looks] == [0] * 20 + [1] * 10
    assert looks[10].reading.verdict is Verdict.PROMOTE
    assert looks[20].reading.gates[0].n == 60
