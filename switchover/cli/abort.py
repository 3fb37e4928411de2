"""`switchover abort M`: end a migration by decision."""

from __future__ import annotations

from switchover.cli.session import (
    Actor,
    Json,
    Migration,
    Reason,
    actor_or_login,
    connect,
    phase_name,
    print_json,
    say,
    verb,
)

app = verb()


@app.command()
def abort(migration: Migration, reason: Reason = "", actor: Actor = "", json: Json = False) -> None:
    """End a migration that has not completed; legacy serves everything."""
    from switchover.engine.approve import abort as end

    case = end(connect(), migration, actor=actor_or_login(actor), reason=reason)
    print_json(case.state.to_dict()) if json else say(f"{migration} is {phase_name(case.state)}.")
