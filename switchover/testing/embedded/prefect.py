"""A private Prefect server and a process worker, with the settings that make runs start fast."""

from __future__ import annotations

import base64
import json
import os
import sys
import urllib.request
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from switchover.testing.embedded.ports import LOOPBACK, Endpoint, endpoint_of
from switchover.testing.embedded.process import ServerProcess
from switchover.testing.embedded.server import EmbeddedServer

USER = "switchover"

# As the job variable ``command`` of a deployment this halves the start of a flow run: without
# it the process worker first starts a process that prepares a workspace, then another for the
# flow, and each imports Prefect.
FLOW_RUN_COMMAND = "python -m prefect.engine"


def client_settings(home: Path, endpoint: Endpoint) -> dict[str, str]:
    """The environment of a process that talks to the server: flows, workers, ``prefect deploy``."""
    return {
        "PREFECT_HOME": str(home),
        "PREFECT_API_URL": f"http://{LOOPBACK}:{endpoint.port}/api",
        "PREFECT_API_AUTH_STRING": f"{USER}:{endpoint.secret}",
        "PREFECT_SERVER_EPHEMERAL_ENABLED": "false",
        "PREFECT_SERVER_ANALYTICS_ENABLED": "false",
        "DO_NOT_TRACK": "1",
        "GX_ANALYTICS_ENABLED": "false",
        "PREFECT_CLI_PROMPT": "false",
    }


class PrefectServer(EmbeddedServer):
    """A Prefect server on ``database_url`` (asyncpg), with a random credential.

    ``env`` is what clients and workers need in their environment; `api_url`, `ui_url` and
    `auth` (``user:password``) are its parts. Prefect's own state is in the database.
    """

    def __init__(
        self,
        database_url: str,
        directory: Path | None = None,
        *,
        port: int | None = None,
        tied: bool = True,
    ) -> None:
        super().__init__(directory, port=port, tied=tied)
        self._database_url = database_url
        self._endpoint = Endpoint(0, "")
        self.env: dict[str, str] = {}

    @property
    def api_url(self) -> str:
        """Where clients go."""
        return f"http://{LOOPBACK}:{self._endpoint.port}/api"

    @property
    def ui_url(self) -> str:
        """Where people go."""
        return f"http://{LOOPBACK}:{self._endpoint.port}"

    @property
    def auth(self) -> str:
        """The credential that the API and the UI ask for."""
        return f"{USER}:{self._endpoint.secret}"

    def launch(self) -> Self:
        """Start without waiting; `wait` does that. Its 10 s are good for other things."""
        home = self.directory
        self._endpoint = endpoint_of(home, self._port)
        self.env = client_settings(home, self._endpoint)
        settings = {
            "PREFECT_SERVER_DATABASE_CONNECTION_URL": self._database_url,
            "PREFECT_SERVER_API_HOST": LOOPBACK,
            # By setting and not by option: the UI calls the port that the setting names.
            "PREFECT_SERVER_API_PORT": str(self._endpoint.port),
            "PREFECT_SERVER_API_AUTH_STRING": self.auth,
            "PREFECT_SERVER_UI_STATIC_DIRECTORY": str(home / "ui"),  # by default in the package
            "PREFECT_SERVER_UI_V2_ENABLED": "false",  # V2 calls outside addresses
            "PREFECT_SERVER_CONCURRENCY_LEASE_STORAGE": (
                "prefect.server.concurrency.lease_storage.filesystem"
            ),
            "PREFECT_SERVER_LOGGING_LEVEL": "WARNING",
        }
        self._process = ServerProcess(
            "Prefect server",
            [sys.executable, "-m", "prefect", "server", "start"],
            log=home / "server.log",
            env={**self.env, **settings},
            tied=self._tied,
        )
        self._process.start()
        return self

    def wait(self, timeout: float = 120) -> Self:
        """Wait until the server answers; raises `DependencyUnavailable` if it does not."""
        self.process.wait_until(
            lambda: _is_there(f"{self.api_url}/health", self.auth), timeout, every=0.1
        )
        return self

    def start(self) -> Self:
        """Start, and wait until it answers."""
        return self.launch().wait()


