"""`switchover mismatches M`: in which fields the two systems disagree, and samples of it."""

from __future__ import annotations

from json import dumps
from typing import Annotated, Any

import typer

from switchover.cli.session import Json, Migration, connect, print_json, say, table, verb, warn
from switchover.engine.collect import collect
from switchover.engine.mismatches import Disagreements, disagreements
from switchover.errors import DependencyUnavailable
from switchover.judge.agreement import FAILURES, REDACTED
from switchover.reporting import figures

app = verb()

_Field = Annotated[
    str, typer.Option(help="Only this field and what lies below, like items[*].price.")
]
_Limit = Annotated[int, typer.Option(min=0, help="How many differences to show side by side.")]
_Attempt = Annotated[
    int | None, typer.Option(min=1, help="Which start of the migration; default: the present one.")
]


@app.command()
def mismatches(
    migration: Migration,
    field: _Field = "",
    limit: _Limit = 20,
    attempt: _Attempt = None,
    json: Json = False,
) -> None:
    """Show in which fields the two systems disagree.

    First the fields, by how many of the sampled disagreements they are in; then samples, legacy
    and candidate side by side. What the plan redacts was redacted in the application.
    """
    context = connect()
    try:
        collect(context, migration, elsewhere=False)
    except DependencyUnavailable as error:
        warn(f"{error}; this is what was collected before")
    found = disagreements(context, migration, attempt=attempt, field=field)
    if json:
        print_json({"migration": migration, **_document(found, limit)})
        return
    if not found.fields:
        of_field = f" of {field}" if field and found.samples else ""
        say(f"no sampled disagreement{of_field} in attempt {found.attempt}")
        return
    say(f"{found.samples:,} sampled disagreements of attempt {found.attempt}; by field:\n")
    table(
        "",
        ["field", "how", "samples", "share", "last (UTC)"],
        (
            [_printable(f.path), _printable(f.why), f"{f.samples:,}", f"{f.share:.0%}",
             figures.moment(f.last_at)]
            for f in found.fields
        ),
    )  # fmt: skip
    if limit:
        table(
            "",
            ["at (UTC)", "field", "how", "legacy", "candidate"],
            (
                [figures.moment(sample.at), _printable(m.path), _printable(m.why),
                 _value(m.legacy, m.why, "legacy"), _value(m.candidate, m.why, "candidate")]
                for sample, m in found.mismatches[:limit]
            ),
        )  # fmt: skip


def _document(found: Disagreements, limit: int) -> dict[str, Any]:
    return {
        "attempt": found.attempt,
        "samples": found.samples,
        "fields": [count.to_dict() for count in found.fields],
        "mismatches": [
            {"sample": sample.id, "at": sample.at, "epoch": sample.epoch, **mismatch.to_dict()}
            for sample, mismatch in found.mismatches[:limit]
        ],
    }


def _value(value: Any, why: str, system: str) -> str:
    """The value as JSON; a dash where there is none."""
    absent = value is None and (why == f"missing in {system}" or why in FAILURES)
    if absent:
        return "–"
    return REDACTED if value == REDACTED else _printable(dumps(value, ensure_ascii=False))


def _printable(text: str) -> str:
    """Answers are of others' making: what would move a terminal's cursor is shown as code."""
    return "".join(c if c.isprintable() else f"\\x{ord(c):02x}" for c in text)
