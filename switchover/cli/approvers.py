"""`switchover approvers add|list|revoke`: who can prove who they are."""

from __future__ import annotations

from typing import Annotated

import typer

from switchover.cli.session import Json, print_json, say, table, verb
from switchover.engine.context import Context
from switchover.errors import NoLedger
from switchover.ports import Approver, Approvers
from switchover.wiring import build_context, load_settings

app = verb(no_args_is_help=True)

Name = Annotated[str, typer.Argument(help="As plans list approvers.", metavar="NAME")]


@app.callback()
def approvers() -> None:
    """Issue, list and revoke approvers' personal codes."""


@app.command()
def add(
    name: Name,
    slack: Annotated[
        str, typer.Option(help="Their member id in Slack, whose clicks on buttons then count.")
    ] = "",
    json: Json = False,
) -> None:
    """Issue a code, shown this once; an older code, a lock and a revocation end."""
    from switchover.ledger.schema import upgrade

    settings = load_settings()
    upgrade(settings.database_url)
    code = _register(build_context(settings)).issue(name, slack)
    if json:
        print_json({"name": name, "code": code, "slack_user": slack or None})
        return
    say(f"The approval code of {name}: {code}")
    say("It is not stored and not shown again. Hand it over where nobody else reads along.")


@app.command(name="list")
def list_approvers(json: Json = False) -> None:
    """List everybody who ever had a code, and whose are locked."""
    context = build_context(load_settings())
    try:
        found = _register(context).list()
    except NoLedger:
        found = ()
    now = context.clock.now()
    if json:
        for each in found:
            print_json(
                {"name": each.name, "created_at": each.created_at.isoformat(),
                 "slack_user": each.slack_user or None,
                 "revoked_at": each.revoked_at and each.revoked_at.isoformat(),
                 "failures": each.failures,
                 "failed_at": each.failed_at and each.failed_at.isoformat(),
                 "locked_until": each.locked_until and each.locked_until.isoformat()}
            )  # fmt: skip
        return
    if not found:
        say("nobody has an approval code; `switchover approvers add NAME` issues one")
        return
    table(
        "",
        ["approver", "code of (UTC)", "Slack user", "now", "wrong codes"],
        (
            [each.name, f"{each.created_at:%Y-%m-%d %H:%M}", each.slack_user,
             _standing(each, locked=each.locked_until is not None and each.locked_until > now),
             each.failures or ""]
            for each in found
        ),
    )  # fmt: skip


@app.command()
def revoke(name: Name, json: Json = False) -> None:
    """End a code, and the standing of their Slack user. Votes that were given stay."""
    _register(build_context(load_settings())).revoke(name)
    if json:
        print_json({"name": name, "revoked": True})
        return
    say(f"The approval code of {name} is void. A plan that names them still does.")


def _standing(approver: Approver, *, locked: bool) -> str:
    if approver.revoked_at is not None:
        return f"revoked {approver.revoked_at:%Y-%m-%d}"
    if locked and approver.locked_until is not None:
        return f"locked until {approver.locked_until:%H:%M:%S}"
    return "valid"


def _register(context: Context) -> Approvers:
    if context.approvers is None:
        raise AssertionError("the wiring connects a register")
    return context.approvers
