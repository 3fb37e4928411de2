"""`switchover rollback M`: all traffic back to legacy."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from switchover.cli.session import (
    Actor,
    Json,
    Reason,
    actor_or_login,
    print_json,
    say,
    verb,
)
from switchover.cli.several import GroupName, OneOrMany, Yes, check_choice, chosen, end_several
from switchover.machine.state import Phase

if TYPE_CHECKING:
    from switchover.engine.roll_back import RolledBackOutcome

app = verb()


@app.command()
def rollback(
    migration: OneOrMany = "",
    reason: Reason = "by hand",
    actor: Actor = "",
    group: GroupName = "",
    insist: Annotated[
        bool,
        typer.Option(
            "--past-the-point-of-no-return",
            help="Insist, though the plan says that legacy can't take over any more.",
        ),
    ] = False,
    yes: Yes = False,
    drain: Annotated[
        bool, typer.Option("--drain/--no-drain", help="Write the incident and page people now.")
    ] = True,
    json: Json = False,
) -> None:
    """Send all traffic back to legacy, now.

    Works from every phase and waits for nobody: with the database, Prefect or Slack down it
    still turns the traffic, exits 0, and says what completes later. With Redis down it records
    the rollback, and exits 3, as nothing confirms that routers have turned. Past a plan's point
    of no return it is refused unless you insist, which goes on record.
    """
    from switchover.engine.drain import drain as perform
    from switchover.engine.roll_back import roll_back
    from switchover.wiring import build_context, load_settings

    check_choice(migration, group)
    settings = load_settings()
    context = build_context(settings)
    who = actor_or_login(actor, settings)

    def back(name: str) -> RolledBackOutcome:
        return roll_back(context, name, actor=who, trigger="person", reason=reason, insist=insist)

    def back_for_sure(name: str) -> str:
        outcome = back(name)
        if unconfirmed := outcome.unconfirmed():
            raise unconfirmed
        return _taken(outcome)

    if group:
        try:
            end_several(
                context, chosen(context, group), "roll back", back_for_sure,
                ended=frozenset({Phase.ROLLED_BACK, Phase.ABORTED}), yes=yes, json=json,
            )  # fmt: skip
        finally:
            if drain:
                perform(context)
        return
    outcome = back(migration)
    later = list(outcome.pending)
    if drain and outcome.recorded:
        later += perform(context).failed
    if json:
        print_json({**outcome.to_dict(), "pending": later})
    else:
        _tell(outcome, later)
    if unconfirmed := outcome.unconfirmed():
        raise unconfirmed


def _taken(outcome: RolledBackOutcome) -> str:
    if outcome.seconds is None:
        return "ordered back to legacy, but routing has not confirmed it"
    if not outcome.routers:
        return "back on legacy; no router is live to be waited for"
    turned = "all" if outcome.complete else "not all"
    took = f"{turned} live routers turned: {outcome.routers} in {outcome.seconds:.3f} s"
    return f"back on legacy; {took}"


def _tell(outcome: RolledBackOutcome, later: list[str]) -> None:
    migration, incident = outcome.migration, outcome.incident
    say(f"{migration} is {_taken(outcome)}.")
    if outcome.recorded:
        say(f"incident {incident}: switchover incident show {incident}")
    for line in later:
        say(f"completes later: {line}")
