from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from switchover.machine.snapshot import MODES, Snapshot
from switchover.routing.bucket import Key
from switchover.routing.snapshot import Decision, compile_snapshot, decide, legacy_table

ANY_KEY = st.one_of(st.text(), st.integers(), st.binary())
SHARES = st.integers(0, 10_000)


def answer(snapshot: Snapshot, key: Key) -> Decision:
    return decide(compile_snapshot(snapshot), key)


@pytest.mark.req("INV8")
@given(key=ANY_KEY, kind=st.sampled_from(["string", "integer"]), low=SHARES, high=SHARES)
def test_raising_the_split_only_moves_keys_to_the_candidate(
    key: Key, kind: str, low: int, high: int
) -> None:
    """Whoever the candidate serves at the lower split, it serves at the higher one too."""
    low, high = sorted((low, high))
    before = answer(Snapshot("m", 1, "gradual", low, salt="s", key=kind), key)
    after = answer(Snapshot("m", 2, "gradual", high, salt="s", key=kind), key)
    assert (before.system, after.system) != ("candidate", "legacy")


@pytest.mark.req("T2")
@given(key=ANY_KEY, split=SHARES)
def test_reason_tells_the_side_of_the_split(key: Key, split: int) -> None:
    """``split:in`` is served by the candidate, ``split:out`` by legacy, with the epoch."""
    decision = answer(Snapshot("m", 7, "gradual", split, salt="s"), key)
    assert decision.reason == {"candidate": "split:in", "legacy": "split:out"}[decision.system]
    assert decision.epoch == 7


@pytest.mark.req("T2")
@pytest.mark.parametrize("kind", ["string", "integer"])
@pytest.mark.parametrize(("split", "system"), [(0, "legacy"), (10_000, "candidate")])
def test_ends_of_the_split_hold_for_every_key(kind: str, split: int, system: str) -> None:
    """At 0 % nobody and at 100 % everybody is served by the candidate."""
    snapshot = Snapshot("m", 1, "gradual", split, salt="s", key=kind)
    assert {answer(snapshot, number).system for number in range(-300, 300)} == {system}


@pytest.mark.req("T2")
@given(key=st.integers(), percent=st.integers(0, 100))
def test_integer_mode_is_exact_for_integers_and_their_text(key: int, percent: int) -> None:
    """``key mod 100 < percent`` decides, also where a service passes the number as text."""
    snapshot = Snapshot("m", 1, "gradual", percent * 100, salt="s", key="integer")
    wanted = "candidate" if key % 100 < percent else "legacy"
    assert answer(snapshot, key).system == answer(snapshot, str(key)).system == wanted


@pytest.mark.req("T2")
def test_key_that_is_no_integer_keeps_its_share_in_integer_mode() -> None:
    """Such keys are hashed instead: sticky, and about the wanted share."""
    snapshot = Snapshot("m", 1, "gradual", 2_500, salt="s", key="integer")
    served = [answer(snapshot, f"no-number-{n}").system for n in range(4_000)]
    assert 0.21 < served.count("candidate") / len(served) < 0.29


@pytest.mark.req("T1")
@pytest.mark.parametrize(
    ("mode", "system", "reason"),
    [
        ("legacy_only", "legacy", "mode:legacy_only"),
        ("parallel", "legacy", "mode:parallel"),
        ("candidate_only", "candidate", "mode:candidate_only"),
        ("emergency_rollback", "legacy", "emergency_rollback"),
    ],
)
@pytest.mark.parametrize("kind", ["string", "integer"])
def test_mode_decides_alone_whatever_the_split_says(
    mode: str, system: str, reason: str, kind: str
) -> None:
    """Outside ``gradual`` every key gets the mode's system and reason."""
    snapshot = Snapshot("m", 3, mode, 5_000, salt="s", key=kind)
    answers = {answer(snapshot, key) for key in (1, 99, "a", b"b", "")}
    assert answers == {Decision(system, reason, 3, False)}


@pytest.mark.req("T1")
@pytest.mark.parametrize("mode", MODES)
def test_shadowing_happens_only_where_the_candidate_may_be_called(mode: str) -> None:
    """``legacy_only`` and ``emergency_rollback`` leave the candidate alone."""
    decision = answer(Snapshot("m", 1, mode, 5_000, shadow=10_000, salt="s"), "a")
    assert decision.shadow == (mode not in ("legacy_only", "emergency_rollback"))


@pytest.mark.req("INV8")
def test_shadow_sample_is_sticky_and_independent_of_the_split() -> None:
    """A fifth is shadowed on either side of the split, always the same keys."""
    snapshot = Snapshot("m", 1, "gradual", 5_000, shadow=2_000, salt="s")
    first = [answer(snapshot, f"k{n}") for n in range(20_000)]
    assert first == [answer(snapshot, f"k{n}") for n in range(20_000)]
    for system in ("legacy", "candidate"):
        side = [decision.shadow for decision in first if decision.system == system]
        assert 0.18 < sum(side) / len(side) < 0.22


@pytest.mark.req("T1")
def test_other_system_is_the_one_a_shadow_call_goes_to() -> None:
    """A decision names the side that does not serve."""
    assert Decision("legacy", "mode:parallel", 1, True).other == "candidate"
    assert Decision("candidate", "split:in", 1, True).other == "legacy"


@pytest.mark.req("INV7")
@given(key=ANY_KEY)
def test_fallback_table_sends_every_key_to_legacy(key: Key) -> None:
    """Without a document to rely on there is one answer for all."""
    assert decide(legacy_table("stale", 9), key) == Decision("legacy", "stale", 9, False)
