"""The machine under random events: a hypothesis model that checks every invariant it can see."""

from __future__ import annotations

import json

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from switchover.errors import IllegalTransition
from switchover.machine import event as e
from switchover.machine.apply import apply, begin
from switchover.machine.state import TERMINAL, Phase, State

PERCENTS = (None, 0, None, 10, 25, 50, 100)
MODES = ("legacy_only", "parallel", "legacy_only", "gradual", "gradual", "gradual", "gradual")
LAST = len(MODES)
#: From this percentage on nothing rolls back by itself.
NO_RETURN = 50


def entered(stage: int, at: float) -> e.StageEntered:
    """The event that begins ``stage`` of the usual plan."""
    if stage == LAST:
        return e.StageEntered(stage, "complete", "candidate_only", 10_000, 0, at, at)
    split = (PERCENTS[stage] or 0) * 100
    costs = "point_of_no_return" if PERCENTS[stage] == NO_RETURN else "reversible"
    return e.StageEntered(
        stage, f"stage {stage}", MODES[stage], split, 0, at, at + 10, reversibility=costs
    )


class MachineModel(RuleBasedStateMachine):
    """Applies any event at any time; refused ones must leave nothing behind."""

    def __init__(self) -> None:
        super().__init__()
        self.now = 0.0
        self.state = begin("m", e.Started("digest", "salt", "string", 0.0, "ada"))
        self.log: list[e.Event] = []
        self.highest_split = 0

    def offer(self, event: e.Event) -> bool:
        """Apply an event; True if it was legal."""
        self.now += 1
        before = self.state
        try:
            after = apply(before, event)
        except IllegalTransition:
            return False
        assert after.revision == before.revision + 1
        assert before.epoch <= after.epoch <= after.revision
        routed = (before.mode, before.split, before.shadow, before.halt)
        changed = routed != (after.mode, after.split, after.shadow, after.halt)
        assert changed == (after.epoch == after.revision)
        if not isinstance(event, e.Started):
            assert after.salt == before.salt
        if isinstance(event, e.StageEntered):
            assert after.split >= before.split
        self.state = after
        self.log.append(event)
        return True

    @rule(stage=st.integers(0, LAST))
    def enter(self, stage: int) -> None:
        """Only the next stage can begin, and never past an open approval or a hold."""
        before = self.state
        if self.offer(entered(stage, self.now)):
            assert stage == before.stage + 1
            assert before.phase in (Phase.RUNNING, Phase.AWAITING_APPROVAL)
            if before.phase is Phase.AWAITING_APPROVAL:
                assert before.approval is not None
                assert before.approval.status == "approved"

    @rule()
    def enter_next(self) -> None:
        """The usual step."""
        if self.state.stage < LAST:
            self.offer(entered(self.state.stage + 1, self.now))

    @rule(ok=st.booleans(), stage=st.integers(0, LAST))
    def work(self, ok: bool, stage: int) -> None:
        """Results of another stage are refused."""
        if self.offer(e.WorkRecorded(stage, ok, self.now, "work")):
            assert self.state.work is not None
            assert self.state.work.stage == self.state.stage

    @rule(name=st.sampled_from(["a", "b"]))
    def ask(self, name: str) -> None:
        """Ask for the next stage."""
        self.offer(e.ApprovalRequested(name, self.state.stage + 1, "h", self.now, self.now + 5))

    @rule(
        name=st.sampled_from(["a", "b"]),
        status=st.sampled_from(["approved", "rejected", "void", "expired"]),
    )
    def settle(self, name: str, status: str) -> None:
        """Only the open approval can be settled, and only once."""
        before = self.state.approval
        if self.offer(e.ApprovalDecided(name, status, self.now)):
            assert before is not None
            assert before.id == name
            assert before.status == "pending" or (before.status, status) == ("approved", "void")

    @rule()
    def hold(self) -> None:
        """A person's brake."""
        self.offer(e.Held(self.now, "ada", "wait"))

    @rule()
    def resume(self) -> None:
        """Let it go on."""
        self.offer(e.Resumed(self.now, "ada", "go"))

    @rule(halt=st.sampled_from(["h1", "h2"]))
    def roll_back(self, halt: str) -> None:
        """A rollback is legal from every phase but rolled back (invariant 5)."""
        before = self.state.phase
        legal = self.offer(e.RolledBack(self.now, "x", "judge", "bad", halt, halt))
        assert legal == (before is not Phase.ROLLED_BACK)
        assert (self.state.mode, self.state.split) == ("emergency_rollback", 0)

    @rule(order=st.booleans())
    def compare_items(self, order: bool) -> None:
        """In every phase; a new order never hides one whose outcome is not known."""
        open_order = self.state.items is not None and self.state.items.order
        repairs = [{"key": 1}] if order else []
        legal = self.offer(e.ItemsCompared(self.now, 1, "d", "s", repairs=repairs))
        assert legal == (not open_order)
        if legal:
            assert self.state.items is not None
            assert self.state.items.order == (self.state.revision if order else 0)

    @rule(late=st.integers(0, 2))
    def repair_items(self, late: int) -> None:
        """Only the open order gets an outcome, and only one."""
        order = self.state.items.order if self.state.items is not None else 0
        legal = self.offer(e.ItemsRepaired(order + late, self.now, 1, 0, "s"))
        assert legal == (order > 0 and late == 0)

    @rule()
    def abort(self) -> None:
        """End it by decision; never past the point of no return."""
        passed = self.state.no_return
        legal = self.offer(e.Aborted(self.now, "ada", "enough"))
        assert not (legal and passed)

    @rule()
    def strand(self) -> None:
        """Only past the point of no return, once in a stage; it moves no traffic."""
        before = self.state
        legal = self.offer(e.Stranded(self.now, "x", "judge", "bad", "i"))
        ended = before.phase in (Phase.ROLLED_BACK, Phase.ABORTED)
        assert legal == (before.no_return and not ended and before.stranded != before.stage)
        if legal:
            assert self.state.phase in (Phase.HELD, Phase.COMPLETE)
            assert (self.state.mode, self.state.split) == (before.mode, before.split)
            assert self.state.epoch == before.epoch

    @rule(item=st.sampled_from(["a", "b"]))
    def sign(self, item: str) -> None:
        """A sign-off counts once, and lets nothing else happen."""
        before = {signed.item for signed in self.state.sign_offs}
        phase = self.state.phase
        legal = self.offer(e.SignedOff(self.now, "ada", item))
        assert legal == (item not in before and phase not in TERMINAL)
        assert self.state.phase is phase

    @rule(item=st.sampled_from(["a", "b"]))
    def withdraw(self, item: str) -> None:
        """Only what was signed is taken back."""
        before = {signed.item for signed in self.state.sign_offs}
        legal = self.offer(e.SignOffWithdrawn(self.now, "ada", item))
        assert legal == (item in before and self.state.phase not in TERMINAL)

    @precondition(lambda self: self.state.phase is Phase.ROLLED_BACK)
    @rule(reached=st.booleans())
    def measure(self, reached: bool) -> None:
        """A rollback that reached routers, and all of them, counts as rehearsed."""
        before = self.state.drilled
        assert self.offer(e.RollbackMeasured(self.state.incident, self.now, 0.1, 1, True, reached))
        assert (self.state.drilled != before) == reached

    @precondition(lambda self: self.state.phase in TERMINAL)
    @rule()
    def again(self) -> None:
        """Another attempt begins at the beginning, with the same salt."""
        before = self.state
        if self.offer(e.Started("d2", "other salt", "string", self.now, "bo", before.halt)):
            assert before.phase is not Phase.COMPLETE
            assert self.state.attempt == before.attempt + 1
            assert self.state.salt == before.salt
            assert (self.state.stage, self.state.split) == (0, 0)
            assert self.state.sign_offs == ()
            assert self.state.drilled == before.drilled

    @invariant()
    def routing_matches_the_phase(self) -> None:
        """Ended migrations show it in their mode; only ``complete`` serves candidate only."""
        state = self.state
        assert (state.phase is Phase.COMPLETE) == (state.mode == "candidate_only")
        assert (state.phase is Phase.ROLLED_BACK) == (state.mode == "emergency_rollback")
        gone = state.phase in (Phase.ROLLED_BACK, Phase.ABORTED)
        passed = state.split >= NO_RETURN * 100
        assert state.no_return == (passed and not gone) == state.snapshot().no_return
        if state.mode in ("legacy_only", "parallel", "emergency_rollback"):
            assert state.split == 0
        assert not state.snapshot().serves_candidate or state.split > 0

    @invariant()
    def the_log_replays_to_the_same_state(self) -> None:
        """State is nothing but the fold of its events, also after a trip through JSON."""
        state = begin("m", e.Started("digest", "salt", "string", 0.0, "ada"))
        for event in self.log:
            text = json.dumps(event.to_dict())
            state = apply(state, e.event_from_dict(event.kind, json.loads(text)))
        assert state == self.state
        assert State.from_dict(json.loads(json.dumps(state.to_dict()))) == state


MachineModel.TestCase.settings = settings(max_examples=60, stateful_step_count=40, deadline=None)
TestMachineModel = pytest.mark.req("T1", "INV1", "INV5", "INV8")(MachineModel.TestCase)
