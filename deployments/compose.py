"""The parts as a Compose file, with the PostgreSQL and the Valkey that they need."""

from __future__ import annotations

from typing import Any

from deployments.parts import Part

#: What is asked of the operator, in `.env` beside the file; Compose stops without them.
_PASSWORD = "${SWITCHOVER_PASSWORD:?a long random text without special characters, in .env}"
_CREDENTIAL = f"switchover:{_PASSWORD}"
_VALUES = {
    "SWITCHOVER_DATABASE_URL": f"postgresql+psycopg://{_CREDENTIAL}@postgres/switchover",
    "SWITCHOVER_REDIS_URL": f"redis://:{_PASSWORD}@valkey:6379/0",
    "PREFECT_API_AUTH_STRING": _CREDENTIAL,
    "PREFECT_SERVER_API_AUTH_STRING": _CREDENTIAL,
    "PREFECT_SERVER_DATABASE_CONNECTION_URL": (
        f"postgresql+asyncpg://{_CREDENTIAL}@postgres/prefect"
    ),
}


def document(parts: tuple[Part, ...], *, image: str) -> dict[str, Any]:
    """The whole file. Ports are published on loopback only."""
    return {
        "name": "switchover",
        "services": {
            "postgres": _postgres(),
            "valkey": _valkey(),
            **{part.name: _service(part, image) for part in parts},
        },
        "volumes": {"postgres": {}, "valkey": {}, "incidents": {}, "state": {}},
        "configs": {
            # The official image runs it once, when the volume is empty.
            "databases.sql": {"content": "CREATE DATABASE prefect;\n"}
        },
    }


def _postgres() -> dict[str, Any]:
    return {
        "image": "postgres:17",
        "restart": "unless-stopped",
        "environment": {
            "POSTGRES_USER": "switchover",
            "POSTGRES_PASSWORD": _PASSWORD,
            "POSTGRES_DB": "switchover",
        },
        "configs": [
            {"source": "databases.sql", "target": "/docker-entrypoint-initdb.d/databases.sql"}
        ],
        "volumes": ["postgres:/var/lib/postgresql/data"],
        "healthcheck": _healthcheck("pg_isready", "--username", "switchover"),
    }


def _valkey() -> dict[str, Any]:
    return {
        "image": "valkey/valkey:8",
        "restart": "unless-stopped",
        # An evicted routing document would send the traffic to legacy.
        "command": [
            *("valkey-server", "--appendonly", "yes", "--maxmemory-policy", "noeviction"),
            *("--requirepass", _PASSWORD),
        ],
        "environment": {"REDISCLI_AUTH": _PASSWORD},
        "volumes": ["valkey:/data"],
        "healthcheck": _healthcheck("valkey-cli", "ping"),
    }


def _service(part: Part, image: str) -> dict[str, Any]:
    secrets = {name: _VALUES[name] for name in part.secrets}
    # Without a value a variable is passed on from `.env`, if it is there.
    optional = {name: f"${{{name}:-}}" for name in part.optional}
    service: dict[str, Any] = {
        "image": image,
        "command": list(part.command),
        "restart": "unless-stopped" if part.port else "on-failure",
        "environment": {**part.environment, **secrets, **optional},
        "depends_on": _depends(part),
        "stop_grace_period": f"{part.grace}s",
        "mem_limit": f"{part.memory}m",
        "read_only": True,
        "tmpfs": ["/tmp"],
        "volumes": ["incidents:/srv/incidents", "state:/srv/state"],
        "cap_drop": ["ALL"],
        "security_opt": ["no-new-privileges:true"],
    }
    if part.replicas > 1 and part.name != "api":
        service["deploy"] = {"replicas": part.replicas}
    if part.port:
        url = f"http://127.0.0.1:{part.port}{part.live}"
        fetch = f"import urllib.request; urllib.request.urlopen({url!r}, timeout=5)"
        service["healthcheck"] = _healthcheck("python", "-c", fetch)
    if part.name in ("prefect", "api"):
        service["ports"] = [f"127.0.0.1:{part.port}:{part.port}"]
    return service


def _depends(part: Part) -> dict[str, Any]:
    needed = ["postgres"] if part.name == "prefect" else ["postgres", "valkey", "prefect"]
    return {name: {"condition": "service_healthy"} for name in needed}


def _healthcheck(*test: str) -> dict[str, Any]:
    return {
        "test": ["CMD", *test],
        "interval": "10s",
        "timeout": "10s",
        "retries": 12,
        "start_period": "60s",
    }
