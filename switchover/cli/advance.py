"""`switchover advance M`: run the step that is due."""

from __future__ import annotations

import uuid
from typing import TYPE_CHECKING, Annotated

import typer

from switchover.cli.session import Actor, Json, Migration, actor_or_login, print_json, say, verb
from switchover.errors import DependencyUnavailable, NegativeAnswer
from switchover.machine.state import Phase, State

if TYPE_CHECKING:
    from switchover.launcher.prefect_api import PrefectLauncher, RunState

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
    """Run the step that is due, on Prefect.

    Ends with 1 when a check or a data check failed, or when it rolled back.
    """
    from switchover.engine.status import why
    from switchover.wiring import build_context, load_settings, open_launcher

    settings = load_settings()
    context = build_context(settings)
    before = context.ledger.read(migration).state
    launcher = open_launcher(settings)
    parameters = {"migration": migration, "actor": actor_or_login(actor, settings)}
    run = launcher.start("advance/advance", parameters, f"cli:{uuid.uuid4().hex}")
    if not wait:
        print_json({"run": run}) if json else say(f"started flow run {run}")
        return
    try:
        kind, _, message = _followed(launcher, run, timeout, quiet=json)
    except DependencyUnavailable as error:
        later = f"run {run} stays with Prefect and may still take its step; cancel it there if not"
        raise DependencyUnavailable(error.name, f"{error.detail}; {later} wanted") from error
    if kind != "COMPLETED":
        raise NegativeAnswer(f"flow run {run} ended {kind.lower()}: {message}")
    case = context.open(migration)
    after, stages = case.state, case.stages
    sentence = why(context, migration)["sentence"]
    if json:
        print_json({"run": run, "before": before.to_dict(), "after": after.to_dict(),
                    "sentence": sentence})  # fmt: skip
    else:
        moved = "no step"
        if after.stage != before.stage:
            moved = f"{stages[before.stage].title} → {stages[after.stage].title}"
        say(f"{moved}; the candidate serves {after.split / 100:g} %")
        say(sentence)
    failure = _failure(before, after)
    if failure:
        raise NegativeAnswer(failure)


def _failure(before: State, after: State) -> str:
    """What this run found bad: a check, a data check or the candidate; empty when nothing."""
    if after.phase is Phase.ROLLED_BACK and before.phase is not Phase.ROLLED_BACK:
        return f"rolled back: {after.reason}"
    for now, then in ((after.work, before.work), (after.data, before.data)):
        if now is not None and now != then and not now.ok:
            return now.summary
    return ""


def _followed(launcher: PrefectLauncher, run: str, timeout: float, *, quiet: bool) -> RunState:
    """Wait for the end of a run, telling each change of its state; gives the last one."""

    def tell(state: RunState) -> None:
        say(f"flow run {run}: {(state[1] or state[0]).lower()}")

    return launcher.wait(run, timeout, None if quiet else tell)
