"""Two process workers on one pool: several migrations, competing runs, and one worker dies."""

from __future__ import annotations

import os
import signal
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from switchover.ledger import verify
from switchover.testing.embedded.prefect import PrefectWorker

pytestmark = pytest.mark.timeout(600)

#: Long enough for a start of several flow runs at once on a busy machine.
PATIENCE = 180.0


@pytest.fixture
def second(land: Any, tmp_path: Path) -> Iterator[PrefectWorker]:
    """Another worker of the stack's pool; with it as many runs go side by side as there are."""
    stack = land.stack
    home = tmp_path / "second"
    home.mkdir()
    environment = {**stack.server.env, "PREFECT_HOME": str(home)}
    worker = PrefectWorker(
        environment, limit=12, env={**stack.env, **stack.worker_env, "PREFECT_HOME": str(home)},
        cwd=stack.root,
    )  # fmt: skip
    worker.start().wait()
    yield worker
    worker.stop()
    # What the tests after this one were promised: the first worker, and its limit.
    stack.worker.start().wait()


def wait_for(true: Callable[[], bool], what: str) -> None:
    """Poll until ``true()``."""
    deadline = time.monotonic() + PATIENCE
    while not true():
        assert time.monotonic() < deadline, what
        time.sleep(0.05)


def runs_of(worker: PrefectWorker) -> set[str]:
    """The flow runs that a worker's processes execute now."""
    found = set()
    for folder in Path("/proc").iterdir():
        if not folder.name.isdigit():
            continue
        try:
            parent = (folder / "stat").read_text().rpartition(")")[2].split()[1]
            if int(parent) != worker.process.pid:
                continue
            variables = (folder / "environ").read_bytes().split(b"\0")
        except OSError:  # it has ended
            continue
        names = b"PREFECT__FLOW_RUN_ID="
        found |= {each[len(names) :].decode() for each in variables if each.startswith(names)}
    return found


@contextmanager
def stopped(worker: PrefectWorker) -> Iterator[None]:
    """It takes no run meanwhile: otherwise whoever asks first takes all that there are."""
    os.kill(worker.process.pid, signal.SIGSTOP)
    try:
        yield
    finally:
        os.kill(worker.process.pid, signal.SIGCONT)


@pytest.mark.req("P10", "P3", "INV1", "INV4")
def test_two_workers_share_the_runs_and_one_of_them_may_die(
    land: Any, journey: Any, second: PrefectWorker
) -> None:
    """Every step of every migration is taken once, whoever takes it; the chains verify."""
    first = land.stack.worker
    journeys = [type(journey)(land, f"shared-{number}") for number in range(2)]
    stages = [{"kind": "checks"}, {"kind": "canary", "percent": 100, "bake": "1s"}]
    for each in journeys:
        each.start(stages=stages)

    # Their checks wait, so that all runs are under way when the first worker dies.
    land.candidate.open.clear()
    with stopped(first):
        pairs = [each.launch("advance/advance", actor="test") for each in journeys]
        wait_for(lambda: runs_of(second) == set(pairs), "the second worker took no run")
    with stopped(second):
        pairs += [each.launch("advance/advance", actor="test") for each in journeys]
        wait_for(lambda: len(runs_of(first)) == len(journeys), "the first worker took no run")
    lost = runs_of(first) & set(pairs)
    first.process.kill()
    land.candidate.open.set()
    for run in set(pairs) - lost:
        kind, name, message = land.launcher.wait(run, PATIENCE, interval=0.1)
        assert kind == "COMPLETED", f"{name}: {message}"
    for each in journeys:
        if each.case.stage.kind == "checks":  # both of its runs were lost
            each.advance()
        assert each.case.state.split == 10_000

    # Competing advances and sweeps, on the worker that is left.
    for each in journeys:
        each.evidence()
    rivals = [each.launch("advance/advance", actor="test") for each in journeys for _ in range(2)]
    rivals.append(journey.launch("monitor/monitor"))
    for run in rivals:
        kind, name, message = land.launcher.wait(run, PATIENCE, interval=0.1)
        assert kind == "COMPLETED", f"{name}: {message}"
    for each in journeys:
        entered = Counter(entry.payload["title"] for entry in each.entries("stage_entered"))
        assert entered == {"canary 100 %": 1, "complete": 1}
        state, routing = each.case.state, land.context.routing.read(each.migration)
        assert (state.phase, routing.epoch) == ("complete", state.epoch)
        assert verify(land.ledger, each.migration) == []
