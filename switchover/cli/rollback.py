"""`switchover rollback M`: all traffic back to legacy."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

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
from switchover.errors import DependencyUnavailable

if TYPE_CHECKING:
    from switchover.engine.roll_back import RolledBackOutcome

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
    """Send all traffic back to legacy, now.

    Works from every phase and waits for nobody: with the database, Prefect or Slack down it
    still turns the traffic, exits 0, and says what completes later. With Redis down it records
    the rollback, and exits 3, as nothing confirms that routers have turned.
    """
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
    else:
        _tell(outcome, later)
    if outcome.seconds is None:
        raise DependencyUnavailable(
            "Redis",
            "nobody knows whether traffic has turned; routers without Redis turn by themselves "
            "within their max_staleness; check that it runs, and repeat this",
        )


def _tell(outcome: RolledBackOutcome, later: list[str]) -> None:
    migration, incident = outcome.migration, outcome.incident
    if outcome.seconds is None:
        say(f"{migration} is ordered back to legacy, but routing has not confirmed it.")
    elif not outcome.routers:
        say(f"{migration} is back on legacy; no router is live to be waited for.")
    else:
        turned = "all" if outcome.complete else "not all"
        took = f"{turned} live routers turned: {outcome.routers} in {outcome.seconds:.3f} s"
        say(f"{migration} is back on legacy; {took}.")
    if outcome.recorded:
        say(f"incident {incident}: switchover incident show {incident}")
    for line in later:
        say(f"completes later: {line}")
