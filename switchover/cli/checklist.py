"""`switchover checklist M`: what must be done before the candidate gets traffic."""

from __future__ import annotations

from switchover.cli.session import Json, Migration, connect, print_json, say, table, verb

app = verb()


@app.command()
def checklist(migration: Migration, json: Json = False) -> None:
    """Show what must be done before the candidate gets traffic.

    Exit 1 while an item is missing.
    """
    from switchover.engine.checklist import checklist as read_checklist
    from switchover.engine.collect import collect
    from switchover.errors import NegativeAnswer

    context = connect()
    collect(context, migration, elsewhere=False)
    items = read_checklist(context.open(migration), context.ledger.evidence(migration))
    complete = all(item.done for item in items)
    if json:
        print_json(
            {"migration": migration, "complete": complete, "items": [i.to_dict() for i in items]}
        )
    elif not items:
        say(f"{migration}: the plan has no checklist")
    else:
        table(
            "",
            ["item", "", "what", "found", "to do"],
            (
                [i.id, "done" if i.done else "missing", i.text, i.found,
                 "" if i.done else i.advice]
                for i in items
            ),
        )  # fmt: skip
    if not complete:
        names = ", ".join(item.id for item in items if not item.done)
        raise NegativeAnswer(f"{migration}: the checklist is not complete; missing: {names}")
