"""Replay of recorded observations."""

from __future__ import annotations

import random

import pytest

from switchover.judge.gate import GateSpec
from switchover.judge.replay import Observation, replay
from switchover.judge.rollout import Rules
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
