"""SIGKILL after every write of a whole migration: run again, and nothing shows that it happened."""

from __future__ import annotations

import multiprocessing
import os
import random
import shutil
import signal
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest

from switchover.ledger import upgrade
from switchover.testing.slack import SlackServer
from tests.faults.journey import Fuse, Site, drive, outside
from tests.faults.prefect_stand_in import PrefectStandIn

#: ``SWITCHOVER_FAULTS=all`` kills after every write; otherwise a seeded sample of them does.
ALL = os.environ.get("SWITCHOVER_FAULTS") == "all"
_PROCESSES = multiprocessing.get_context("fork")  # a new interpreter for each would be slow

NewSite = Callable[[], Site]


@pytest.fixture(scope="module")
def prefect() -> Iterator[PrefectStandIn]:
    with PrefectStandIn() as server:
        yield server


@pytest.fixture(scope="module")
def slack() -> Iterator[SlackServer]:
    with SlackServer() as server:
        yield server


@pytest.fixture
def new_site(
    tmp_path: Path, redis_url: str, slack: SlackServer, prefect: PrefectStandIn
) -> NewSite:
    """Makes a place for a journey of its own, on SQLite and a real Redis."""
    template = tmp_path / "template.sqlite"
    upgrade(f"sqlite:///{template}")

    def make() -> Site:
        slug = f"j-{uuid4().hex[:8]}"
        directory = tmp_path / slug
        directory.mkdir()
        shutil.copy(template, directory / "ledger.sqlite")
        slack.messages.clear()
        prefect.runs.clear()
        database = f"sqlite:///{directory / 'ledger.sqlite'}"
        return Site(directory, slug, database, redis_url, slack, prefect)

    return make


@pytest.fixture
def new_postgres_site(
    tmp_path: Path, redis_url: str, postgres_database: str, slack: SlackServer,
    prefect: PrefectStandIn,
) -> NewSite:  # fmt: skip
    """The same on PostgreSQL."""
    upgrade(postgres_database)

    def make() -> Site:
        slug = f"j-{uuid4().hex[:8]}"
        directory = tmp_path / slug
        directory.mkdir()
        slack.messages.clear()
        prefect.runs.clear()
        return Site(directory, slug, postgres_database, redis_url, slack, prefect)

    return make


def _run(site: Site, bad: bool, kill_at: int, told: Any = None) -> None:
    fuse = Fuse(kill_at)
    drive(site, site.context(fuse), bad=bad)
    if told is not None:
        told.send(fuse.names)


def _in_child(site: Site, bad: bool, kill_at: int = 0) -> list[str] | None:
    """Drive the journey in a process of its own; the names of its writes, None if it was killed."""
    ours, theirs = _PROCESSES.Pipe(duplex=False)
    child = _PROCESSES.Process(target=_run, args=(site, bad, kill_at, theirs), daemon=True)
    child.start()
    theirs.close()
    try:
        names: list[str] | None = ours.recv()
    except EOFError:
        names = None
    child.join(60)
    assert child.exitcode == (0 if names is not None else -signal.SIGKILL), child.exitcode
    return names


def _kill_everywhere(new_site: NewSite, bad: bool, sample: int, seed: int) -> int:
    """Compare journeys that were killed once with one that was not; gives how many there were."""
    site = new_site()
    names = _in_child(site, bad)
    assert names is not None
    undisturbed = outside(site)
    places = list(range(1, len(names) + 1))
    if not ALL:
        places = sorted(random.Random(seed).sample(places, min(sample, len(places))))
    for place in places:
        site = new_site()
        where = f"killed after write {place} of {len(names)}, {names[place - 1]}"
        assert _in_child(site, bad, place) is None, where
        assert _in_child(site, bad) is not None, where
        assert outside(site) == undisturbed, where
    return len(places)


@pytest.mark.req("INV4", "INV2", "INV1")
@pytest.mark.timeout(900)
def test_a_good_migration_killed_anywhere_ends_as_if_it_had_not_been(new_site: NewSite) -> None:
    """Same entries, same routing, each message, run and block once, from start to complete."""
    assert _kill_everywhere(new_site, bad=False, sample=8, seed=1) >= 8


@pytest.mark.req("INV4", "INV5", "R1")
@pytest.mark.timeout(900)
def test_a_rollback_killed_anywhere_ends_as_if_it_had_not_been(new_site: NewSite) -> None:
    """One incident, one page, one report, and the record says who ordered it and why."""
    assert _kill_everywhere(new_site, bad=True, sample=8, seed=2) >= 8


@pytest.mark.req("INV4")
@pytest.mark.timeout(900)
@pytest.mark.parametrize("bad", [False, True])
def test_on_postgresql_a_kill_leaves_no_trace_either(new_postgres_site: NewSite, bad: bool) -> None:
    """The same on the database of real deployments."""
    assert _kill_everywhere(new_postgres_site, bad=bad, sample=4, seed=3) >= 4


@pytest.mark.req("INV4")
@pytest.mark.timeout(300)
@pytest.mark.parametrize("bad", [False, True])
def test_a_migration_killed_again_and_again_ends_as_if_it_had_not_been(
    new_postgres_site: NewSite, bad: bool
) -> None:
    """No run gets further than a few writes, and the last one finds nothing out of place."""
    site = new_postgres_site()
    assert _in_child(site, bad) is not None
    undisturbed, chance, kills = outside(site), random.Random(11), 0
    site = new_postgres_site()
    while _in_child(site, bad, chance.randint(3, 12)) is None:
        kills += 1
        assert kills < 200, "no progress"
    assert kills > 4
    assert outside(site) == undisturbed
