"""`switchover steps M`: what a rollback does after the traffic has turned."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from switchover.cli.rollback_table import show_table
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
from switchover.errors import InputError, NegativeAnswer, Refused
from switchover.incidents.redaction import redact, redact_all
from switchover.reporting.rollback import step_table

if TYPE_CHECKING:
    from switchover.engine.rollback_standing import StepsOutcome

app = verb()


@app.command()
def steps(
    migration: Migration,
    run: Annotated[
        bool, typer.Option("--run", help="Take what is left, here and without Prefect.")
    ] = False,
    retry: Annotated[str, typer.Option("--retry", help="Take this step again, then the rest.")] = (
        ""
    ),
    settled: Annotated[
        str, typer.Option("--settled", help="Record that you did this step by hand, then the rest.")
    ] = "",
    reverse: Annotated[
        str, typer.Option("--reverse", help="Take this step back, by the reverse of the plan.")
    ] = "",
    incident: Annotated[
        str, typer.Option("--incident", help="The rollback of this incident, not the last one.")
    ] = "",
    reason: Reason = "by hand",
    actor: Actor = "",
    json: Json = False,
) -> None:
    """Show or take the steps of a rollback.

    It is the migration's last one, unless --incident names another; of another one nothing but
    --settled is possible any more. Without an option nothing is done; --retry, --settled and
    --reverse name one step. Ends with 1 while people are needed, or steps are left.
    """
    from switchover.engine.drain import drain
    from switchover.engine.rollback_standing import find_level, opened, outcome_of
    from switchover.engine.rollback_steps import carry_out, settled_by_hand, take
    from switchover.wiring import build_context, load_settings

    if sum(map(bool, (run, retry, settled, reverse))) > 1:
        raise InputError("use one of --run, --retry, --settled and --reverse at a time")
    settings = load_settings()
    context = build_context(settings)
    who = actor_or_login(actor, settings)
    case = context.open(migration)
    found = opened(case, incident)
    if found.incident != case.state.incident and (run or retry or reverse):
        raise Refused(f"{migration} has gone on since incident {incident}; use --settled only")
    incident, name, level = found.incident, retry or settled or reverse, ""
    if name:
        level = find_level(case, found, name)
        if settled:
            settled_by_hand(
                context, migration, incident, level, name, actor=who, reason=reason
            )  # fmt: skip
        else:
            take(context, migration, incident, level, name, actor=who, again=bool(retry),
                 reverse=bool(reverse))  # fmt: skip
    if run or retry or settled:
        carry_out(context, migration, incident, actor=who)
    if run or name:
        drain(context)
    outcome = outcome_of(context.open(migration), incident)
    if json:
        print_json(redact_all(outcome.to_dict()))
    else:
        _show(outcome)
    if reverse and any(
        row["step"] == reverse and row["reversed"] != "done" for row in outcome.rows
    ):
        raise NegativeAnswer(f"{migration}: step {reverse} was not taken back; see its incident")
    again = [row for row in outcome.rows if row["step"] == retry and row["level"] == level]
    if retry and any(row["state"] in ("failed", "unknown") for row in again):
        raise NegativeAnswer(
            f"{migration}: step {retry} failed again; mend what it names, then repeat this, or do "
            f"it by hand and say so: switchover steps {migration} --settled {retry}"
        )
    if outcome.frozen or not outcome.over:
        raise NegativeAnswer(f"{migration}: {outcome.sentence}")


def _show(outcome: StepsOutcome) -> None:
    if outcome.rows:
        show_table(step_table(redact_all(outcome.rows)))
    say(f"incident {outcome.incident}: {redact(outcome.sentence)}")