class PrefectWorker:
    """The process worker of ``pool`` (made when missing) that runs at most ``limit`` flows.

    ``server_env`` is `PrefectServer.env`; ``env`` comes on top and reaches the flow runs;
    the attribute `env` is the whole of what they get. Flow code is found from ``cwd``.
    ``nice`` keeps the runs from starving the services they watch. Stopping it kills its
    flow runs; the ledger makes that safe.
    """

    def __init__(
        self,
        server_env: Mapping[str, str],
        *,
        pool: str = "switchover",
        limit: int = 4,
        env: Mapping[str, str] | None = None,
        cwd: Path | None = None,
        nice: int = 5,
        tied: bool = True,
        options: Sequence[str] = (),
    ) -> None:
        root = cwd or Path.cwd()
        home = Path(server_env["PREFECT_HOME"])
        scratch = home / "tmp"  # Prefect's fixed name in /tmp would belong to whoever came first
        scratch.mkdir(exist_ok=True)
        settings = {
            "TMPDIR": str(scratch),
            "PYTHONPATH": _prepended(root, "PYTHONPATH"),  # deployments name flows as module paths
            "PATH": _prepended(Path(sys.executable).parent, "PATH"),  # for `FLOW_RUN_COMMAND`
            "PREFECT_WORKER_QUERY_SECONDS": "0.5",
        }
        command = [
            *(sys.executable, "-m", "prefect", "worker", "start"),
            *("--pool", pool, "--type", "process", *options),
        ]
        self.env = {**os.environ, **server_env, **settings, **(env or {})}
        self._pool, self._limit, self._server_env = pool, limit, dict(server_env)
        self.process = ServerProcess(
            "Prefect worker",
            command,
            log=home / f"worker-{pool}.log",
            env=self.env,
            cwd=root,
            grace=20,
            nice=nice,
            tied=tied,
        )

    def start(self) -> Self:
        """Start it; runs that are due are picked up once it is up, some seconds later.

        Runs that a killed worker left behind begin again: for Prefect they would stay
        running for ever, and hold their place in the pool.
        """
        if not self.process.running:
            self._reschedule()
        self.process.start()
        return self

    def _reschedule(self) -> None:
        api = self._server_env["PREFECT_API_URL"]
        auth = self._server_env["PREFECT_API_AUTH_STRING"]
        criteria = {
            "work_pools": {"name": {"any_": [self._pool]}},
            "flow_runs": {"state": {"type": {"any_": ["RUNNING", "PENDING"]}}},
        }
        if not _is_there(f"{api}/work_pools/{self._pool}", auth):
            return  # a new pool has no runs
        for run in _post(f"{api}/flow_runs/filter", auth, criteria):
            message = "its worker was killed; it begins again"
            state = {"type": "SCHEDULED", "name": "AwaitingRetry", "message": message}
            _post(f"{api}/flow_runs/{run['id']}/set_state", auth, {"state": state, "force": True})

    def wait(self, timeout: float = 60) -> Self:
        """Wait until the work pool exists, which ``prefect deploy`` needs, and limit it.

        The limit is the pool's and not the worker's own (``--limit``): with that one, a run
        resumed before its suspended process has ended takes the whole worker down
        (Prefect 3.8: "this borrower is already holding one of this CapacityLimiter's tokens").
        """
        address = f"{self._server_env['PREFECT_API_URL']}/work_pools/{self._pool}"
        auth = self._server_env["PREFECT_API_AUTH_STRING"]
        self.process.wait_until(lambda: _is_there(address, auth), timeout, every=0.1)
        body = json.dumps({"concurrency_limit": self._limit}).encode()
        with urllib.request.urlopen(_request(address, auth, "PATCH", body), timeout=10):
            return self

    def stop(self) -> None:
        """Stop the worker and the flow runs it has started."""
        self.process.stop()

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.stop()


def _prepended(first: Path, name: str) -> str:
    """The path list of the environment variable ``name`` with ``first`` before the rest."""
    return os.pathsep.join(filter(None, [str(first), os.environ.get(name, "")]))


def _is_there(address: str, auth: str) -> bool:
    """Whether the server answers a GET with success."""
    try:
        with urllib.request.urlopen(_request(address, auth), timeout=2) as answer:
            return bool(answer.status == 200)
    except OSError:  # not listening yet, too slow yet, or not found yet
        return False


def _post(address: str, auth: str, document: Mapping[str, Any]) -> Any:
    """The JSON answer to a document."""
    request = _request(address, auth, "POST", json.dumps(document).encode())
    with urllib.request.urlopen(request, timeout=10) as answer:
        return json.load(answer)


def _request(
    address: str, auth: str, method: str = "GET", body: bytes | None = None
) -> urllib.request.Request:
    token = base64.b64encode(auth.encode()).decode()
    headers = {"Authorization": f"Basic {token}", "Content-Type": "application/json"}
    return urllib.request.Request(address, data=body, headers=headers, method=method)
