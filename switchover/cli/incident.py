"""`switchover incident list|show`: recorded rollbacks."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from switchover.cli.session import Json, connect, print_json, say, table, verb
from switchover.engine.context import Context
from switchover.engine.status import iso
from switchover.errors import InputError, NoLedger

app = verb(no_args_is_help=True)


@app.callback()
def incident() -> None:
    """List or show incidents."""


@app.command(name="list")
def list_incidents(json: Json = False) -> None:
    """List every rollback of every migration."""
    try:
        rows = _incidents(connect())
    except NoLedger:
        rows = []
    if json:
        for row in rows:
            print_json(row)
        return
    if not rows:
        say("no incident")
        return
    table("", ["incident", "at (UTC)", "trigger", "reason"],
          ([r["incident"], iso(r["at"]), r["trigger"], r["reason"]] for r in rows))  # fmt: skip


@app.command()
def show(
    incident: Annotated[str, typer.Argument(help="The incident's id.")], json: Json = False
) -> None:
    """Show one incident in full."""
    from switchover.incidents.markdown import render
    from switchover.incidents.record import incident_of

    context = connect()
    row = next((r for r in _incidents(context) if r["incident"] == incident), None)
    if row is None:
        raise InputError(f"no incident {incident!r}; `switchover incident list` shows all")
    migration = row["migration"]
    plan = context.ledger.read(migration).plan.document
    found = incident_of(context.ledger.entries(migration), plan, incident)
    if json:
        print_json({**row, "impact": found.impact, "report": render(found)})
    else:
        say(render(found))


def _incidents(context: Context) -> list[dict[str, Any]]:
    from switchover.incidents.record import OPENING

    return [
        {"migration": state.migration, **entry.payload}
        for state in context.ledger.migrations()
        for entry in context.ledger.entries(state.migration)
        if entry.kind in OPENING
    ]
