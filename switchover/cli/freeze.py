"""`switchover freeze`: stop steps forward, of one migration or of all."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Annotated

import typer

from switchover.cli.session import (
    Actor,
    AnyMigration,
    Json,
    Reason,
    actor_or_login,
    connect,
    print_json,
    say,
    table,
    verb,
)
from switchover.errors import InputError, NoLedger
from switchover.ports import ALL, Freeze

app = verb()

All = Annotated[
    bool, typer.Option("--all", help="All migrations, those that are started later too.")
]


@app.command()
def freeze(
    migration: AnyMigration = "",
    everything: All = False,
    reason: Reason = "",
    until: Annotated[
        str, typer.Option(help="When it ends by itself, like 2026-12-24T09:00+01:00.")
    ] = "",
    listed: Annotated[bool, typer.Option("--list", help="Show the stops that are on.")] = False,
    actor: Actor = "",
    json: Json = False,
) -> None:
    """Stop steps forward, of one migration or of all.

    It blocks no rollback, and evidence is collected and judged on. `switchover unfreeze` lifts it.
    """
    if listed:
        _list(json)
        return
    scope = scope_of(migration, everything)
    from switchover.engine.freeze import freeze as stop_it
    from switchover.engine.freeze import said

    stop = stop_it(
        connect(), scope, actor=actor_or_login(actor), reason=reason, until=_moment(until)
    )
    print_json(as_json(stop)) if json else say(said(stop))


def scope_of(migration: str, everything: bool) -> str:
    """The one migration or all of them, which has to be said."""
    if everything == bool(migration):
        raise InputError("name one migration, or write --all for every one of them")
    return ALL if everything else migration


def as_json(stop: Freeze) -> dict[str, str | None]:
    """A stop for programs; ``migration`` is null for all."""

    def moment(at: datetime | None) -> str | None:
        return at.isoformat(timespec="seconds") if at else None

    return {
        "migration": None if stop.scope == ALL else stop.scope,
        "reason": stop.reason,
        "actor": stop.actor,
        "at": moment(stop.at),
        "until": moment(stop.until),
        "lifted_at": moment(stop.lifted_at),
        "lifted_by": stop.lifted_by or None,
    }


def _list(json: bool) -> None:
    context = connect()
    try:
        now = context.clock.now()
        stops = [stop for stop in context.ledger.freezes() if stop.is_on(now)]
    except NoLedger:
        stops = []
    if json:
        for stop in stops:
            print_json(as_json(stop))
    elif not stops:
        say("nothing is frozen")
    else:
        table(
            "",
            ["frozen", "by", "since", "until", "reason"],
            (
                ["all migrations" if s.scope == ALL else s.scope, s.actor,
                 f"{s.at:%Y-%m-%d %H:%M} UTC",
                 f"{s.until:%Y-%m-%d %H:%M} UTC" if s.until else "it is lifted", s.reason]
                for s in stops
            ),
        )  # fmt: skip


def _moment(text: str) -> datetime | None:
    """The moment of ``--until``; without an offset it is UTC, as all the output is."""
    if not text:
        return None
    from switchover.plan.units import moment

    try:
        found = moment(text)
    except ValueError as error:
        raise InputError(f"--until: {error}") from error
    return (found if found.tzinfo else found.replace(tzinfo=UTC)).astimezone(UTC)
