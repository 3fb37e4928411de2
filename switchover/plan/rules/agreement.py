"""Rules on how answers are compared: every comparison has what it needs."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise

from switchover.judge.agreement import Agreement
from switchover.judge.path import parse
from switchover.plan.draft import Draft
from switchover.plan.rules.finding import Finding, rule
from switchover.plan.spec import FieldRule
from switchover.plan.tree import Path


@rule("agreement")
def comparisons_are_complete(draft: Draft) -> Iterator[Finding]:
    """Each field once, with the tolerance or edges that its comparison reads, and no others."""
    if draft.plan.agreement is None:
        return
    seen: dict[str, int] = {}
    for index, field in enumerate(draft.plan.agreement.fields):
        at: Path = ("agreement", "fields", index)
        if not _is_path(field.path):
            yield Finding((*at, "path"), f"'{field.path}' is not the path of a field",
                          "write it like risk_score, current.risk or items[*].id")  # fmt: skip
        elif field.path in seen:
            yield Finding((*at, "path"), f"'{field.path}' has a rule in fields[{seen[field.path]}]",
                          "keep one of them")  # fmt: skip
        seen.setdefault(field.path, index)
        yield from _tolerance(at, field)
    for index, path in enumerate(draft.plan.agreement.redact):
        if not _is_path(path):
            yield Finding(("agreement", "redact", index), f"'{path}' is not the path of a field",
                          "write it like subject or patient.name")  # fmt: skip


@rule("agreement")
def comparisons_fit_together(draft: Draft) -> Iterator[Finding]:
    """No rule lies below another, which would compare the whole of it."""
    if draft.plan.agreement is None or any(comparisons_are_complete.check(draft)):
        return
    try:
        Agreement.from_dict(draft.plan.agreement.model_dump(mode="json"))
    except ValueError as error:
        yield Finding(("agreement", "fields"), str(error).removeprefix("agreement: "),
                      "keep the rule of the whole, or those of its parts")  # fmt: skip


def _is_path(text: str) -> bool:
    try:
        return bool(parse(text)) or text == "$"
    except ValueError:
        return False


def _tolerance(at: Path, field: FieldRule) -> Iterator[Finding]:
    for key in ("absolute", "relative"):
        if getattr(field, key) is not None and field.compare != "number":
            yield Finding((*at, key), f"{key} means nothing to compare: {field.compare}",
                          "use compare: number, or remove it")  # fmt: skip
    if field.compare == "number" and field.absolute is None and field.relative is None:
        yield Finding((*at, "compare"), "numbers are compared without a tolerance",
                      "add absolute: or relative:, or use compare: exact")  # fmt: skip
    if field.categories is not None and field.compare != "category":
        yield Finding((*at, "categories"), f"categories mean nothing to compare: {field.compare}",
                      "use compare: category, or remove them")  # fmt: skip
    if any(left >= right for left, right in pairwise(field.categories or ())):
        yield Finding((*at, "categories"), "the edges do not rise",
                      "sort them, and name each once")  # fmt: skip
