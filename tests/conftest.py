"""Servers and programs for the tests: each is real, started when first asked for, one per worker.

Tests that use ``prefect_api`` share one Prefect server: they get the xdist group of that name,
and ``make test`` runs with ``--dist loadgroup``, which keeps a group on one worker.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from uuid import uuid4

import pytest
import redis

from switchover.testing.embedded import Postgres, PrefectServer, Valkey


@pytest.hookimpl(tryfirst=True)  # before xdist reads the groups
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Keep the tests of the shared Prefect server on one worker, and give them time to start it."""
    for item in items:
        if "prefect_api" in getattr(item, "fixturenames", ()):
            item.add_marker(pytest.mark.xdist_group("prefect"))
            if item.get_closest_marker("timeout") is None:
                item.add_marker(pytest.mark.timeout(300))


@pytest.fixture(scope="session")
def redis_url() -> Iterator[str]:
    """A Redis for the whole session; keys of other tests may be in it."""
    with Valkey() as server:
        yield server.url


@pytest.fixture
def fresh_redis_url(redis_url: str) -> str:
    """The session's Redis, emptied."""
    with redis.Redis.from_url(redis_url) as client:
        client.flushall()
    return redis_url


@pytest.fixture(scope="session")
def postgres() -> Iterator[Postgres]:
    """A PostgreSQL for the whole session."""
    with Postgres() as server:
        yield server


@pytest.fixture(scope="session")
def postgres_url(postgres: Postgres) -> str:
    """One database for the whole session; tables of other tests may be in it."""
    return postgres.create_database("session")


@pytest.fixture
def postgres_database(postgres: Postgres) -> Iterator[str]:
    """The URL of an empty database that only this test sees."""
    name = f"test_{uuid4().hex[:12]}"
    yield postgres.create_database(name)
    postgres.drop_database(name)


@pytest.fixture
def sqlite_url(tmp_path: Path) -> str:
    """The URL of an SQLite file that only this test sees."""
    return f"sqlite:///{tmp_path / 'ledger.sqlite'}"


@pytest.fixture(scope="session")
def prefect_api(postgres: Postgres) -> Iterator[PrefectServer]:
    """A Prefect server, and this process set to use it (``.env`` is for child processes)."""
    from prefect.settings import PREFECT_API_AUTH_STRING, PREFECT_API_URL, temporary_settings

    with (
        PrefectServer(postgres.create_database("prefect", "asyncpg")) as server,
        temporary_settings({PREFECT_API_URL: server.api_url, PREFECT_API_AUTH_STRING: server.auth}),
    ):
        yield server


@pytest.fixture(scope="session")
def program() -> Callable[[str], Path]:
    """Find a system program; without it the test is skipped, or fails under ``CI=true``."""

    def find(name: str) -> Path:
        if found := shutil.which(name):
            return Path(found)
        reason = f"needs the program {name}, which is not on the PATH"
        if os.environ.get("CI") == "true":
            pytest.fail(reason)
        pytest.skip(reason)

    return find
