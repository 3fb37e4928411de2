"""`switchover rollback M` with its servers stopped, one by one and all together."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing, redirect_stderr, redirect_stdout
from dataclasses import dataclass
from io import StringIO
from pathlib import Path
from uuid import uuid4

import psutil
import pytest

import switchover
from switchover.cli.main import run
from switchover.engine.context import Context
from switchover.engine.roll_back import roll_back
from switchover.ledger import upgrade
from switchover.spool.files import FileSpool
from switchover.testing.embedded import Postgres, Valkey
from switchover.testing.embedded.ports import free_port
from switchover.wiring import build_context, load_settings
from tests.eventually import eventually
from tests.faults.journey import Site, walk

pytestmark = pytest.mark.req("R8", "INV7", "INV5")

_STAGES = [{"kind": "checks"}, {"kind": "canary", "percent": 50, "bake": "1h"}]
_PROGRAM = "from switchover.cli.main import main; main()"


@pytest.fixture(scope="module")
def servers() -> Iterator[tuple[Postgres, Valkey]]:
    """A database that may be stopped, and a Redis that forgets when it is."""
    with Postgres() as database, Valkey() as redis:
        yield database, redis


@dataclass
class Place:
    """A migration at 50 %, a router that follows it, and the command line beside it."""

    database: Postgres
    redis: Valkey
    slug: str
    directory: Path
    router: switchover.Router
    context: Context
    environment: dict[str, str]

    def begin(self, *arguments: str) -> subprocess.Popen[str]:
        """Begin a command."""
        return subprocess.Popen(
            [sys.executable, "-c", _PROGRAM, *arguments], text=True, env=self.environment,
            stdout=subprocess.PIPE, stderr=subprocess.PIPE,
        )  # fmt: skip

    def run(self, *arguments: str) -> tuple[int, str]:
        """Run a command in this process, which costs far less; its exit code, all it said."""
        said = StringIO()
        with redirect_stdout(said), redirect_stderr(said):
            code = run(list(arguments))
        return code, said.getvalue()

    def complete(self) -> None:
        """Run two commands at the same time, which find an order in the spool."""
        commands = [self.begin("list") for _ in range(2)]
        told = [command.communicate(timeout=120) for command in commands]
        assert [command.returncode for command in commands] == [0, 0], told

    def stop(self, *names: str) -> None:
        """Stop servers, or freeze Redis or the database with all its children."""
        if "database" in names:
            self.database.process.kill()
        if "stalled" in names:
            for process in self._database:
                process.suspend()
        if "redis" in names:
            self.redis.process.kill()
        if "frozen" in names:
            os.kill(self.redis.process.pid, signal.SIGSTOP)

    def mend(self, *names: str) -> None:
        """Start them again."""
        if "stalled" in names:
            for process in self._database:
                process.resume()
        if "frozen" in names:
            os.kill(self.redis.process.pid, signal.SIGCONT)
        if "redis" in names:
            self.redis.start()
        if "database" in names:
            self.database.start()

    @property
    def _database(self) -> list[psutil.Process]:
        first = psutil.Process(self.database.process.pid)
        return [first, *first.children(recursive=True)]

    @property
    def turned(self) -> bool:
        """Whether the router sends everything to legacy."""
        return all(self.router.route(f"k{n}").system == "legacy" for n in range(200))

    @property
    def rollbacks(self) -> list[str]:
        """The reasons of those on record."""
        entries = self.context.ledger.entries(self.slug)
        return [entry.payload["reason"] for entry in entries if entry.kind == "rolled_back"]

    @property
    def waiting(self) -> int:
        """How many orders wait."""
        return len(FileSpool(self.directory / "state" / "spool").orders())


@pytest.fixture
def place(
    tmp_path: Path, servers: tuple[Postgres, Valkey], monkeypatch: pytest.MonkeyPatch
) -> Iterator[Place]:
    """All well. Prefect and Slack never answer here: nothing in a rollback may need them."""
    database, redis = servers
    url = database.create_database(f"i{uuid4().hex[:8]}")
    upgrade(url)
    slug = f"i-{uuid4().hex[:8]}"
    with closing(Site(tmp_path, slug, url, redis.url, stages=_STAGES, proxies=[])) as site:
        walk(site, site.context(), stage=1)
    closed = f"http://127.0.0.1:{free_port()}"
    settings = {
        "SWITCHOVER_STATE_DIR": str(tmp_path / "state"),
        "SWITCHOVER_INCIDENTS_DIR": str(tmp_path / "incidents"),
        "SWITCHOVER_DATABASE_URL": url,
        "SWITCHOVER_REDIS_URL": redis.url,
        "SWITCHOVER_AUDIT_KEY": "key",
        "SWITCHOVER_SLACK_TOKEN": "xoxb-nobody",
        "SWITCHOVER_SLACK_API_URL": f"{closed}/api/",
        "PREFECT_API_URL": f"{closed}/api",
        "SWITCHOVER_ACTOR": "bo",
    }
    for name, value in settings.items():
        monkeypatch.setenv(name, value)
    # What does not answer is given up sooner here; how long it takes otherwise proves nothing.
    monkeypatch.setattr("switchover.connection.READ_TIMEOUT", 0.5)
    monkeypatch.setattr("switchover.ledger.patience.ANSWER_TIMEOUT", 1.0)
    with switchover.Router(slug, redis.url, max_staleness=2.0) as router:
        assert router.wait_ready(10)
        context = build_context(load_settings(settings))
        found = Place(database, redis, slug, tmp_path, router, context, {**os.environ, **settings})
        assert not found.turned
        yield found


def test_without_prefect_and_slack_it_is_recorded_at_once(place: Place) -> None:
    """Both refuse every connection: what is theirs is said, and waits in the outbox."""
    code, said = place.run("rollback", place.slug, "--reason", "smoke")
    assert code == 0, said
    assert eventually(lambda: place.turned)
    for down in ("Prefect", "Slack"):
        assert f"{down} is unavailable" in said
    assert (place.rollbacks, place.waiting) == (["smoke"], 0)


def test_without_the_database_traffic_turns_and_the_record_is_completed_once(place: Place) -> None:
    """By two commands at the same moment, when it is back."""
    place.stop("database")
    command = place.begin("rollback", place.slug, "--reason", "smoke")
    said = "".join(command.communicate(timeout=120))
    assert command.returncode == 0, said
    assert eventually(lambda: place.turned)
    assert "completes later" in said
    assert place.waiting == 1
    place.mend("database")
    place.complete()
    assert (place.rollbacks, place.waiting) == (["smoke"], 0)
    assert place.turned


def test_a_database_that_takes_statements_and_never_answers_is_given_up(place: Place) -> None:
    """Frozen, with a connection open: traffic turns, the order is kept, and the call ends."""
    assert place.rollbacks == []
    place.stop("stalled")
    try:
        outcome = roll_back(place.context, place.slug, actor="bo", trigger="person", reason="smoke")
        assert not outcome.recorded
        assert eventually(lambda: place.turned)
        assert place.waiting == 1
    finally:
        place.mend("stalled")
    assert place.run("list")[0] == 0
    assert (place.rollbacks, place.waiting) == (["smoke"], 0)


@pytest.mark.parametrize("how", ["redis", "frozen"])
def test_with_everything_down_the_order_waits_and_is_carried_out_once(
    place: Place, how: str
) -> None:
    """Exit 3 and a promise; routers turn by themselves; whoever runs next keeps the promise."""
    down = ("database", how)
    place.stop(*down)
    try:
        code, said = place.run("rollback", place.slug, "--reason", "smoke")
        assert code == 3
        assert "the order waits in" in said
        assert place.waiting == 1
        assert eventually(lambda: place.turned, 20), "a router without Redis has to turn"
        assert place.slug in place.run("spool")[1]
    finally:
        place.mend(*down)
    place.complete() if how == "redis" else place.run("list")
    assert (place.rollbacks, place.waiting) == (["smoke"], 0)
    document = place.context.routing.read(place.slug)
    assert document is not None
    assert not document.serves_candidate
    assert place.turned
    assert place.run("spool") == (0, "nothing waits\n")


def test_a_rollback_that_waits_completes_when_the_servers_are_back(place: Place) -> None:
    """`--wait` says what it waits for, stays, and ends with the usual answer."""
    down = ("database", "redis")
    place.stop(*down)
    command = place.begin("rollback", place.slug, "--reason", "smoke", "--wait", "--no-drain")
    try:
        assert command.stderr is not None
        assert any("waiting, Ctrl-C leaves the order" in line for line in command.stderr)
    finally:
        place.mend(*down)
    out, _ = command.communicate(timeout=120)
    assert command.returncode == 0
    assert f"{place.slug} is back on legacy" in out
    assert place.rollbacks == ["smoke"]
    assert place.waiting == 0
