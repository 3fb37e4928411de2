"""`switchover advance M`: run the step that is due."""

from __future__ import annotations

import time
import uuid
from typing import Annotated

import typer

from switchover.cli.session import Actor, Json, Migration, actor_or_login, print_json, say, verb
from switchover.errors import DependencyUnavailable, NegativeAnswer

app = verb()


@app.command()
def advance(
    migration: Migration,
    wait: Annotated[
        bool, typer.Option("--wait/--no-wait", help="Wait until the flow run ends.")
    ] = True,
    timeout: Annotated[float, typer.Option(help="Seconds to wait at most.")] = 600.0,
    actor: Actor = "",
    json: Json = False,
) -> None:
    """Run the step that is due, on Prefect."""
    from switchover.engine.status import why
    from switchover.wiring import build_context, build_launcher, load_settings

    settings = load_settings()
    context = build_context(settings)
    before = context.ledger.read(migration).state
    launcher = build_launcher(settings)
    parameters = {"migration": migration, "actor": actor_or_login(actor, settings)}
    run = launcher.start("advance/advance", parameters, f"cli:{uuid.uuid4().hex}")
    if not wait:
        print_json({"run": run}) if json else say(f"started flow run {run}")
        return
    if not json:
        say(f"flow run {run} …")
    deadline = time.monotonic() + timeout
    kind = "SCHEDULED"
    while kind not in ("COMPLETED", "FAILED", "CRASHED", "CANCELLED"):
        if time.monotonic() > deadline:
            raise DependencyUnavailable(
                "Prefect", f"flow run {run} is still {kind.lower()}; is a worker running?"
            )
        time.sleep(0.5)
        kind, _, message = launcher.state(run)
    if kind != "COMPLETED":
        raise NegativeAnswer(f"flow run {run} ended {kind.lower()}: {message}")
    case = context.open(migration)
    after, stages = case.state, case.stages
    sentence = why(context, migration)["sentence"]
    if json:
        print_json({"run": run, "before": before.to_dict(), "after": after.to_dict(),
                    "sentence": sentence})  # fmt: skip
        return
    moved = "no step"
    if after.stage != before.stage:
        moved = f"{stages[before.stage].title} → {stages[after.stage].title}"
    say(f"{moved}; the candidate serves {after.split / 100:g} %")
    say(sentence)
