"""Command checks: real processes, in the plan's directory."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from switchover.checks.command import WITHHELD
from switchover.checks.runner import HttpCheckRunner
from switchover.errors import InputError, Refused
from switchover.plan.spec import CommandCheck, Plan
from switchover.ports import CheckResult

Run = Callable[..., CheckResult]


@pytest.fixture
def run(tmp_path: Path) -> Run:
    """Run a command check; ``allow`` is the operator's list."""
    address = "http://127.0.0.1:9"
    plan = Plan.model_validate(
        {
            "switchover": 1,
            "migration": "m",
            "title": "a test",
            "systems": {
                "legacy": {"version": "1", "url": address},
                "candidate": {"version": "2", "url": address},
            },
            "request_key": {"field": "id"},
            "gates": [{"metric": "success_rate", "at_least": 0.7}],
        }
    )

    def run_check(allow: tuple[str, ...] = (), **check: Any) -> CheckResult:
        parsed = CommandCheck.model_validate({"name": "a check", "kind": "command", **check})
        return HttpCheckRunner(frozenset(allow)).run(parsed, plan, str(tmp_path))

    return run_check


@pytest.mark.req("P1")
def test_a_command_that_the_operator_has_not_allowed_is_refused(run: Run, tmp_path: Path) -> None:
    """It does not start, and the message names the setting."""
    with pytest.raises(Refused, match="SWITCHOVER_ALLOW_COMMANDS"):
        run(argv=["touch", "proof"], allow=("pytest",))
    assert not (tmp_path / "proof").exists()


@pytest.mark.req("P1")
def test_another_program_of_an_allowed_name_is_refused(run: Run, tmp_path: Path) -> None:
    """Allowing ``touch`` does not allow ``./touch``, which a plan could bring along."""
    (tmp_path / "touch").write_text("#!/bin/sh\n")
    (tmp_path / "touch").chmod(0o755)
    with pytest.raises(Refused, match=r"may not run \./touch: SWITCHOVER_\w+ lists touch;"):
        run(argv=["./touch"], allow=("touch",))
    assert run(argv=["./touch"], allow=("./touch",)).ok


@pytest.mark.req("P1")
def test_a_program_that_is_not_installed_is_an_error(run: Run) -> None:
    """Allowed, and not there."""
    with pytest.raises(InputError, match="no-such-program is not installed"):
        run(argv=["no-such-program"], allow=("no-such-program",))


@pytest.mark.req("P1")
def test_arguments_reach_the_command_without_a_shell(run: Run, tmp_path: Path) -> None:
    """Shell characters are only characters; the plan's directory is the working directory."""
    code = "import sys; open('seen', 'w').write(sys.argv[1])"
    result = python(run, code, "$(touch proof); `touch proof` *")
    assert result.ok, result.summary
    assert (tmp_path / "seen").read_text() == "$(touch proof); `touch proof` *"
    assert not (tmp_path / "proof").exists()


@pytest.mark.req("P1")
def test_a_failing_command_shows_the_end_of_its_output_without_secrets(
    run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Exit code, the last lines of both streams, secrets of the environment as stars."""
    monkeypatch.setenv("SOME_API_KEY", "very-secret-value")
    code = (
        "import os, sys; print('line\\n' * 20000); print(os.environ['SOME_API_KEY']); "
        "print('last words', file=sys.stderr); sys.exit(3)"
    )
    result = python(run, code)
    assert not result.ok
    assert "exit code 3" in result.summary
    assert result.detail["exit_code"] == 3
    assert "last words" in result.detail["output"]
    assert "***" in result.detail["output"]
    assert "very-secret-value" not in result.detail["output"]
    assert len(result.detail["output"]) <= 8192


@pytest.mark.req("P1")
def test_a_command_does_not_get_switchovers_own_secrets(
    run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Redaction can be got round, by printing a secret backwards; not having it can't."""
    for name in WITHHELD:
        monkeypatch.setenv(name, "very-secret-value")
    monkeypatch.setenv("PLAIN", "kept")
    result = python(run, f"import os; print([os.environ.get(n) for n in {[*WITHHELD, 'PLAIN']}])")
    assert result.detail["output"].strip() == "[None, None, None, None, 'kept']"


@pytest.mark.req("P1")
def test_a_command_is_killed_at_its_timeout_with_all_its_children(run: Run, tmp_path: Path) -> None:
    """Neither the command, which ignores SIGTERM, nor its child is left."""
    script = "trap '' TERM; sleep 600 & echo $$ $! > pids; while :; do sleep 600; done"
    result = run(argv=["sh", "-c", script], allow=("sh",), timeout="1s")
    assert not result.ok
    assert "did not end within 1 s and was killed" in result.summary
    for pid in map(int, (tmp_path / "pids").read_text().split()):
        assert gone(pid)


@pytest.mark.req("P1")
def test_a_background_child_that_holds_the_output_does_not_hold_the_check(
    run: Run, tmp_path: Path
) -> None:
    """The command ends with 0 and leaves a child behind: the check ends, and so does the child."""
    code = (
        "import subprocess, sys; "
        "child = subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(600)']); "
        "open('pid', 'w').write(str(child.pid))"
    )
    result = python(run, code, timeout="60s")
    assert result.ok, result.summary
    assert gone(int((tmp_path / "pid").read_text()))


@pytest.mark.req("P1")
@pytest.mark.parametrize(
    ("report", "ok", "message"),
    [
        ('{"totals": {"percent_covered": 96.5}}', True, "covers 96.5 % of the lines, 95 % needed"),
        ('{"totals": {"percent_covered": 95}}', True, "covers 95 %"),
        ('{"totals": {"percent_covered": 94.9}}', False, "write the missing tests"),
        ('{"totals": {"percent_covered": NaN}}', False, "write the missing tests"),
        ('{"totals": {}}', False, "no totals.percent_covered"),
        ("oops", False, "no totals.percent_covered"),
        (None, False, "wrote no coverage report"),
    ],
)
def test_coverage_must_reach_the_plans_figure(
    run: Run, report: str | None, ok: bool, message: str
) -> None:
    """95 % by default; without a readable report there is no coverage."""
    code = "import sys; sys.argv[1:] and open('cov.json', 'w').write(sys.argv[1])"
    result = python(run, code, *([report] if report else []), coverage_file="cov.json")
    assert result.ok is ok
    assert message in result.summary


@pytest.mark.req("P1")
@pytest.mark.req("INV6")
def test_a_coverage_report_of_an_earlier_run_does_not_count(run: Run, tmp_path: Path) -> None:
    """Stale evidence is no evidence."""
    (tmp_path / "cov.json").write_text('{"totals": {"percent_covered": 100}}')
    result = python(run, "pass", coverage_file="cov.json")
    assert not result.ok
    assert "wrote no coverage report" in result.summary


def python(run: Run, code: str, *arguments: str, **check: Any) -> CheckResult:
    """A command check that runs Python code."""
    argv = [sys.executable, "-c", code, *arguments]
    return run(argv=argv, allow=(sys.executable,), **check)


def gone(pid: int) -> bool:
    """Whether the process has ended; init may need a moment to reap an orphan."""
    for _ in range(100):
        try:
            os.kill(pid, 0)
        except ProcessLookupError:
            return True
        status = Path(f"/proc/{pid}/status")
        if status.exists() and "State:\tZ" in status.read_text():
            return True
        time.sleep(0.05)
    return False
