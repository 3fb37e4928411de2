"""Servers and programs for the tests: each is real, started when first asked for, one per worker.

A Prefect server takes ten seconds to start and a tenth of a core to idle. So tests that share one
run on one worker, one after the other, and it is stopped after the last of them.
"""

from __future__ import annotations

import logging
import os
import re
import shutil
from collections.abc import Callable, Generator, Iterator
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
import redis
from xdist.scheduler import LoadScopeScheduling

from switchover.testing.embedded import Postgres, PrefectServer, Valkey

#: Tests that share servers, by file, as whoever shares tests out knows names only. The flows' are
#: in two parts, which take about as long, so that two workers have them behind them early.
_TOGETHER = {
    "flows, first part": r"tests/flows/test_[a-m]",
    "flows, second part": r"tests/flows/test_[n-z]",
    "prefect_api": r"tests/integration/test_(prefect_\w+|embedded_prefect|launcher|schedules"
    r"|secret_blocks)\.py",
}
_SERVERS: list[PrefectServer] = []
_LAST = pytest.StashKey[str]()


class Together(LoadScopeScheduling):
    """Every test by itself, but for those that share servers: they come first, on one worker.

    xdist's own groups are no help: pytest 9.2 does not let it write them into tests' names.
    """

    def _split_scope(self, nodeid: str) -> str:
        return _group(nodeid) or nodeid


def _group(nodeid: str) -> str:
    return next((name for name, files in _TOGETHER.items() if re.match(files, nodeid)), "")


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> Together:
    """Share the tests out."""
    return Together(config, log)


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Give the tests of the shared Prefect server time to start it, and remember the last one."""
    for item in items:
        if "prefect_api" in getattr(item, "fixturenames", ()):
            config.stash[_LAST] = item.nodeid
            if _group(item.nodeid) != "prefect_api":
                raise pytest.UsageError(
                    f"{item.nodeid} uses prefect_api; call its file test_prefect_….py"
                )
            if item.get_closest_marker("timeout") is None:
                item.add_marker(pytest.mark.timeout(300))


@pytest.hookimpl(wrapper=True)
def pytest_runtest_teardown(item: pytest.Item) -> Generator[None, None, None]:
    """Stop the shared Prefect server after the last test that may use it."""
    yield
    if item.nodeid == item.config.stash.get(_LAST, None):
        for server in _SERVERS:
            server.stop()


@pytest.fixture(autouse=True)
def _loggers_as_they_were() -> Iterator[None]:
    """A resident command sets how much its process tells; here the process is the tests'."""
    log = logging.getLogger("switchover")
    level = log.level
    yield
    log.setLevel(level)


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
        _SERVERS.append(server)
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
