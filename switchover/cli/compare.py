"""`switchover compare M`: how legacy and candidate did beside each other."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from switchover.cli.session import Json, Migration, connect, print_json, say, table, verb
from switchover.errors import InputError

app = verb()


@app.command()
def compare(
    migration: Migration,
    stage: Annotated[
        str, typer.Option(help="One stage only, by its key, such as canary-25.", metavar="KEY")
    ] = "",
    plot: Annotated[
        Path | None, typer.Option(help="Draw the figures to this file, which ends in .png.")
    ] = None,
    json: Json = False,
) -> None:
    """Compare legacy and candidate, per stage and overall.

    The figures are for people: gates decide.
    """
    from switchover.engine.collect import collect
    from switchover.engine.compare import comparison
    from switchover.reporting.comparison import HEAD, LEGEND, rows

    if plot is not None and (plot.suffix.lower() != ".png" or not plot.absolute().parent.is_dir()):
        raise InputError(f"--plot {plot}: name a .png file in a folder that exists")
    context = connect()
    collect(context, migration, elsewhere=False)
    case = context.open(migration)
    keys = [each.key for each in case.stages]
    if stage and stage not in keys:
        raise InputError(
            f"--stage {stage}: {migration} has no such stage; one of {', '.join(keys)}"
        )
    document = comparison(case, stage)
    newest = document["stages"][-1]["figures"] if document["stages"] else []
    if plot is not None:
        from switchover.reporting.comparison_plot import comparison_plot

        name = f"{case.plan.title}: candidate against legacy"
        plot.write_bytes(comparison_plot(document.get("overall") or newest, title=name))
    if json:
        print_json(document)
        return
    if not document["stages"]:
        say("No metric is known of both systems yet.")
        return
    for each in document["stages"]:
        say(each["title"])
        table("", [name.lower() for name in HEAD], rows(each["figures"]))
        say("")
    if not stage and len(document["stages"]) > 1:
        say("all stages")
        table("", [name.lower() for name in HEAD], rows(document["overall"]))
        say("")
    say(LEGEND)
