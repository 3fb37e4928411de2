"""What a router holds: a good document is never replaced by a bad one, and nothing raises."""

from __future__ import annotations

import json
import logging
from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from switchover.machine.snapshot import FULL, MODES, Snapshot
from switchover.routing.flags import FlagTable
from switchover.routing.held import Change, HeldDocument
from switchover.routing.snapshot import Decision, Table, compile_snapshot, decide

FLAGS = {"new": {"name": "new", "split": 5_000, "follows_split": True}}
GOOD = Snapshot("mood", 40, "gradual", 5_000, shadow=100, salt="s", flags=FLAGS)
NAMES = sorted(asdict(GOOD))
KEYS = ("", "a", "ä", 7, -1, 10**40, b"\xff", "\ud800")

SCALARS = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5)
JSON = st.recursive(
    SCALARS | st.sampled_from([*MODES, "string", "integer", 0, 41, 10_000, 10_001]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner),
    max_leaves=6,
)
FLAG = st.dictionaries(
    st.sampled_from(["name", "split", "variants", "values", "requires", "overrides", "off"]), JSON
)


@st.composite
def documents(draw: st.DrawFn) -> str:
    """A document in which some fields are anything, or missing, under a newer epoch."""
    document: dict[str, Any] = {**asdict(GOOD), "epoch": 41}
    for name in draw(st.lists(st.sampled_from(NAMES), min_size=1, max_size=3)):
        document[name] = draw(JSON)
    if draw(st.booleans()):
        document["flags"] = {"new": {"name": "new", **draw(FLAG)}}
    for name in draw(st.lists(st.sampled_from(NAMES), max_size=1)):
        document.pop(name)
    return json.dumps(document)


class Held:
    """A held document and what it put in force."""

    def __init__(self) -> None:
        self.document = HeldDocument("mood", self.install)
        self.document.take(GOOD.to_json())

    def install(self, table: Table, flags: Mapping[str, FlagTable], change: Change | None) -> None:
        self.table, self.flags = table, flags

    def evaluate(self) -> list[Decision]:
        """Every kind of key is routed, and every flag evaluated for it."""
        for flag in self.flags.values():
            for key in KEYS:
                assert flag[4](key).on in (True, False)
        return [decide(self.table, key) for key in KEYS]


def is_whole(number: Any, least: int, most: float) -> bool:
    return type(number) is int and least <= number <= most


@pytest.mark.req("INV3")
@given(text=documents() | st.text() | JSON.map(json.dumps))
@example(text="[" * 100_000)
@example(text=json.dumps({**asdict(GOOD), "epoch": float("nan")}))
@example(text=json.dumps({**asdict(GOOD), "epoch": 41, "salt": 5}))
@example(text=json.dumps({**asdict(GOOD), "epoch": 41, "turned": "yesterday"}))
@example(text='{"migration": "mood", "epoch": ' + "9" * 5_000 + "}")
def test_only_a_valid_newer_document_replaces_the_held_one(text: str) -> None:
    """Whatever Redis holds: nothing is raised, and what is in force afterwards makes sense."""
    held = Held()
    before = held.evaluate()
    epoch, _ = held.document.take(text)
    taken = held.document.snapshot
    assert taken is not None
    assert epoch == taken.epoch
    decisions = held.evaluate()
    if taken is not GOOD and taken != GOOD:
        assert (taken.migration, is_whole(taken.epoch, 41, float("inf"))) == ("mood", True)
        assert is_whole(taken.split, 0, FULL)
        assert is_whole(taken.shadow, 0, FULL)
        assert is_whole(taken.turned, 0, taken.epoch)
        assert taken.mode in MODES
        assert (type(taken.salt), type(taken.halt)) == (str, str)
        assert isinstance(taken.agreement, Mapping)
        assert {decision.epoch for decision in decisions} == {taken.epoch}
    elif not held.document.fallen_back:
        assert decisions == before
    # The next good one is taken in any case: nothing poisons what is held.
    newest = Snapshot("mood", taken.epoch + 1, "candidate_only")
    held.document.take(newest.to_json())
    assert {d.reason for d in held.evaluate()} == {"mode:candidate_only"}


