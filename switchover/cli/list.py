"""`switchover list`: all migrations."""

from __future__ import annotations

from switchover.cli.session import Json, connect, phase_name, print_json, say, table, verb
from switchover.engine.status import iso
from switchover.errors import NoLedger

app = verb()


@app.command(name="list")
def list_migrations(json: Json = False) -> None:
    """List all migrations."""
    context = connect()
    try:
        states = context.ledger.migrations()
    except NoLedger:
        states = []
    if json:
        for state in states:
            print_json(state.to_dict())
        return
    if not states:
        say("no migration yet; begin one with: switchover start PLAN")
        return
    table(
        "",
        ["migration", "phase", "mode", "candidate", "since"],
        (
            [s.migration, phase_name(s), s.mode, f"{s.split / 100:g} %", iso(s.entered_at)]
            for s in states
        ),
    )
