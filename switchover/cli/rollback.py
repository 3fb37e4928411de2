"""`switchover rollback M`: all traffic back to legacy."""

from __future__ import annotations

from typing import Annotated

import typer

from switchover.cli.session import (
    Actor,
    Json,
    Migration,
    Reason,
    actor_or_login,
    print_json,
    say,
    verb,
)

app = verb()


@app.command()
def rollback(
    migration: Migration,
    reason: Reason = "by hand",
    actor: Actor = "",
    drain: Annotated[
        bool, typer.Option("--drain/--no-drain", help="Write the incident and page people now.")
    ] = True,
    json: Json = False,
) -> None:
    """Send all traffic back to legacy, now."""
    from switchover.engine.drain import drain as perform
    from switchover.engine.roll_back import roll_back
    from switchover.wiring import build_context, load_settings

    settings = load_settings()
    context = build_context(settings)
    outcome = roll_back(
        context, migration, actor=actor_or_login(actor, settings), trigger="person", reason=reason
    )
    later = list(outcome.pending)
    if drain and outcome.recorded:
        later += perform(context).failed
    if json:
        print_json({**outcome.to_dict(), "pending": later})
        return
    took = "unknown" if outcome.seconds is None else f"{outcome.seconds:.3f} s"
    say(f"{migration} is back on legacy: {outcome.routers} routers turned in {took}.")
    say(f"incident {outcome.incident}: switchover incident show {outcome.incident}")
    for line in later:
        say(f"completes later: {line}")
