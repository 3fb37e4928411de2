"""Rules on files that a plan names: contracts are there and are JSON Schemas."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path as File

import jsonschema_rs

from switchover.plan.draft import Draft
from switchover.plan.rules.finding import Finding, rule
from switchover.plan.spec import CommandCheck, ContractCheck, LatencyCheck
from switchover.plan.tree import Path


@rule("consumers")
def consumers_files(draft: Draft) -> Iterator[Finding]:
    """Contracts exist; recordings may come later."""
    for index, consumer in enumerate(draft.plan.consumers):
        yield from contract(("consumers", index, "contract"), consumer.contract, draft.directory)
        yield from _lines(("consumers", index, "recordings"), consumer.recordings, draft.directory)


@rule("checks")
def checks_files(draft: Draft) -> Iterator[Finding]:
    """The same for checks, whose requests may have bodies in a file."""
    for index, check in enumerate(draft.plan.checks):
        if isinstance(check, ContractCheck):
            yield from contract(("checks", index, "contract"), check.contract, draft.directory)
        if isinstance(check, ContractCheck | LatencyCheck) and check.request.json_file:
            path: Path = ("checks", index, "request", "json_file")
            yield from _lines(path, check.request.json_file, draft.directory)
        if (
            isinstance(check, CommandCheck)
            and "coverage" in check.model_fields_set
            and not check.coverage_file
        ):
            yield Finding(("checks", index, "coverage"), "no report says how much is covered",
                          "name it with coverage_file", warning=True)  # fmt: skip


def contract(path: Path, name: str, directory: File) -> Iterator[Finding]:
    """Findings where ``name`` is no JSON Schema file beside the plan."""
    try:
        schema = json.loads((directory / name).read_text("utf-8"))
        jsonschema_rs.meta.validate(schema)
    except (FileNotFoundError, NotADirectoryError):
        yield Finding(path, f"there is no file '{name}' beside the plan",
                      "write the contract, or correct the path")  # fmt: skip
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it is not UTF-8 text"
        yield Finding(path, f"'{name}' can't be read: {reason}", "name a JSON Schema file")
    except json.JSONDecodeError as error:
        yield Finding(path, f"'{name}' is not JSON: {error.msg} on line {error.lineno}",
                      "correct that file")  # fmt: skip
    except (jsonschema_rs.ValidationError, ValueError, RecursionError) as error:
        detail = getattr(error, "message", None) or str(error) or type(error).__name__
        where = "/".join(map(str, getattr(error, "instance_path", ())))
        detail = f"{where}: {detail}" if where else detail
        yield Finding(path, f"'{name}' is not a JSON Schema: {detail.splitlines()[0]}",
                      "correct that file")  # fmt: skip


def _lines(path: Path, name: str, directory: File) -> Iterator[Finding]:
    try:
        there = (directory / name).is_file()
    except (OSError, ValueError):
        there = False
    if not there:
        yield Finding(path, f"there is no file '{name}' beside the plan yet",
                      "record it before the stage that reads it begins", warning=True)  # fmt: skip
