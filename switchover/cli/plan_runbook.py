"""`switchover plan runbook`: how this migration is rolled back, as a page."""

from __future__ import annotations

import difflib
from pathlib import Path

from switchover.cli.session import print_json, say
from switchover.errors import InputError, NegativeAnswer
from switchover.plan.load import LoadedPlan
from switchover.reporting.runbook import runbook


def tell_runbook(loaded: LoadedPlan, output: Path | None, check: Path | None, json: bool) -> None:
    """Print it, write it to ``output``, or compare it with the file ``check``."""
    text = runbook(loaded)
    if check is not None:
        _compare(text, check, loaded.plan.migration, json=json)
        return
    if output is not None:
        try:
            output.write_text(text, encoding="utf-8")
        except OSError as error:
            raise InputError(f"--output: {output} can't be written ({error.strerror})") from error
    if json:
        print_json({"migration": loaded.plan.migration, "plan": loaded.digest, "runbook": text,
                    "file": str(output) if output else None})  # fmt: skip
    elif output is not None:
        say(f"{output}: runbook of {loaded.plan.migration}, plan {loaded.digest[:12]}")
    else:
        print(text, end="")


def _compare(text: str, file: Path, migration: str, *, json: bool) -> None:
    missing = False
    try:
        found = file.read_text(encoding="utf-8", errors="replace")
    except FileNotFoundError:
        found = ""
        missing = True
    except OSError as error:
        raise InputError(f"--check: {file} can't be read ({error.strerror})") from error
    lines = difflib.unified_diff(
        found.splitlines(), text.splitlines(), "file", "plan", "", "", 0, ""
    )
    changed = [line for line in lines if line[:1] in "+-" and line[:3] not in ("+++", "---")]
    if json:
        print_json({"migration": migration, "file": str(file), "current": found == text,
                    "changed": len(changed)})  # fmt: skip
    if found != text:
        wrong = "is missing" if missing else (
            f"is not the runbook of this plan: {len(changed)} lines differ"
        )  # fmt: skip
        raise NegativeAnswer(
            f"{file} {wrong}; write it with: switchover plan runbook PLAN --output {file}"
        )
    if not json:
        say(f"{file}: current")
