"""`switchover deploy`: the ledger's tables brought up to date, flows and schedules to Prefect."""

from __future__ import annotations

from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from switchover.cli.session import Json, Overlays, connect, print_json, say, verb, warn
from switchover.errors import InputError

if TYPE_CHECKING:
    from switchover.plan.spec import Plan
    from switchover.wiring import Settings

app = verb()


@app.command()
def deploy(
    plans: Annotated[
        list[Path] | None,
        typer.Argument(
            help="Plans whose schedules are wanted; default: of every migration that was started "
            "and not rolled back or aborted.",
            metavar="[PLAN]...",
        ),
    ] = None,
    overlay: Overlays = None,
    flows: Annotated[bool, typer.Option("--flows/--no-flows", help="Deploy the flows too.")] = True,
    remove: Annotated[
        str, typer.Option(metavar="M", help="Only remove the schedules of this migration.")
    ] = "",
    json: Json = False,
) -> None:
    """Deploy flows, and schedules of plans, to the Prefect server.

    Before that the ledger's tables are brought up to date, and the work pool is made if there is
    none: run it after each update of Switchover.
    A schedule that was paused stays paused, and other migrations' schedules stay as they are.
    """
    from switchover.plan.load import load_plan
    from switchover.wiring import load_settings, open_schedules

    if remove and plans:
        raise InputError("--remove takes a migration away and PLAN brings one; give one of them")
    if overlay and len(plans or ()) != 1:
        raise InputError("--overlay is laid over one plan; name exactly one")
    wanted = [load_plan(plan, tuple(overlay or ())).plan for plan in plans or ()]
    settings = load_settings()
    with closing(open_schedules(settings)) as schedules:
        if remove:
            changes = schedules.remove(remove)
        else:
            _prepare(settings)
            if flows:
                _deploy_flows(settings)
            from switchover.plan.runs import scheduled_runs

            changes = {}
            for plan in wanted if plans else _under_way():
                changes |= schedules.bring(scheduled_runs(plan))
    if json:
        print_json({"flows": flows and not remove, "schedules": changes})
        return
    if flows and not remove:
        say("deployed all flows")
    for slug, change in changes.items():
        say(f"schedule {slug}: {change}")
    if remove and not changes:
        say(f"{remove} has no schedule")


def _under_way() -> list[Plan]:
    """The plans of the migrations whose runs have something to do, or will have."""
    from switchover.machine.state import Phase

    context = connect()
    ended = (Phase.ROLLED_BACK, Phase.ABORTED)
    plans = []
    for state in context.ledger.migrations():
        if state.phase not in ended:
            try:
                plans.append(context.open(state.migration).plan)
            except InputError as error:
                # One that an older version started: the others get their schedules all the same.
                warn(f"{error}; its schedules stay as they are")
    return plans


def _prepare(settings: Settings) -> None:
    """The tables and the work pool. The server is asked first, as Prefect's own command tells a
    server that is down by a traceback."""
    from switchover.launcher.prefect_pool import make_pool
    from switchover.launcher.session import PrefectSession
    from switchover.ledger.schema import upgrade

    session = PrefectSession(settings.prefect_api_url, settings.prefect_auth or None, 5.0)
    with closing(session):
        session.get("/health", what="its health")
        upgrade(settings.database_url)
        make_pool(session)


def _deploy_flows(settings: Settings) -> None:
    from switchover.testing.embedded.stack import deploy as deploy_all
    from switchover.testing.embedded.stack import project_root

    env = {"PREFECT_API_URL": settings.prefect_api_url}
    if settings.prefect_auth:
        env["PREFECT_API_AUTH_STRING"] = settings.prefect_auth
    deploy_all(project_root(), env)
