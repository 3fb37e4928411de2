"""Real servers go away in the middle of a migration, and come back with or without their data."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing, contextmanager
from pathlib import Path
from uuid import uuid4

import pytest
import redis

import switchover
from switchover.engine.advance import take_step
from switchover.engine.context import Context
from switchover.engine.monitor import look, watched
from switchover.engine.reconcile import reconcile
from switchover.engine.roll_back import roll_back
from switchover.errors import DependencyUnavailable
from switchover.ledger import upgrade
from switchover.machine.state import Phase
from switchover.testing.embedded import Postgres, Valkey
from tests.eventually import eventually
from tests.faults.journey import Site, move_on, ship, walk

_STAGES = [
    {"kind": "checks"},
    {"kind": "canary", "percent": 10, "bake": "1h"},
    {"kind": "canary", "percent": 50, "bake": "1h"},
]

NewSite = Callable[[], Site]


@pytest.fixture(scope="module")
def valkey(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Valkey]:
    """A Redis that forgets everything when it is killed."""
    with Valkey() as server:
        yield server


@pytest.fixture(scope="module")
def database() -> Iterator[Postgres]:
    """A PostgreSQL that may be killed."""
    with Postgres() as server:
        yield server


@pytest.fixture
def new_site(tmp_path: Path, valkey: Valkey, sqlite_url: str) -> Iterator[NewSite]:
    """Makes places for migrations on SQLite and the Redis that forgets."""
    upgrade(sqlite_url)
    with ExitStack() as made:

        def make() -> Site:
            slug = f"o-{uuid4().hex[:8]}"
            site = Site(tmp_path, slug, sqlite_url, valkey.url, stages=_STAGES)
            return made.enter_context(closing(site))

        yield make


@contextmanager
def following(site: Site) -> Iterator[tuple[switchover.Router, list[int]]]:
    """A live router, and every epoch it was seen at."""
    epochs, stop = [0], threading.Event()
    with switchover.Router(site.slug, site.redis) as router:
        assert router.wait_ready(5)

        def watch() -> None:
            while not stop.wait(0.001):
                epochs.append(router.epoch)

        watcher = threading.Thread(target=watch)
        watcher.start()
        try:
            yield router, epochs
        finally:
            stop.set()
            watcher.join()
    assert epochs == sorted(epochs), "an epoch went back"


def share(router: switchover.Router) -> float:
    """The candidate's share of a thousand keys."""
    return sum(router.route(f"k{n}").system == "candidate" for n in range(1000)) / 1000


@pytest.mark.req("INV3", "INV2")
@pytest.mark.parametrize("loss", ["flushed", "restarted"])
def test_a_redis_that_lost_its_data_is_filled_from_the_ledger(
    new_site: NewSite, valkey: Valkey, loss: str
) -> None:
    """Routers keep what they hold, their epochs never go back, and the next step reaches them."""
    site = new_site()
    context = site.context()
    walk(site, context, stage=1)
    with following(site) as (router, _):
        assert 0.05 < share(router) < 0.15
        before = share(router)
        if loss == "flushed":
            with redis.Redis.from_url(valkey.url) as client:
                client.flushall()
        else:
            valkey.process.kill()
            valkey.start()
        assert context.routing.read(site.slug) is None
        assert share(router) == before
        assert reconcile(context, site.slug) != []
        assert reconcile(context, site.slug) == []
        assert take_step(context, site.slug, actor="flow").did
        epoch = context.open(site.slug).state.epoch
        assert eventually(lambda: router.epoch == epoch), "the router does not follow any more"
        assert share(router) > before


@pytest.mark.req("INV3", "INV5")
def test_a_rollback_on_an_emptied_redis_beats_what_routers_hold(
    new_site: NewSite, valkey: Valkey
) -> None:
    """The store starts at nothing again; a router of a higher epoch still obeys the halt."""
    site = new_site()
    context = site.context()
    walk(site, context, stage=1)
    with following(site) as (router, _):
        assert share(router) > 0
        valkey.process.kill()
        valkey.start()
        roll_back(context, site.slug, actor="bo", trigger="person", reason="smoke")
        assert eventually(lambda: share(router) == 0), "the candidate still serves"
        epoch = context.open(site.slug).state.epoch
        assert eventually(lambda: router.epoch == epoch), "it did not take the ledger's document"
        assert share(router) == 0


