"""`switchover why M`: what a migration waits for."""

from __future__ import annotations

from switchover.cli.session import Json, Migration, connect, print_json, say, verb

app = verb()


@app.command()
def why(migration: Migration, json: Json = False) -> None:
    """Say in one sentence what a migration waits for."""
    from switchover.engine.collect import collect
    from switchover.engine.status import why as read_why

    context = connect()
    collect(context, migration, elsewhere=False)
    document = read_why(context, migration)
    if json:
        print_json(document)
    else:
        say(document["sentence"])
