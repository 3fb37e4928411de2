"""`switchover list`: all migrations."""

from __future__ import annotations

from switchover.cli.session import Json, connect, phase_name, print_json, say, table, verb
from switchover.clock import iso
from switchover.errors import NoLedger
from switchover.machine.state import TERMINAL

app = verb()


@app.command(name="list")
def list_migrations(json: Json = False) -> None:
    """List all migrations."""
    context = connect()
    try:
        states, stops = context.ledger.migrations(), context.ledger.freezes()
    except NoLedger:
        states, stops = [], []
    now = context.clock.now()
    frozen = {
        state.migration for state in states for stop in stops
        if state.phase not in TERMINAL and stop.holds(state.migration, now)
    }  # fmt: skip
    if json:
        for state in states:
            print_json({**state.to_dict(), "frozen": state.migration in frozen})
        return
    if not states:
        say("no migration yet; begin one with: switchover start PLAN")
        return
    table(
        "",
        ["migration", "phase", "mode", "candidate", "since"],
        (
            [s.migration, phase_name(s) + ", frozen" * (s.migration in frozen), s.mode,
             f"{s.split / 100:g} %", iso(s.entered_at)]
            for s in states
        ),
    )  # fmt: skip
