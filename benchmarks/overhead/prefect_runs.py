"""A Prefect server and a worker beside a fleet, with the empty flow deployed beside ours."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from benchmarks.overhead.fleet import Fleet, servers
from switchover.launcher.prefect_api import PrefectLauncher
from switchover.testing.embedded import PrefectServer, PrefectWorker
from switchover.testing.embedded.prefect import FLOW_RUN_COMMAND

ROOT = Path(__file__).parents[2]
POOL = "switchover"
#: Deployments by the names that the launcher and the outbox call them, with their entry points.
DEPLOYED = {
    "empty/empty": "benchmarks.overhead.empty.empty",
    "advance/advance": "flows.advance.advance",
    "approve/approve": "flows.approve.approve",
}


@dataclass
class Land:
    """The fleet, and the way to start flow runs."""

    fleet: Fleet
    launcher: PrefectLauncher


@contextmanager
def land(folder: Path) -> Iterator[Land]:
    """Start everything; this process is set to use it, too."""
    with (
        servers(folder) as (settings, postgres),
        PrefectServer(postgres.create_database("prefect", "asyncpg"), folder / "prefect") as server,
        PrefectWorker(
            server.env, env={**settings, "SWITCHOVER_ACTOR": "bench"}, cwd=ROOT
        ) as worker,
    ):
        worker.wait()
        settings = {**settings, **server.env}
        os.environ.update(settings)
        _deploy()
        launcher = PrefectLauncher(server.api_url, server.auth)
        try:
            yield Land(Fleet(settings), launcher)
        finally:
            launcher.close()


def _deploy() -> None:
    from prefect.client.orchestration import get_client

    with get_client(sync_client=True) as client:
        for name, entrypoint in DEPLOYED.items():
            flow, _, deployment = name.partition("/")
            client.create_deployment(
                flow_id=client.create_flow_from_name(flow),
                name=deployment,
                work_pool_name=POOL,
                entrypoint=entrypoint,
                job_variables={"command": FLOW_RUN_COMMAND},
            )
