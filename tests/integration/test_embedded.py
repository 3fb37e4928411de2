"""The embedded servers are real, private, keep what they are told to keep, and go away."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import psutil
import psycopg
import pytest
import redis

from switchover.errors import DependencyUnavailable
from switchover.testing.embedded import Postgres, Valkey
from switchover.testing.embedded.ports import endpoint_of, write_private
from switchover.testing.embedded.process import ServerProcess

ROOT = Path(__file__).parents[2]
OWNER = """
import sys, time
from switchover.testing.embedded import Postgres, Valkey
valkey, postgres = Valkey().start(), Postgres().start()
print(valkey.process.pid, postgres.process.pid, flush=True)
time.sleep(600)
"""
PARENT_WITH_CHILD = (
    "import subprocess, sys, time\n"
    "child = subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(600)'])\n"
    "print(child.pid, flush=True)\n"
    "time.sleep(600)\n"
)


def psycopg_url(url: str) -> str:
    """The libpq form of a SQLAlchemy URL."""
    return url.replace("postgresql+psycopg://", "postgresql://")


def wait_until_gone(pid: int, timeout: float = 30) -> bool:
    """Whether the process ends within the time; a zombie that nobody reaps counts as ended."""
    deadline = time.monotonic() + timeout
    while time.monotonic() < deadline:
        if not psutil.pid_exists(pid) or psutil.Process(pid).status() == psutil.STATUS_ZOMBIE:
            return True
        time.sleep(0.05)
    return False


def first_line(file: Path, timeout: float = 30) -> str:
    """The first line of a log, once it is there."""
    deadline = time.monotonic() + timeout
    while time.monotonic() < deadline:
        if file.exists() and "\n" in file.read_text():
            return file.read_text().splitlines()[0]
        time.sleep(0.05)
    raise AssertionError(f"{file} stayed empty")


def test_valkey_asks_for_its_password(redis_url: str) -> None:
    """Without the password no command is served."""
    address = redis_url.rpartition("@")[2]
    with (
        redis.Redis.from_url(f"redis://{address}") as stranger,
        pytest.raises(redis.AuthenticationError),
    ):
        stranger.ping()


def test_valkey_shows_its_password_on_no_command_line(tmp_path: Path) -> None:
    """The password is in a file that only the owner can read, never in the process list."""
    with Valkey(tmp_path) as server:
        secret = server.url.split(":")[2].partition("@")[0]
        seen = [
            " ".join(psutil.Process(pid).cmdline())
            for pid in (server.process.pid, server.process.supervisor_pid)
        ]
    assert not any(secret in command for command in seen)
    config = tmp_path / "valkey.conf"
    assert secret in config.read_text()
    assert config.stat().st_mode & 0o077 == 0


def test_valkey_with_a_directory_keeps_data_and_address_over_sigkill(tmp_path: Path) -> None:
    """A killed server comes back at the same URL with what was written."""
    server = Valkey(tmp_path / "a folder").start()
    url = server.url
    with redis.Redis.from_url(url) as client:
        client.config_set("appendfsync", "always")
        client.set("kept", "yes")
    server.process.kill()
    assert not server.process.running
    with server as again, redis.Redis.from_url(again.url) as client:
        assert again.url == url
        assert client.get("kept") == b"yes"


def test_postgres_refuses_a_wrong_password(postgres: Postgres) -> None:
    """Loopback alone opens nothing."""
    url = psycopg_url(postgres.url()).replace("switchover:", "switchover:x")
    with pytest.raises(psycopg.OperationalError, match="password authentication failed"):
        psycopg.connect(url)


def test_postgres_does_not_run_as_root(postgres: Postgres) -> None:
    """Whoever starts it, the server has no root identity."""
    assert psutil.Process(postgres.process.pid).uids().effective != 0


def test_create_database_gives_the_same_database_again(postgres: Postgres) -> None:
    """Asking twice creates once, and the data is still there."""
    url = postgres.create_database("asked_twice")
    with psycopg.connect(psycopg_url(url)) as connection:
        connection.execute("CREATE TABLE IF NOT EXISTS note (text TEXT)")
        connection.execute("INSERT INTO note VALUES ('here')")
    assert postgres.create_database("asked_twice") == url
    with psycopg.connect(psycopg_url(url)) as connection:
        assert connection.execute("SELECT text FROM note").fetchone() == ("here",)


def test_postgres_database_is_empty_for_each_test(postgres_database: str) -> None:
    """The fixture's database holds no table of anybody else."""
    with psycopg.connect(psycopg_url(postgres_database)) as connection:
        tables = "SELECT count(*) FROM pg_tables WHERE schemaname = 'public'"
        assert connection.execute(tables).fetchone() == (0,)


@pytest.mark.parametrize("folder", [None, ("a long name " * 10).strip()])
def test_postgres_keeps_data_and_address_over_sigkill(tmp_path: Path, folder: str | None) -> None:
    """A killed server recovers at the same URL with all commits, however long its path is."""
    server = Postgres(tmp_path / folder if folder else None).start()
    url = psycopg_url(server.url())
    with psycopg.connect(url) as connection:
        connection.execute("CREATE TABLE note AS SELECT 'yes' AS text")
    server.process.kill()
    with server as again:
        assert psycopg_url(again.url()) == url
        with psycopg.connect(url) as connection:
            assert connection.execute("SELECT text FROM note").fetchone() == ("yes",)


