"""`switchover approve M`: a person's decision."""

from __future__ import annotations

from typing import Annotated

import typer

from switchover.cli.decision import record
from switchover.cli.session import Actor, Json, Migration, Reason, verb

app = verb()


@app.command()
def approve(
    migration: Migration,
    reason: Reason = "",
    approval: Annotated[
        str, typer.Option(help="The approval's id; default: the one that is open.")
    ] = "",
    actor: Actor = "",
    json: Json = False,
) -> None:
    """Approve the step that is waiting."""
    record(migration, "approve", approval, reason, actor, json)
