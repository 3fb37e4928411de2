"""How an incident goes from open to closed, whatever happens in between."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from switchover.errors import IllegalTransition
from switchover.machine import event as e
from switchover.machine.apply import apply, begin
from switchover.machine.inquiry import SECTIONS, Inquiry
from switchover.machine.state import State

CRITERIA = [{"id": "z-first", "text": "zoë is happy"}, {"id": "a-second", "text": "a drill"}]
WAVES = ["immediate", "business"]


def rolled_back(criteria: list[dict[str, str]] | None = CRITERIA, **more: object) -> e.RolledBack:
    """The entry that opens the incident i1."""
    return e.RolledBack(1.0, "x", "judge", "bad", "h1", "i1", criteria=criteria, **more)  # type: ignore[arg-type]


def after(*events: e.Event) -> State:
    """A migration with a rollback, and what came then."""
    state = begin("m", e.Started("digest", "salt", "string", 0.0, "ada"))
    for event in events:
        state = apply(state, event)
    return State.from_dict(json.loads(json.dumps(state.to_dict())))


def only(state: State) -> Inquiry:
    (inquiry,) = state.inquiries
    return inquiry


def measured(complete: bool = True, routers: int = 2) -> e.RollbackMeasured:
    return e.RollbackMeasured("i1", 2.0, 0.1, routers, complete)


def wave(name: str, ok: bool) -> e.WaveValidated:
    return e.WaveValidated("i1", name, ok, 3.0)


ANALYSIS = e.IncidentUpdated(
    "i1", 4.0, "ada", root_cause="r", impact="i", actions=[{"text": "t"}], prevention="p"
)
CLOSED = e.IncidentClosed("i1", 5.0, "ada")


@pytest.mark.req("R5")
@pytest.mark.parametrize(
    ("events", "state", "critical"),
    [
        ([], "open", True),
        ([measured(complete=False)], "open", True),
        ([measured()], "mitigated", False),
        ([measured(complete=False, routers=0)], "open", True),
        ([measured(routers=0)], "mitigated", False),
        ([ANALYSIS], "open", True),
        ([measured(), ANALYSIS], "analysed", False),
        ([ANALYSIS, measured()], "analysed", False),
        ([measured(), ANALYSIS, CLOSED], "closed", False),
        ([e.IncidentUpdated("i1", 3.0, "ada", mitigated="restarted it")], "mitigated", False),
        ([e.IncidentUpdated("i1", 3.0, "ada", root_cause="r"), measured()], "mitigated", False),
    ],
)
def test_an_incident_goes_by_what_is_on_record(
    events: list[e.Event], state: str, critical: bool
) -> None:
    """Open until the routers turned, analysed when every section is written, closed by a person."""
    found = only(after(rolled_back(), *events))
    assert (found.state, found.critical) == (state, critical)


@pytest.mark.req("R4", "R5")
@pytest.mark.parametrize(
    ("events", "state"),
    [
        ([], "open"),
        ([wave("immediate", True)], "open"),
        ([wave("immediate", True), wave("business", True)], "mitigated"),
        ([wave("immediate", False), wave("business", True)], "open"),
        ([wave("immediate", False), wave("business", True), wave("immediate", True)], "mitigated"),
    ],
)
def test_an_incident_is_mitigated_when_every_wave_passed(events: list[e.Event], state: str) -> None:
    """One that failed and passes later counts as passed."""
    found = only(after(rolled_back(waves=WAVES), measured(), *events))
    assert found.state == state
    assert found.critical == (state == "open")


@pytest.mark.req("R4", "R5")
def test_a_failed_wave_outweighs_a_persons_word() -> None:
    """Given before, the word is void; given while it fails, it is refused."""
    word = e.IncidentUpdated("i1", 3.0, "ada", mitigated="looks fine")
    state = after(rolled_back(waves=WAVES), word, wave("immediate", False))
    assert only(state).state == "open"
    with pytest.raises(IllegalTransition, match="immediate"):
        apply(state, word)


@pytest.mark.req("R6")
def test_criteria_keep_their_order_and_are_ticked_once() -> None:
    """By id; an unknown one, a second tick and taking back what is not there are refused."""
    state = after(rolled_back(), measured(), ANALYSIS)
    assert list(only(state).unticked) == ["z-first", "a-second"]
    ticked = apply(state, e.CriterionTicked("i1", "a-second", 6.0, "bo", "drill of today"))
    assert list(only(ticked).unticked) == ["z-first"]
    assert only(ticked).open_points() == ("criteria not ticked: z-first",)
    with pytest.raises(IllegalTransition, match="ticked already"):
        apply(ticked, e.CriterionTicked("i1", "a-second", 7.0, "cy"))
    with pytest.raises(IllegalTransition, match="no criterion 'other', but z-first, a-second"):
        apply(ticked, e.CriterionTicked("i1", "other", 7.0, "cy"))
    with pytest.raises(IllegalTransition, match="z-first is not ticked"):
        apply(ticked, e.CriterionUnticked("i1", "z-first", 7.0, "cy"))
    again = apply(ticked, e.CriterionUnticked("i1", "a-second", 7.0, "cy"))
    assert list(only(again).unticked) == ["z-first", "a-second"]


@pytest.mark.req("R5")
def test_nothing_unfinished_is_closed() -> None:
    """The refusal names what is missing; criteria are no part of it."""
    state = after(rolled_back(), measured(), e.IncidentUpdated("i1", 3.0, "ada", impact="i"))
    with pytest.raises(IllegalTransition, match="root cause, actions, prevention") as refused:
        apply(state, CLOSED)
    assert "criteria" not in str(refused.value)
    closed = after(rolled_back(), measured(), ANALYSIS, CLOSED)
    with pytest.raises(IllegalTransition, match="ada has closed it before"):
        apply(closed, CLOSED)


@pytest.mark.req("R5")
def test_an_unclosed_incident_outlives_the_next_attempt() -> None:
    """A closed one is forgotten then, and can't be changed any more."""
    again = e.Started("d2", "salt", "string", 9.0, "bo", "h1")
    kept = after(rolled_back(), measured(), again)
    assert only(kept).id == "i1"
    gone = after(rolled_back(), measured(), ANALYSIS, CLOSED, again)
    assert gone.inquiries == ()
    with pytest.raises(IllegalTransition, match="can't be changed any more"):
        apply(gone, CLOSED)


