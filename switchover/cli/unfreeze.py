"""`switchover unfreeze`: lift a stop."""

from __future__ import annotations

from switchover.cli.freeze import All, as_json, scope_of
from switchover.cli.session import (
    Actor,
    AnyMigration,
    Json,
    actor_or_login,
    connect,
    print_json,
    say,
    verb,
)
from switchover.engine import freeze as stops
from switchover.engine.context import Context
from switchover.errors import Refused
from switchover.ports import ALL

app = verb()


@app.command()
def unfreeze(
    migration: AnyMigration = "", everything: All = False, actor: Actor = "", json: Json = False
) -> None:
    """Lift the stop of one migration, or the one of all.

    A migration that was stopped by itself stays so when the stop of all is lifted. Lifting it
    again changes nothing.
    """
    scope = scope_of(migration, everything)
    whom = migration or "all migrations"
    context = connect()
    lifted = stops.unfreeze(context, scope, actor=actor_or_login(actor))
    if lifted is None:
        raise Refused(
            f"{whom}: nobody froze that{_still(context)}; `switchover freeze --list` shows what is"
        )
    print_json(as_json(lifted)) if json else say(
        f"{whom} not frozen any more; {lifted.lifted_by} lifted it ({lifted.reason})"
        f"{_still(context) if migration else ''}"
    )


def _still(context: Context) -> str:
    """What goes on to hold one migration after its own stop."""
    now = context.clock.now()
    held = any(stop.scope == ALL and stop.is_on(now) for stop in context.ledger.freezes())
    return "; all migrations are frozen still: `switchover unfreeze --all`" if held else ""
