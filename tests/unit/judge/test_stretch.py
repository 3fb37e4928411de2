"""Stretches of a window: the short cuts of a look change nothing of what it finds."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from switchover.judge.stretch import Rule, Slots, Stretch, hopeless, shorter, surely, whole_of
from switchover.judge.target import SLOTS, TargetSpec, window

pytestmark = pytest.mark.req("R3")

LAST = 40
SPEC = TargetSpec("t", "m", "proportion", 0.3, 0.3, False, over=300.0, minimum=30)
RULES = [
    Rule(SPEC, None, 20.0, sudden=True),
    Rule(replace(SPEC, at_least=True, target=0.7, alert=0.7), None, 20.0, sudden=True),
    Rule(replace(SPEC, kind="quantile", quantile=0.95), None, 20.0, sudden=True),
    Rule(replace(SPEC, kind="count", alert=2.0, minimum=1), None, 20.0),
    Rule(SPEC, 1.5, 20.0, sudden=True),
    Rule(SPEC, 1.5, 6.6),
    Rule(SPEC),
]
COUNTS = st.tuples(st.integers(1, 60), st.floats(0, 1)).map(
    lambda drawn: [drawn[0], 0, round(drawn[0] * drawn[1]), 0.0, 0.0]
)
SIDE = st.dictionaries(st.integers(LAST - SLOTS - 3, LAST).map(str), COUNTS, max_size=SLOTS + 3)


def every_stretch(rule: Rule, ours: Slots, theirs: Slots) -> list[Stretch]:
    """All of them, by adding up anew for each."""
    places = [[str(LAST - back) for back in range(count)] for count in range(1, SLOTS)]
    found = [whole_of(rule, ours, theirs, LAST)]
    for kept in places if rule.sudden else []:
        sums = [window({p: side[p] for p in kept if p in side}, LAST) for side in (ours, theirs)]
        found.append(Stretch(len(kept) * rule.window.width, *sums))
    return found


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: f"{rule.window.kind}-{rule.ratio}")
@settings(max_examples=60, deadline=None)
@given(ours=SIDE, theirs=SIDE)
def test_no_break_is_lost_by_what_a_look_leaves_out(rule: Rule, ours: Slots, theirs: Slots) -> None:
    """Neither windows in which too little failed, nor stretches in which nothing was counted."""
    broken = [each for each in every_stretch(rule, ours, theirs) if surely(rule, each)]
    whole = whole_of(rule, ours, theirs, LAST)
    looked_at = [] if hopeless(rule, whole) else [whole, *shorter(rule, ours, theirs, LAST)]
    found = [each for each in looked_at if surely(rule, each)]
    assert bool(found) == bool(broken)
    if found:
        assert found[0] == broken[0]


def test_a_window_counts_its_own_slots_only() -> None:
    """What lies before it or after it belongs to others."""
    slots = {str(LAST - SLOTS): [1] * 5, str(LAST - SLOTS + 1): [2] * 5, str(LAST): [4] * 5,
             str(LAST + 1): [8] * 5}  # fmt: skip
    assert window(slots, LAST) == [6] * 5
    assert window({}, LAST) == [0] * 5
