"""Rows of a data check: read from Great Expectations' answers, and rendered for people."""

from __future__ import annotations

import math
from collections.abc import Mapping
from datetime import date, datetime
from typing import Any

from switchover.ports import CheckResult

#: Faulty values shown for each expectation.
EXAMPLES = 3
_ITEMS = 5


def row(answer: Any) -> dict[str, Any]:
    """One expectation's answer as plain JSON.

    Text is masked and few values are shown, as a row stays in the ledger for good and tables
    hold people's data: ``{expectation, column, success, observed, unexpected_count,
    unexpected_percent, examples, error, note}``.
    """
    config, result = answer.expectation_config, answer.result or {}
    name = config.type.removeprefix("expect_")
    # Values of keys say who somebody is, also as numbers.
    identity = "unique" in name
    checked, missing = result.get("element_count"), result.get("missing_count")
    note, error = "", _error(answer.exception_info or {})
    if answer.success and checked and missing == checked:
        note = "every value is null, so nothing was tested"
    return {
        "expectation": name,
        "column": _column(config.kwargs),
        "success": bool(answer.success) and not error,
        "observed": plain(result.get("observed_value")),
        "unexpected_count": plain(result.get("unexpected_count")),
        "unexpected_percent": plain(result.get("unexpected_percent")),
        "examples": [plain(value, identity)
                     for value in (result.get("partial_unexpected_list") or [])[:EXAMPLES]],
        "error": error,
        "note": note,
    }  # fmt: skip


def plain(value: Any, identity: bool = False) -> Any:
    """A value as JSON, text masked to its first letter and length; numbers too if they name
    somebody (``identity``)."""
    if value is None or isinstance(value, bool):
        return value
    if isinstance(value, Mapping):
        return {str(key): plain(each, identity) for key, each in list(value.items())[:_ITEMS]}
    if isinstance(value, list | tuple | set | frozenset):
        return [plain(each, identity) for each in list(value)[:_ITEMS]]
    if isinstance(value, datetime | date):
        return value.isoformat()
    if hasattr(value, "item"):  # a NumPy scalar
        value = value.item()
    if isinstance(value, int | float) and not identity:
        return value if math.isfinite(value) else str(value)
    text = str(value)
    return f"{'#' if identity and text[:1].isdigit() else text[:1]}… ({len(text)} characters)"


def to_markdown(result: CheckResult) -> str:
    """A result as Markdown: the verdict, and one row per expectation."""
    lines = [
        f"### {'✅' if result.ok else '❌'} {_cell(result.name)}",
        "",
        _cell(result.summary),
        "",
        "| | expectation | column | observed | unexpected | examples |",
        "|---|---|---|---|---|---|",
    ]
    for each in result.detail.get("expectations", ()):
        unexpected = ""
        if each["unexpected_count"] is not None:
            unexpected = str(each["unexpected_count"])
            if each["unexpected_percent"] is not None:
                unexpected += f" ({each['unexpected_percent']:.3g} %)"
        observed = each["error"] or each["note"] or each["observed"]
        cells = [
            "✅" if each["success"] else "❌",
            each["expectation"].replace("_", " "),
            each["column"],
            "" if observed is None else observed,
            unexpected,
            ", ".join(str(example) for example in each["examples"]),
        ]
        lines.append("| " + " | ".join(_cell(cell) for cell in cells) + " |")
    return "\n".join(lines) + "\n"


def _column(arguments: Mapping[str, Any]) -> str:
    names = [arguments.get(key) for key in ("column", "column_A", "column_B")]
    names += arguments.get("column_list") or []
    return ", ".join(str(name) for name in names if name is not None)


def _error(info: Mapping[str, Any]) -> str:
    """The message of an expectation that could not be evaluated; empty when it could."""
    infos = [info] if "raised_exception" in info else [*info.values()]
    for each in infos:
        if isinstance(each, Mapping) and each.get("raised_exception"):
            lines = str(each.get("exception_message") or "no reason given").strip().splitlines()
            return lines[0][:200]
    return ""


def _cell(value: Any) -> str:
    return " ".join(str(value).split()).replace("|", "\\|").replace("<", "&lt;")
