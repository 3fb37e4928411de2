"""`switchover reject M`: a person's decision."""

from __future__ import annotations

from typing import Annotated

import typer

from switchover.cli.decision import record
from switchover.cli.session import Actor, Json, Migration, Reason, verb

app = verb()


@app.command()
def reject(
    migration: Migration,
    reason: Reason = "",
    approval: Annotated[
        str, typer.Option(help="The approval's id; default: the one that is open.")
    ] = "",
    actor: Actor = "",
    json: Json = False,
) -> None:
    """Reject the step that is waiting; the migration is held."""
    record(migration, "reject", approval, reason, actor, json)
