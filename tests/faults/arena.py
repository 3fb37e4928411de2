"""The servers that trials share, and a new place on them for each journey."""

from __future__ import annotations

import shutil
import threading
from contextlib import ExitStack
from pathlib import Path
from typing import Any, Self
from urllib.parse import urlsplit, urlunsplit
from uuid import uuid4

import psycopg

from switchover.ledger import upgrade
from switchover.testing.embedded import Postgres, Valkey
from switchover.testing.slack import SlackServer
from tests.faults.crew import Driver
from tests.faults.journey import Site
from tests.faults.outside import outside
from tests.faults.prefect_stand_in import PrefectStandIn
from tests.faults.scenarios import SCENARIOS

_TEMPLATE = "switchover_template"

#: Scenario -> what is seen of an undisturbed journey, and the names of its calls.
Known = dict[str, tuple[dict[str, Any], tuple[str, ...]]]


class Arena:
    """A Redis and a PostgreSQL that keep their data over a kill, Slack and Prefect as stand-ins
    that count. What an undisturbed journey looks like is found out once for each scenario, and
    ``known`` to those that share it."""

    def __init__(self, directory: Path, known: Known | None = None) -> None:
        self.directory = directory
        # PostgreSQL keeps over a kill what it has committed in a temporary folder, too.
        self.redis, self.postgres = Valkey(directory / "redis"), Postgres()
        self.known: Known = {} if known is None else known
        self.slack, self.prefect = SlackServer(), PrefectStandIn()
        self._stack, self._lock = ExitStack(), threading.Lock()

    def __enter__(self) -> Self:
        with self._stack:
            self.directory.mkdir(parents=True, exist_ok=True)
            for server in (self.redis, self.postgres, self.slack, self.prefect):
                self._stack.enter_context(server)
            upgrade(f"sqlite:///{self.directory / 'template.sqlite'}")
            upgrade(self.postgres.create_database(_TEMPLATE))
            self._stack = self._stack.pop_all()
        return self

    def __exit__(self, *_: object) -> None:
        self._stack.close()

    def site(self, scenario: str, database: str = "sqlite") -> Site:
        """A place of its own for a journey, on ``sqlite`` or ``postgresql``."""
        slug, chosen = f"j-{uuid4().hex[:8]}", SCENARIOS[scenario]
        directory = self.directory / slug
        directory.mkdir()
        if database == "sqlite":
            file = directory / "ledger.sqlite"
            shutil.copy(self.directory / "template.sqlite", file)
            url = f"sqlite:///{file}"
        else:
            url = self._copy(slug.replace("-", "_"))
        site = Site(directory, slug, url, self.redis.url, self.slack, self.prefect, **chosen.plan)
        chosen.build(site)
        return site

    def _copy(self, name: str) -> str:
        with self._lock, self._postgres() as connection:  # a template may have no other user
            connection.execute(f"CREATE DATABASE {name} TEMPLATE {_TEMPLATE}")
        return self.postgres.url(name)

    def _postgres(self) -> psycopg.Connection[Any]:
        parts = urlsplit(self.postgres.url())
        return psycopg.connect(urlunsplit(parts._replace(scheme="postgresql")), autocommit=True)

    def undisturbed(self, scenario: str) -> tuple[dict[str, Any], tuple[str, ...]]:
        """What is seen of a journey that nothing happened to, and the names of its calls. It is
        the same on every database, so it takes place on the fastest."""
        known = self.known.get(scenario)
        if known is None:
            site = self.site(scenario)
            report = Driver(site, scenario).report()
            assert report.names, f"{scenario} does not end by itself: {report.error}"
            known = outside(site), report.names
            assert known[0]["phase"] == SCENARIOS[scenario].end, known[0]["phase"]
            self.clear(site)
            self.known[scenario] = known
        return known

    def clear(self, site: Site) -> None:
        """Forget a journey: what the stand-ins hold would slow down the later ones."""

        def others(message: dict[str, Any]) -> bool:
            return site.slug not in message["metadata"]["event_payload"]["key"]

        with self.slack._lock:
            self.slack.messages[:] = filter(others, self.slack.messages)
        with self.prefect._lock:
            for key in [key for key in self.prefect.runs if site.slug in key]:
                del self.prefect.runs[key]
        if not site.database.startswith("sqlite"):
            self.postgres.drop_database(site.slug.replace("-", "_"))
        shutil.rmtree(site.directory)
