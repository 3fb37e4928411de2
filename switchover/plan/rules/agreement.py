"""Rules on how answers are compared: every comparison has what it needs."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date, timedelta
from itertools import pairwise

from switchover.judge.agreement import Agreement
from switchover.judge.path import ANY, parse
from switchover.plan.agreement import FieldRule
from switchover.plan.draft import Draft
from switchover.plan.rules.finding import Finding, rule
from switchover.plan.tree import Path

#: The ways to compare that read each option.
_READS = {
    "absolute": ("number",),
    "relative": ("number",),
    "categories": ("category",),
    "same": ("category",),
    "key": ("keyed", "order"),
    "normalise": ("text",),
    "within": ("timestamp",),
    "owner": ("ignore",),
    "until": ("ignore",),
}
#: How long before its end a rule to ignore a field is pointed at.
_SOON = timedelta(days=14)


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
        yield from _options(at, field)
        if field.compare == "ignore":
            yield from _ignored(at, field, draft.now.date())
    for index, path in enumerate(draft.plan.agreement.redact):
        if not _is_path(path):
            yield Finding(("agreement", "redact", index), f"'{path}' is not the path of a field",
                          "write it like subject or patient.name")  # fmt: skip


@rule("agreement")
def comparisons_fit_together(draft: Draft) -> Iterator[Finding]:
    """No rule lies below another, which would compare the whole of it."""
    faults = (found for found in comparisons_are_complete.check(draft) if not found.warning)
    if draft.plan.agreement is None or any(faults):
        return
    try:
        Agreement.from_dict(draft.plan.agreement.document(), draft.now)
    except ValueError as error:
        yield Finding(("agreement", "fields"), str(error).removeprefix("agreement: "),
                      "keep the rule of the whole, or those of its parts")  # fmt: skip


def _is_path(text: str) -> bool:
    try:
        return bool(parse(text)) or text == "$"
    except ValueError:
        return False


def _options(at: Path, field: FieldRule) -> Iterator[Finding]:
    for key, value in field.model_dump(exclude_defaults=True).items():
        kinds = _READS.get(key)
        if kinds is not None and value is not None and field.compare not in kinds:
            verb = "mean" if key.endswith("ies") else "means"
            yield Finding((*at, key), f"{key} {verb} nothing to compare: {field.compare}",
                          f"use compare: {' or '.join(kinds)}, or remove "
                          f"{'them' if verb == 'mean' else 'it'}")  # fmt: skip
    if field.compare == "number" and field.absolute is None and field.relative is None:
        yield Finding((*at, "compare"), "numbers are compared without a tolerance",
                      "add absolute: or relative:, or use compare: exact")  # fmt: skip
    if field.compare == "text" and not field.normalise:
        yield Finding((*at, "compare"), "text is compared without a normaliser",
                      "add normalise: [trim, whitespace], or use compare: exact")  # fmt: skip
    if field.compare == "keyed" and field.key is None:
        yield Finding((*at, "compare"), "items are paired by key, and no key is named",
                      "add key: with a path inside an item, like key: id")  # fmt: skip
    if field.key is not None and (not _is_path(field.key) or ANY in parse(field.key)):
        yield Finding((*at, "key"), f"'{field.key}' does not lead to one value of an item",
                      "write it like id or product.code")  # fmt: skip
    if any(left >= right for left, right in pairwise(field.categories or ())):
        yield Finding((*at, "categories"), "the edges do not rise",
                      "sort them, and name each once")  # fmt: skip


def _ignored(at: Path, field: FieldRule, today: date) -> Iterator[Finding]:
    """What nobody looks at any more is looked after by somebody, and for a time only."""
    later = f"mend the field, or ask {field.owner} for a later day"
    if field.owner is None and field.until is None:
        yield Finding((*at, "compare"), f"'{field.path}' is ignored for ever, and nobody owns that",
                      "add owner: and until:, its last day", warning=True)  # fmt: skip
    elif field.until is None or field.owner is None:
        missing = "until" if field.until is None else "owner"
        yield Finding((*at, "compare"), f"a rule to ignore a field lacks {missing}",
                      f"add {missing}:, or leave out both")  # fmt: skip
    elif field.until < today:
        yield Finding((*at, "until"), f"'{field.path}' counts again since {field.until} is over",
                      later, warning=True)  # fmt: skip
    elif field.until - today <= _SOON:
        yield Finding((*at, "until"), f"'{field.path}' counts again after {field.until}",
                      later, warning=True)  # fmt: skip