@pytest.mark.req("INV6", "R8")
def test_a_look_without_redis_says_so_and_the_next_one_goes_on(
    new_site: NewSite, valkey: Valkey
) -> None:
    """An outage is an error and no verdict; nothing is written down, nothing is lost."""
    site = new_site()
    context = site.context()
    walk(site, context, stage=1)
    revision = context.open(site.slug).state.revision
    seen = (context.ledger.evidence(site.slug) or {})["blocks"]
    valkey.process.kill()
    try:
        with pytest.raises(DependencyUnavailable, match="Redis"):
            look(context, site.slug, actor="monitor")
        assert context.open(site.slug).state.revision == revision
    finally:
        valkey.start()
    look(context, site.slug, actor="monitor")
    assert take_step(context, site.slug, actor="flow").did
    ship(context, context.open(site.slug).state)
    look(context, site.slug, actor="monitor")
    assert (context.ledger.evidence(site.slug) or {})["blocks"] == seen + 2


@pytest.mark.req("INV7", "R8", "INV4")
@pytest.mark.parametrize("reached", ["canary", "complete"])
def test_with_the_database_killed_traffic_goes_back_and_is_recorded_once(
    tmp_path: Path, valkey: Valkey, database: Postgres, reached: str
) -> None:
    """The sweep after the outage finds the halt, also on a migration that was complete."""
    url = database.create_database(f"out_{reached}")
    upgrade(url)
    site = Site(tmp_path, f"o-{uuid4().hex[:8]}", url, valkey.url, stages=_STAGES)
    context = site.context()
    walk(site, context, stage=1)
    while reached == "complete" and move_on(site, context):
        continue
    with following(site) as (router, _):
        assert eventually(lambda: bool(context.routing.acknowledgements(site.slug))), "no router"
        assert share(router) > 0
        database.process.kill()
        try:
            outcome = roll_back(context, site.slug, actor="bo", trigger="person", reason="smoke")
            assert share(router) == 0
            assert (outcome.recorded, outcome.complete, outcome.routers) == (False, True, 1)
            assert "database" in outcome.pending[0]
        finally:
            database.start()
        assert site.slug in watched(context)
        for _ in range(2):
            look(context, site.slug, actor="monitor")
        assert share(router) == 0
    _recorded_once(site, context, outcome.incident)
    site.close()


@pytest.mark.req("INV7", "R8", "INV2")
def test_a_rollback_during_a_redis_outage_holds_when_the_old_document_comes_back(
    tmp_path: Path, sqlite_url: str
) -> None:
    """Redis returns with the split of before; the next sweep stops it for good."""
    upgrade(sqlite_url)
    with Valkey(tmp_path / "valkey") as valkey:
        site = Site(tmp_path, f"o-{uuid4().hex[:8]}", sqlite_url, valkey.url, stages=_STAGES)
        context = site.context()
        walk(site, context, stage=1)
        valkey.process.kill()
        outcome = roll_back(context, site.slug, actor="bo", trigger="person", reason="smoke")
        assert outcome.recorded
        valkey.start()
        stale = context.routing.read(site.slug)
        assert stale is not None
        assert stale.serves_candidate
        with following(site) as (router, _):
            assert site.slug in watched(context)
            look(context, site.slug, actor="monitor")
            assert eventually(lambda: share(router) == 0), "the candidate serves after a rollback"
        assert site.slug not in watched(context)
        _recorded_once(site, context, outcome.incident)
        site.close()


def _recorded_once(site: Site, context: Context, incident: str) -> None:
    """One rollback and one measurement, and nothing that is still to be done."""
    case = context.open(site.slug)
    assert (case.state.phase, case.state.incident) == (Phase.ROLLED_BACK, incident)
    kinds = [entry.kind for entry in context.ledger.entries(site.slug)]
    assert kinds.count("rolled_back") == kinds.count("rollback_measured") == 1
    rollback = next(e for e in context.ledger.entries(site.slug) if e.kind == "rolled_back")
    assert [rollback.payload[name] for name in ("actor", "trigger", "reason")] == [
        "bo", "person", "smoke",
    ]  # fmt: skip
    assert reconcile(context, site.slug) == []
    assert site.slug not in watched(context)