def test_name_searches_find_every_row_though_their_index_is_a_stand_in(
    postgres_database: str,
) -> None:
    """An index with gin_trgm_ops can be made and never changes an answer."""
    with psycopg.connect(psycopg_url(postgres_database), autocommit=True) as connection:
        connection.execute("CREATE EXTENSION pg_trgm")
        connection.execute("CREATE TABLE run (id SERIAL PRIMARY KEY, name VARCHAR)")
        connection.execute("INSERT INTO run (name) SELECT 'a' || n FROM generate_series(1, 500) n")
        connection.execute("CREATE INDEX ON run USING gin (name gin_trgm_ops)")
        connection.execute("INSERT INTO run (name) SELECT 'b' || n FROM generate_series(1, 500) n")
        connection.execute("UPDATE run SET name = name || 'x' WHERE id % 10 = 0")
        connection.execute("SET enable_seqscan = off")
        found = connection.execute("SELECT count(*) FROM run WHERE name ILIKE '%0X'").fetchone()
    assert found == (100,)


def test_stop_leaves_no_process_behind(tmp_path: Path) -> None:
    """Servers, supervisors and all their children are gone when stop returns."""
    server = Postgres(tmp_path / "data").start()
    pids = [p.pid for p in psutil.Process(server.process.supervisor_pid).children(recursive=True)]
    pids.append(server.process.supervisor_pid)
    assert len(pids) > 2  # the postmaster has children of its own
    server.stop()
    assert all(wait_until_gone(pid) for pid in pids)


def test_servers_end_with_an_owner_that_is_killed() -> None:
    """SIGKILL of the owner leaves neither server running."""
    with subprocess.Popen(
        [sys.executable, "-c", OWNER], stdout=subprocess.PIPE, text=True, cwd=ROOT
    ) as owner:
        assert owner.stdout is not None
        pids = [int(pid) for pid in owner.stdout.readline().split()]
        assert len(pids) == 2
        owner.send_signal(signal.SIGKILL)
        assert all(wait_until_gone(pid) for pid in pids)


@pytest.mark.parametrize("way", ["stop", "kill"])
def test_a_servers_children_end_with_it(tmp_path: Path, way: str) -> None:
    """Whether it is stopped or killed, what it started is not left running."""
    log = tmp_path / "log"
    server = ServerProcess("Parent", [sys.executable, "-c", PARENT_WITH_CHILD], log=log)
    server.start()
    child = int(first_line(log))
    server.stop() if way == "stop" else server.kill()
    assert wait_until_gone(child)


@pytest.mark.skipif(sys.platform != "linux", reason="the death signal is Linux's")
def test_a_server_ends_with_its_supervisor_killed(tmp_path: Path) -> None:
    """Not even SIGKILL of the supervisor leaves the server running."""
    server = Valkey(tmp_path).start()
    pid = server.process.pid
    os.kill(server.process.supervisor_pid, signal.SIGKILL)
    assert wait_until_gone(pid)
    server.stop()


def test_a_server_that_ignores_its_stop_signal_is_killed(tmp_path: Path) -> None:
    """After the grace time SIGKILL ends it."""
    deaf = "import signal, time; signal.signal(15, signal.SIG_IGN); print('up', flush=True)"
    log = tmp_path / "log"
    command = [sys.executable, "-c", f"{deaf}; time.sleep(600)"]
    server = ServerProcess("Deaf", command, log=log, grace=0.2)
    server.start()
    assert first_line(log) == "up"
    pid = server.pid
    server.stop()
    assert wait_until_gone(pid)


def test_a_server_that_fails_to_start_is_reported_with_its_last_words(tmp_path: Path) -> None:
    """The error names the server and carries the end of its log."""
    command = [sys.executable, "-c", "import sys; sys.exit('no room on this ship')"]
    server = ServerProcess("Ark", command, log=tmp_path / "log")
    server.start()
    with pytest.raises(DependencyUnavailable, match=r"Ark is unavailable: .*no room on this ship"):
        server.wait_until(lambda: False, timeout=30)


def test_a_program_that_does_not_exist_is_reported(tmp_path: Path) -> None:
    """A missing program is an unavailable dependency and not a traceback from a child."""
    server = ServerProcess("Ghost", [str(tmp_path / "no-such-program")], log=tmp_path / "log")
    with pytest.raises(
        DependencyUnavailable, match=r"Ghost is unavailable: .*could not be started"
    ):
        server.start()


def test_an_endpoint_stays_and_is_readable_by_its_owner_only(tmp_path: Path) -> None:
    """The same directory gives the same port and secret, from a private file."""
    first = endpoint_of(tmp_path)
    assert endpoint_of(tmp_path) == first
    assert (tmp_path / "endpoint.json").stat().st_mode & 0o077 == 0
    assert endpoint_of(tmp_path, port=first.port + 1).secret == first.secret


def test_write_private_closes_a_file_that_was_open_to_all(tmp_path: Path) -> None:
    """An existing file loses its wide permissions before the secret goes in."""
    file = tmp_path / "secret"
    file.write_text("old and long")
    file.chmod(0o666)
    write_private(file, "new")
    assert file.read_text() == "new"
    assert file.stat().st_mode & 0o077 == 0
