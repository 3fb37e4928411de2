"""`switchover sign M ITEM`: answer for an item of the checklist."""

from __future__ import annotations

from typing import Annotated

import typer

from switchover.cli.decision import approval_code
from switchover.cli.session import Json, Migration, connect, print_json, say, verb

app = verb()


@app.command()
def sign(
    migration: Migration,
    item: Annotated[str, typer.Argument(help="The item's id; `switchover checklist M` has them.")],
    by: Annotated[str, typer.Option("--by", help="Your name, as the plan writes it.")],
    note: Annotated[str, typer.Option("--note", "-n", help="What it rests on.")] = "",
    withdraw: Annotated[
        bool, typer.Option("--withdraw", help="Take the sign-off back; the item is open again.")
    ] = False,
    json: Json = False,
) -> None:
    """Sign off an item of a migration's checklist.

    Where the plan says `approvals.identity: code`, the personal approval code is read from
    SWITCHOVER_APPROVAL_CODE, or asked for on a terminal.
    """
    from switchover.engine.sign_off import sign_off
    from switchover.engine.sign_off import withdraw as take_back

    context = connect()
    code = approval_code(context.open(migration), by)
    if withdraw:
        case = take_back(context, migration, item, signer=by, reason=note, via="cli", code=code)
    else:
        case = sign_off(context, migration, item, signer=by, note=note, via="cli", code=code)
    if json:
        print_json(case.state.to_dict())
    else:
        done = f"is open again, by {by}" if withdraw else f"is signed by {by}"
        say(f"{migration}: {item} {done}.")