@pytest.mark.req("R5", "INV11")
def test_what_an_older_version_wrote_folds_to_the_same_state() -> None:
    """It recorded no criteria, so its rollback opens nothing that would differ from its state."""
    assert after(rolled_back(criteria=None), measured()).inquiries == ()


@pytest.mark.req("R5")
def test_a_failure_past_the_point_of_no_return_ends_with_good_evidence_or_a_rollback() -> None:
    """Critical while the candidate goes on to fail; the rollback is an incident of its own."""
    no_return = e.StageEntered(1, "all", "parallel", 0, 0, 1.0, 1.0,
                               reversibility="point_of_no_return")  # fmt: skip
    stranded = e.Stranded(2.0, "x", "judge", "bad", "s1", criteria=[])
    failed = after(no_return, stranded)
    assert only(failed).critical
    good = apply(failed, e.Judged(1, "promote", 3.0, "good"))
    assert only(good).state == "mitigated"
    both = apply(failed, rolled_back())
    assert [(each.id, each.mitigated) for each in both.inquiries] == [("s1", True), ("i1", False)]


@pytest.mark.req("R5")
@given(st.sets(st.sampled_from(SECTIONS)), st.sets(st.sampled_from(SECTIONS)))
def test_sections_add_up_in_any_order(first: set[str], second: set[str]) -> None:
    """What one person left out another may add; nothing that was written is lost."""

    def update(names: set[str]) -> e.IncidentUpdated:
        written = {name: [{"text": "x"}] if name == "actions" else "x" for name in names}
        return e.IncidentUpdated("i1", 3.0, "ada", **written)  # type: ignore[arg-type]

    found = only(after(rolled_back(), measured(), update(first), update(second)))
    assert set(found.unwritten) == set(SECTIONS) - first - second
    assert found.state == ("mitigated" if found.unwritten else "analysed")


@pytest.mark.req("R4", "INV4")
def test_a_wave_is_on_record_once_and_only_a_pass_follows_a_failure() -> None:
    """Whoever comes second, by a race or after a crash, is refused."""
    state = after(rolled_back(waves=WAVES), wave("immediate", False))
    with pytest.raises(IllegalTransition, match="on record already"):
        apply(state, wave("immediate", False))
    passed = apply(state, wave("immediate", True))
    for again in (True, False):
        with pytest.raises(IllegalTransition, match="on record already"):
            apply(passed, wave("immediate", again))
    with pytest.raises(IllegalTransition, match="no wave lunar"):
        apply(state, wave("lunar", True))


FROZEN = e.RollbackFrozen("i1", "service", "a", 4.0, "bad")


@pytest.mark.req("R2")
@pytest.mark.parametrize(
    ("then", "critical"),
    [
        ([], True),
        ([e.RollbackStepDone("i1", "service", "b", "r", 5.0, "done", "")], True),
        ([e.RollbackStepBegun("i1", "service", "b", "r", 5.0, 9.0, reverse=True)], True),
        ([e.RollbackStepBegun("i1", "service", "a", "r", 5.0, 9.0)], False),
        ([e.RollbackStepDone("i1", "service", "a", "r", 5.0, "settled", "")], False),
        ([e.RollbackEscalated("i1", "system", 5.0, "bo", "all of it")], False),
    ],
)
def test_a_rollback_that_stopped_is_critical_until_people_go_on(
    then: list[e.Event], critical: bool
) -> None:
    """A step that ends late, or one that is taken back, mends nothing."""
    state = after(rolled_back(), measured(), FROZEN, *then)
    assert only(state).critical is critical


@pytest.mark.req("R2")
def test_a_stop_of_an_incident_that_is_gone_changes_nothing() -> None:
    """One that an older version recorded has nothing that could change."""
    assert after(rolled_back(criteria=None), FROZEN).inquiries == ()
