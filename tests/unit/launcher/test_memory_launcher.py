from __future__ import annotations

import pytest

from switchover.errors import DependencyUnavailable, InputError, Refused
from switchover.ports import Launcher
from switchover.testing.launcher import MemoryLauncher


@pytest.mark.req("INV4")
def test_one_key_starts_one_run() -> None:
    """A repeated start gives the first run's id."""
    launcher: Launcher = MemoryLauncher()
    first = launcher.start("rollback/rollback", {"migration": "mood"}, "k1")
    assert launcher.start("rollback/rollback", {"migration": "mood"}, "k1") == first
    assert launcher.start("rollback/rollback", {"migration": "mood"}, "k2") != first


@pytest.mark.req("P6")
def test_only_a_suspended_run_resumes_and_only_once() -> None:
    """As on a real server: waiting while suspended, gone after the resume, refused twice."""
    launcher = MemoryLauncher()
    run = launcher.start("approve/approve", {"migration": "mood"}, "k1")
    with pytest.raises(Refused, match="not suspended"):
        launcher.resume(run, {})
    launcher.suspend(run)
    assert launcher.waiting("approve/approve") == [(run, {"migration": "mood"})]
    assert launcher.waiting("rollback/rollback") == []
    launcher.resume(run, {"approver": "ada"})
    assert launcher.runs[run].values == {"approver": "ada"}
    assert launcher.waiting("approve/approve") == []
    with pytest.raises(Refused):
        launcher.resume(run, {})


@pytest.mark.req("R8")
def test_broken_launcher_does_nothing() -> None:
    """While told to fail, no call has an effect; an unknown run is bad input."""
    launcher = MemoryLauncher()
    launcher.error = DependencyUnavailable("Prefect", "told to be")
    with pytest.raises(DependencyUnavailable):
        launcher.start("approve/approve", {}, "k1")
    assert launcher.runs == {}
    launcher.error = None
    with pytest.raises(InputError, match="no run"):
        launcher.resume("run-9", {})
