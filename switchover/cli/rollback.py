"""`switchover rollback M`: all traffic back to legacy."""

from __future__ import annotations

from typing import Annotated

import typer

from switchover.cli.rollback_level import check_options, show_preview
from switchover.cli.rollback_order import Order
from switchover.cli.session import (
    Actor,
    Json,
    Reason,
    actor_or_login,
    verb,
)
from switchover.cli.several import GroupName, OneOrMany, Yes, check_choice
from switchover.errors import InputError

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
    validate: Annotated[
        bool,
        typer.Option(
            "--validate",
            help="Roll nothing back: run the validation of a rollback as far as it is due.",
        ),
    ] = False,
    level: Annotated[
        str, typer.Option("--level", help="How much goes back: component, service or system.")
    ] = "service",
    component: Annotated[
        str, typer.Option("--component", help="The component, with --level component.")
    ] = "",
    wait: Annotated[
        bool,
        typer.Option("--wait", help="Try again until Redis and the database have taken it."),
    ] = False,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Say what would happen, and do nothing.")
    ] = False,
    drain: Annotated[
        bool,
        typer.Option(
            "--drain/--no-drain",
            help="Write the incident and page people now, or leave it to whatever runs next.",
        ),
    ] = True,
    json: Json = False,
) -> None:
    """Send all traffic back to legacy, now.

    Works from every phase and waits for nobody: with the database, Prefect or Slack down it
    still turns the traffic, exits 0, and says what completes later. With Redis down it records
    the rollback, and exits 3, as nothing confirms that routers have turned. What could not be
    taken waits in the spool on this host, for whatever runs here next; --wait stays and tries
    again. Past a plan's point of no return it is refused unless you insist, which goes on record.

    --level component switches off the flags of one component and holds the migration; --level
    system rolls back every migration of its group too. The plan's steps of the level follow, on
    Prefect; `switchover steps M` shows them, and takes them without it.
    """
    from switchover.wiring import build_context, load_settings

    if wait and (group or level != "service" or validate or dry_run):
        raise InputError("--wait is for the traffic of one migration, without --group or --level")
    check_choice(migration, group)
    check_options(level, component, group=bool(group), dry_run=dry_run)
    settings = load_settings()
    context = build_context(settings)
    who = actor_or_login(actor, settings)
    if dry_run:
        show_preview(context, settings, migration, level, component, insist=insist, json=json)
    elif validate:
        from switchover.cli.validated import validate_now

        if group:
            raise InputError("--validate looks at one migration; name it instead of a group")
        validate_now(context, migration, actor=who, drain=drain, json=json)
    else:
        order = Order(context, who, reason, insist=insist, drain=drain, json=json)
        if group:
            order.several(group, yes=yes)
        else:
            order.one(migration, level, component, wait=wait)
