"""Command check: a test command ends with 0 and, where asked, covers enough lines."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from switchover.checks.outcome import Outcome
from switchover.checks.process import Ended, run_process
from switchover.checks.redaction import redact
from switchover.errors import InputError, Refused
from switchover.plan.spec import CommandCheck

SETTING = "SWITCHOVER_ALLOW_COMMANDS"
#: Not for a plan's commands: with these one writes the ledger, seals it, or starts flow runs.
WITHHELD = (
    "SWITCHOVER_AUDIT_KEY",
    "SWITCHOVER_DATABASE_URL",
    "SWITCHOVER_SLACK_TOKEN",
    "PREFECT_API_AUTH_STRING",
)
#: Characters of output in the result: the end, where test programs say what failed.
OUTPUT = 8192


def check_command(
    check: CommandCheck,
    directory: str,
    allowed: frozenset[str],
    extra: Mapping[str, str] | None = None,
) -> Outcome:
    """Run ``check.argv`` in the plan's directory, without a shell and without our own secrets;
    ``extra`` are variables that it is given besides.

    The program must be in the operator's list, as it is written in the plan. Raises
    ``Refused`` when it is not, ``InputError`` when it is not installed.
    """
    program = check.argv[0]
    if program not in allowed:
        listed = f"lists {', '.join(sorted(allowed))}" if allowed else "is empty"
        raise Refused(
            f"{check.name!r} may not run {program}: {SETTING} {listed}; an operator who trusts "
            f"the plan adds {program}, written as in the plan"
        )
    if not _installed(program, directory):
        raise InputError(f"{check.name!r}: program {program} is not installed on this worker")
    report = Path(directory) / check.coverage_file if check.coverage_file else None
    before = _stamp(report)
    try:
        env = {name: value for name, value in os.environ.items() if name not in WITHHELD}
        env |= extra or {}
        ended = run_process(check.argv, directory, check.timeout, env)
    except OSError as error:
        raise InputError(f"{check.name!r}: {program} can't be run: {error}") from error
    detail: dict[str, Any] = {
        "argv": list(check.argv),
        "exit_code": ended.code,
        "output": redact(ended.output, os.environ)[-OUTPUT:],
    }
    if ended.code != 0:
        return Outcome(False, _failed(check, ended), detail)
    took = f"{program} ended with 0 in {ended.seconds:.1f} s"
    if report is None:
        return Outcome(True, took, detail)
    if _stamp(report) == before:
        return Outcome(
            False,
            f"{took}, but wrote no coverage report to {check.coverage_file}; "
            "let it write one, in coverage's JSON form",
            detail,
        )
    return _covered(check, report, took, detail)


def _covered(check: CommandCheck, report: Path, took: str, detail: dict[str, Any]) -> Outcome:
    try:
        percent = float(json.loads(report.read_bytes())["totals"]["percent_covered"])
    except (OSError, ValueError, KeyError, TypeError) as error:
        summary = (f"{took}, but {check.coverage_file} has no totals.percent_covered "
                   f"({type(error).__name__}); write it with: coverage json")  # fmt: skip
        return Outcome(False, summary, detail)
    detail |= {"coverage": percent / 100, "coverage_needed": check.coverage}
    # Rounded, so that 94.99999999999999 is 95; a NaN is never enough.
    ok = round(percent / 100, 9) >= round(check.coverage, 9)
    summary = (f"{took}; it covers {percent:.4g} % of the lines, "
               f"{check.coverage * 100:.4g} % needed")  # fmt: skip
    return Outcome(ok, summary if ok else f"{summary}; write the missing tests", detail)


def _failed(check: CommandCheck, ended: Ended) -> str:
    if ended.code is None:
        return (f"{check.argv[0]} did not end within {check.timeout:g} s and was killed; "
                "raise timeout, or look at its output")  # fmt: skip
    how = f"signal {-ended.code}" if ended.code < 0 else f"exit code {ended.code}"
    return f"{check.argv[0]} ended with {how} after {ended.seconds:.1f} s; look at its output"


def _installed(program: str, directory: str) -> bool:
    if "/" in program:  # taken relative to the directory that the command runs in
        return os.access(Path(directory) / program, os.X_OK)
    return shutil.which(program) is not None


def _stamp(report: Path | None) -> tuple[int, int] | None:
    """Identity of the report as it lies there: one from an earlier run proves nothing."""
    if report is None or not report.is_file():
        return None
    status = report.stat()
    return status.st_mtime_ns, status.st_ino
