"""`switchover start PLAN`: accept a plan."""

from __future__ import annotations

from switchover.cli.session import (
    Actor,
    Json,
    Overlays,
    PlanFile,
    actor_or_login,
    print_json,
    say,
    verb,
)

app = verb()


@app.command()
def start(
    plan: PlanFile,
    overlay: Overlays = None,
    actor: Actor = "",
    json: Json = False,
) -> None:
    """Accept a plan: legacy serves everything, the first stage begins."""
    from switchover.engine.start import start as start_migration
    from switchover.ledger.schema import upgrade
    from switchover.plan.load import load_plan
    from switchover.wiring import build_context, load_settings

    loaded = load_plan(plan, tuple(overlay or ()))
    settings = load_settings()
    upgrade(settings.database_url)
    case = start_migration(build_context(settings), loaded, actor=actor_or_login(actor, settings))
    state = case.state
    if json:
        print_json(state.to_dict())
        return
    say(f"{state.migration} is in stage {case.stage.title} (attempt {state.attempt}).")
    say(f"Next: switchover advance {state.migration}")
