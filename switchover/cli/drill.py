"""`switchover drill M`: rehearse the way back, and measure it."""

from __future__ import annotations

from typing import Annotated

import typer

from switchover.cli.session import (
    Actor,
    Json,
    Migration,
    actor_or_login,
    print_json,
    say,
    verb,
)
from switchover.clock import iso
from switchover.errors import NegativeAnswer

app = verb()


@app.command()
def drill(
    migration: Migration,
    history: Annotated[
        bool, typer.Option("--history", help="Rehearse nothing: show the last ten drills.")
    ] = False,
    actor: Actor = "",
    json: Json = False,
) -> None:
    """Rehearse the way back, and measure it.

    A synthetic migration beside this one is rolled back by the judge, its routers turn, and the
    live routers of this one show that they follow; nobody is paged, and no caller notices. With
    drill.target: real in the plan all its traffic goes to legacy for that moment, too.
    Ends with 1 when the drill failed.
    """
    from switchover.cli.drills import show_drills
    from switchover.engine.drill import drill as rehearse
    from switchover.engine.drills import drill_history, total
    from switchover.wiring import build_context, load_settings

    settings = load_settings()
    context = build_context(settings)
    if history:
        context.open(migration)
        found = drill_history(context.ledger.entries(migration))
        if json:
            print_json(found or {"drills": [], "trend": ""})
        else:
            show_drills(found)
        return
    done = rehearse(context, migration, actor=actor_or_login(actor, settings))
    found = drill_history(context.ledger.entries(migration))
    if json:
        told = done.to_dict()
        print_json({**told, "at": iso(done.at), "migration": migration, "total": total(told),
                    "trend": found["trend"] if found else ""})  # fmt: skip
    else:
        if done.ok:
            say(f"drill {done.drill} succeeded: {done.reason}")
        say(found["trend"] if found else "")
    if not done.ok:
        raise NegativeAnswer(f"drill {done.drill} failed: {done.reason}")
