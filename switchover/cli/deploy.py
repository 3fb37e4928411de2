"""`switchover deploy`: the ledger's tables brought up to date, all flows to the Prefect server."""

from __future__ import annotations

from switchover.cli.session import Json, print_json, say, verb

app = verb()


@app.command()
def deploy(json: Json = False) -> None:
    """Deploy all flows to the Prefect server.

    Before that the ledger's tables are brought up to date: run it after each update of Switchover.
    """
    from switchover.launcher.session import PrefectSession
    from switchover.ledger.schema import upgrade
    from switchover.testing.embedded.stack import deploy as deploy_all
    from switchover.testing.embedded.stack import project_root
    from switchover.wiring import load_settings

    settings = load_settings()
    root = project_root()
    # Asked first, as Prefect's own command tells a server that is down by a traceback.
    session = PrefectSession(settings.prefect_api_url, settings.prefect_auth or None, 5.0)
    session.get("/health", what="its health")
    session.close()
    upgrade(settings.database_url)
    env = {"PREFECT_API_URL": settings.prefect_api_url}
    if settings.prefect_auth:
        env["PREFECT_API_AUTH_STRING"] = settings.prefect_auth
    deploy_all(root, env)
    print_json({"deployed": str(root / "prefect.yaml")}) if json else say("deployed all flows")