@pytest.mark.req("INV3")
@pytest.mark.parametrize(
    ("bad", "counter", "said"),
    [
        ({"epoch": 39}, "older", "epoch 39, holding 40"),
        ({"split": 10_001}, "malformed", "outside 0 to 10000"),
        ({"split": -1}, "malformed", "outside 0 to 10000"),
        ({"split": 12.5}, "malformed", "split"),
        ({"epoch": True}, "malformed", "epoch"),
        ({"migration": "other"}, "malformed", "other"),
        ({"flags": {"f": {"name": "f", "variants": {"a": 4_000, "b": 5_000}}}}, "malformed",
         "sum to 90 %"),
    ],
)  # fmt: skip
def test_refusal_is_counted_and_logged_once(
    bad: dict[str, Any], counter: str, said: str, caplog: pytest.LogCaptureFixture
) -> None:
    """However often the reader finds the same document; the metric and the log say what it was."""
    held = Held()
    with caplog.at_level(logging.WARNING, "switchover.router"):
        for _ in range(3):
            held.document.take(json.dumps({**asdict(GOOD), "epoch": 41, **bad}))
    assert held.document.counters == {"taken": 1, counter: 1}
    assert len(caplog.messages) == 1
    assert said in caplog.text
    assert held.document.snapshot == GOOD


@pytest.mark.req("INV5", "INV3")
def test_a_rollback_with_flags_that_can_not_be_read_is_obeyed() -> None:
    """Such as those of a newer Switchover. It is refused, and yet nothing goes to the candidate."""
    held = Held()
    unreadable = {"new": {"rules": [{"when": {"plan": "pro"}, "variant": "on", "unless": "x"}]}}
    rollback = Snapshot("mood", 41, "emergency_rollback", halt="h", flags=unreadable)
    for _ in range(2):
        held.document.take(rollback.to_json())
    assert {d.reason for d in held.evaluate()} == {"emergency_rollback"}
    assert held.flags["new"][4]("a").reason == "emergency_rollback"
    assert (held.document.epoch, held.document.counters["malformed"]) == (40, 1)
    held.document.take(Snapshot("mood", 42, "candidate_only").to_json())
    assert {d.reason for d in held.evaluate()} == {"mode:candidate_only"}


DEFINITIONS = st.fixed_dictionaries(
    {},
    optional={
        "base": st.sampled_from([{}, {"split": 3000}, {"follows_split": True}]),
        "own": st.sampled_from([{"split": 5000}, {"variants": {"a": 4000, "b": 6000}}]),
        "mine": st.sampled_from([{"follows_split": True}, {"follows_split": True, "split": 5000}]),
    },
).flatmap(
    lambda flags: st.sampled_from(
        [flags, {**flags, "child": {"requires": {"base": "on"}, "split": 9000}}]
        if "base" in flags
        else [flags]
    )
)
STEP = st.tuples(
    DEFINITIONS, st.sampled_from(MODES), st.sampled_from([0, 3000, FULL]),
    st.sampled_from(["s", "s", "t"]), st.sampled_from(["string", "string", "integer"]),
    st.sampled_from(["", "", "expire", "let_go", "confirm"]),
)  # fmt: skip


@pytest.mark.req("INV5", "INV8")
@given(steps=st.lists(STEP, min_size=1, max_size=6))
def test_flags_evaluate_as_if_all_were_compiled_anew(steps: list[Any]) -> None:
    """Those that a change does not touch are kept; that is a matter of speed alone."""
    held = Held()
    for epoch, (flags, mode, split, salt, key, then) in enumerate(steps, 41):
        text = Snapshot(
            "mood", epoch, mode, split, shadow=split, salt=salt, key=key, flags=flags
        ).to_json()
        held.document.take(text)
        if then in ("expire", "confirm"):
            held.document.expire(-1.0)
        if then == "let_go":
            held.document.let_go()
        if then == "confirm":
            held.document.take(text)
        kept = evaluations(held)
        held.document.renew()
        assert kept == evaluations(held)


def evaluations(held: Held) -> dict[str, list[Any]]:
    """Each flag, by its own way and by the short one, for many keys."""
    return {
        name: [(table[:4] if table[0] is not None else None, table[4](key)) for key in range(40)]
        for name, table in held.flags.items()
    }


@pytest.mark.req("T5")
def test_a_document_is_compiled_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """To check it is to compile it; legacy may take over, come back and fork without another."""
    compiled: list[int] = []

    def counting(snapshot: Snapshot) -> Table:
        compiled.append(snapshot.epoch)
        return compile_snapshot(snapshot)

    monkeypatch.setattr("switchover.routing.held.compile_snapshot", counting)
    held = Held()
    assert compiled == [GOOD.epoch]
    before = held.evaluate()
    held.document.let_go()
    assert {decision.reason for decision in held.evaluate()} == {"stale"}
    held.document.take(GOOD.to_json())
    held.document.renew()
    assert held.evaluate() == before
    assert compiled == [GOOD.epoch]
