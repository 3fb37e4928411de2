"""SIGKILL of a run, the worker and the server; runs at the same time; and then again."""

from __future__ import annotations

import os
import signal
from collections import Counter
from typing import Any

import pytest

from switchover.ledger import verify
from tests.flows.processes import process_of, wait_for

pytestmark = pytest.mark.timeout(300)


def same_end(land: Any, journey: Any, *titles: str) -> None:
    """Each stage was entered once, routing shows the last one, and the chain verifies."""
    entered = Counter(entry.payload["title"] for entry in journey.entries("stage_entered"))
    assert entered == dict.fromkeys(titles, 1)
    state, routing = journey.case.state, land.context.routing.read(journey.migration)
    assert (routing.epoch, routing.mode, routing.split) == (state.epoch, state.mode, state.split)
    assert verify(land.ledger, journey.migration) == []


@pytest.mark.req("INV4", "P3")
def test_a_killed_run_is_made_good_by_the_next(land: Any, journey: Any) -> None:
    """SIGKILL in the middle of a check, then right after a step's entry: advance goes on."""
    journey.start()
    land.candidate.open.clear()
    before = land.candidate.calls
    run = journey.launch("advance/advance", actor="test")
    wait_for(lambda: land.candidate.calls > before, "the check never came")
    os.kill(process_of(run), signal.SIGKILL)
    assert journey.ended(run)[0] == "CRASHED"
    land.candidate.open.set()
    assert journey.case.state.revision == 1
    assert "shadow begins" in journey.advance()

    journey.evidence()
    run = journey.launch("advance/advance", actor="test")
    process = process_of(run)
    wait_for(lambda: len(journey.entries("stage_entered")) == 2, "the step was never taken")
    os.kill(process, signal.SIGKILL)
    assert journey.ended(run)[0] == "CRASHED"
    journey.advance()
    same_end(land, journey, "shadow", "canary 25 %")


@pytest.mark.req("INV4", "P3", "P6")
def test_worker_and_server_may_die_while_people_are_asked_and_steps_are_taken(
    land: Any, journey: Any
) -> None:
    """A suspended approval outlives both; a step that lost its worker is taken once."""
    stages = [{"kind": "checks"}, {"kind": "shadow", "bake": "1s"},
              {"kind": "canary", "percent": 50, "bake": "1s", "approval": True}]  # fmt: skip
    journey.start(stages=stages)
    land.candidate.open.clear()
    before = land.candidate.calls
    run = journey.launch("advance/advance", actor="test")
    wait_for(lambda: land.candidate.calls > before, "the check never came")
    land.stack.worker.process.kill()
    assert journey.launcher.state(run)[1] == "Running"
    land.candidate.open.set()
    land.stack.worker.start()
    kind, _, message = journey.ended(run)
    assert (kind, "shadow begins" in message) == ("COMPLETED", True), message

    waiting = journey.ask()
    land.stack.worker.process.kill()
    land.stack.server.process.kill()
    land.stack.server.start()
    land.stack.worker.start().wait()
    assert journey.launcher.state(waiting)[1] == "Suspended"
    journey.launcher.resume(waiting, {"decision": "approve", "approver": "ada"})
    kind, _, message = journey.ended(waiting)
    assert (kind, "canary 50 % begins" in message) == ("COMPLETED", True), message
    same_end(land, journey, "shadow", "canary 50 %")


@pytest.mark.req("INV1", "P7")
def test_of_two_runs_at_the_same_time_one_takes_the_step(land: Any, journey: Any) -> None:
    """Both complete; one took the step, the other says that there was none left for it."""
    journey.start()
    journey.step()
    journey.evidence()
    runs = [journey.launch("advance/advance"), journey.launch("shadow/shadow")]
    ends = [journey.ended(run) for run in runs]
    assert [kind for kind, _, _ in ends] == ["COMPLETED", "COMPLETED"]
    messages = [message for _, _, message in ends]
    assert sum("canary 25 % begins" in message for message in messages) == 1, messages
    same_end(land, journey, "shadow", "canary 25 %")
