"""`switchover abort M`: end a migration by decision."""

from __future__ import annotations

from typing import Annotated

import typer

from switchover.cli.session import (
    Actor,
    Json,
    Reason,
    actor_or_login,
    connect,
    phase_name,
    print_json,
    say,
    verb,
)
from switchover.cli.several import GroupName, OneOrMany, Yes, check_choice, chosen, end_several
from switchover.machine.state import TERMINAL

app = verb()


@app.command()
def abort(
    migration: OneOrMany = "",
    reason: Reason = "",
    actor: Actor = "",
    group: GroupName = "",
    everything: Annotated[bool, typer.Option("--all", help="Every migration there is.")] = False,
    yes: Yes = False,
    json: Json = False,
) -> None:
    """End a migration that has not completed; legacy serves everything.

    With --group or --all each is ended by itself: one that can't be, as it is complete or past
    its point of no return, is reported and stops no other.
    """
    from switchover.engine.approve import abort as end

    check_choice(migration, group, everything)
    context, who = connect(), actor_or_login(actor)
    if migration:
        state = end(context, migration, actor=who, reason=reason).state
        print_json(state.to_dict()) if json else say(f"{migration} is {phase_name(state)}.")
        return

    def end_one(name: str) -> str:
        return phase_name(end(context, name, actor=who, reason=reason).state)

    names = chosen(context, group)
    end_several(context, names, "abort", end_one, ended=TERMINAL, yes=yes, json=json)
