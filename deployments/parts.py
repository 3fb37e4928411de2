"""What runs in a deployment, said once for Compose and Kubernetes."""

from __future__ import annotations

from dataclasses import dataclass, field

POOL = "switchover"
PREFECT_PORT, API_PORT, WORKER_PORT, WATCH_PORT = 4200, 8080, 8081, 8082
#: One guard may be restarted, or hang, while the other watches.
GUARDS = 2

#: Variables that every process of Switchover needs and that are no secrets.
SHARED = {
    "PREFECT_API_URL": f"http://prefect:{PREFECT_PORT}/api",
    "SWITCHOVER_INCIDENTS_DIR": "/srv/incidents",
    "SWITCHOVER_RUNBOOKS_DIR": "/srv/incidents/runbooks",
    # Orders to roll back wait there while Redis or the database is down.
    "SWITCHOVER_STATE_DIR": "/srv/state",
    "PREFECT_HOME": "/tmp/prefect",
}
#: Variables whose values only the operator knows; those that are optional may be missing.
SECRETS = ("SWITCHOVER_DATABASE_URL", "SWITCHOVER_REDIS_URL", "PREFECT_API_AUTH_STRING")
OPTIONAL_SECRETS = (
    "SWITCHOVER_AUDIT_KEY",
    "SWITCHOVER_SLACK_TOKEN",
    "SWITCHOVER_SLACK_SIGNING_SECRET",
)
SERVER_SECRETS = ("PREFECT_SERVER_DATABASE_CONNECTION_URL", "PREFECT_SERVER_API_AUTH_STRING")


@dataclass(frozen=True, slots=True)
class Part:
    """One process: how it is started, what it reads, and where it answers.

    ``memory`` is in MiB and a limit. A part without a ``port`` ends by itself.
    """

    name: str
    command: tuple[str, ...]
    port: int = 0
    live: str = ""
    ready: str = ""
    replicas: int = 1
    memory: int = 512
    grace: int = 30
    environment: dict[str, str] = field(default_factory=dict)
    secrets: tuple[str, ...] = SECRETS
    optional: tuple[str, ...] = OPTIONAL_SECRETS


def parts(workers: int = 2) -> tuple[Part, ...]:
    """The Prefect server, the workers, the API, the guards, and the job that deploys the flows."""
    server = Part(
        "prefect",
        ("prefect", "server", "start"),
        port=PREFECT_PORT,
        live="/api/health",
        ready="/api/ready",
        memory=1024,
        environment={
            # Its own network is private: see the network policy, and the port on loopback.
            "PREFECT_SERVER_API_HOST": "0.0.0.0",
            "PREFECT_SERVER_API_PORT": str(PREFECT_PORT),
            "PREFECT_SERVER_UI_V2_ENABLED": "false",  # V2 calls outside addresses
            "PREFECT_SERVER_ANALYTICS_ENABLED": "false",
            "PREFECT_SERVER_UI_STATIC_DIRECTORY": "/tmp/ui",
            "PREFECT_SERVER_CONCURRENCY_LEASE_STORAGE": (
                "prefect.server.concurrency.lease_storage.filesystem"
            ),
            "PREFECT_HOME": "/tmp/prefect",
        },
        secrets=SERVER_SECRETS,
        optional=(),
    )
    worker = Part(
        "worker",
        ("prefect", "worker", "start", "--pool", POOL, "--type", "process", "--with-healthcheck"),
        port=WORKER_PORT,
        live="/health",
        ready="/health",
        replicas=workers,
        memory=2048,  # a run takes about 100 MB, and a suite of Great Expectations some more
        grace=120,  # runs that go on when it ends are killed; the ledger makes that safe
        environment={
            **SHARED,
            "SWITCHOVER_GUARDS": str(GUARDS),  # monitor tells people when none watches
            "PREFECT_WORKER_WEBSERVER_HOST": "0.0.0.0",
            "PREFECT_WORKER_WEBSERVER_PORT": str(WORKER_PORT),
        },
    )
    api = Part(
        "api",
        ("switchover", "serve", "--host", "0.0.0.0", "--allow-remote", "--port", str(API_PORT)),
        port=API_PORT,
        live="/health",
        # Not /ready, which is for alerts: with Prefect away a rollback by the API still works.
        ready="/health",
        replicas=2,
        environment={**SHARED, "SWITCHOVER_GUARDS": str(GUARDS)},
    )
    watch = Part(
        "watch",
        ("switchover", "watch", "--host", "0.0.0.0", "--port", str(WATCH_PORT)),
        port=WATCH_PORT,
        live="/health",
        # One that can't judge for want of a database need not be started again, and is told.
        ready="/ready",
        replicas=GUARDS,
        environment=SHARED,
    )
    deploy = Part("deploy", ("switchover", "deploy"), memory=1024, environment=SHARED)
    return server, worker, api, watch, deploy
