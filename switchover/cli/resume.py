"""`switchover resume M`: let it go on."""

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
from switchover.engine import hold as brake

app = verb()


@app.command()
def resume(
    migration: Migration, reason: Reason = "", actor: Actor = "", json: Json = False
) -> None:
    """Let a held migration go on."""
    case = brake.resume(connect(), migration, actor=actor_or_login(actor), reason=reason)
    print_json(case.state.to_dict()) if json else say(f"{migration} is {phase_name(case.state)}.")
