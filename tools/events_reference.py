"""Write docs/reference/events.md from the ledger's events.

python -m tools.events_reference [--check]
"""

from __future__ import annotations

import inspect
import sys
import typing
from collections.abc import Sequence
from dataclasses import fields
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from switchover.engine.announce import LONGEST, announcement
from switchover.machine.event import KINDS, Event
from switchover.ports import Entry
from tools.generated import keep

FILE = Path("docs/reference/events.md")

INTRODUCTION = f"""\
# Events

*Written by `python -m tools.events_reference` from the events themselves; don't edit.*

Whatever enters the ledger is told to Prefect as a custom event, so that automations can hang on
it: [operate on Prefect](../how-to/operate-on-prefect.md#hang-an-automation-on-an-event). The flow
run that wrote an entry tells of it at its end; what a command, the API or Slack wrote is told by
the next run, by `monitor` within a minute. An outage of Prefect delays events and loses none; an
event told twice has the same id, and Prefect stores it once.

Each event's resource is `switchover.migration.NAME`, with the migration's name as
`prefect.resource.name`. Its payload has `migration`, `revision` (the ledger's), `by` (who wrote
it) and the fields below. Texts are cut after {LONGEST} characters, and the gates' numbers are
left out: the ledger has them (`switchover history NAME --json`).

| event | means | fields beside these |
|---|---|---|
"""


def main(arguments: Sequence[str] = ()) -> int:
    """Write the file, or with ``--check`` say whether it is current (0) or not (1)."""
    return keep(FILE, reference(), arguments, "tools.events_reference")


def reference() -> str:
    """The document, in Markdown."""
    rows = (
        f"| `switchover.{kind}` | {_meaning(event)} | {_payload(event)} |"
        for kind, event in KINDS.items()
    )
    return INTRODUCTION + "\n".join(rows) + "\n"


def _meaning(event: type[Event]) -> str:
    first = inspect.getdoc(event).split("\n\n")[0]  # type: ignore[union-attr]
    return " ".join(first.split()).replace("``", "`").replace("|", "\\|")


def _payload(event: type[Event]) -> str:
    """The fields that an announcement of such an event has, found by making one."""
    hints = typing.get_type_hints(event)
    samples: dict[Any, Any] = {str: "x", int: 1, float: 1.0, bool: True, float | None: 1.0}
    payload = {field.name: samples.get(hints[field.name], {}) for field in fields(event)}
    entry = Entry("m", 1, datetime(2026, 1, 1, tzinfo=UTC), "a", event.kind, payload, "", "")
    told = announcement(entry).payload
    return ", ".join(f"`{name}`" for name in told if name in payload) or "none"


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
