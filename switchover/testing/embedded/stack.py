"""All embedded servers together: Valkey, PostgreSQL, Prefect and a worker, with flows deployed."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from types import TracebackType
from typing import Self

from switchover.errors import DependencyUnavailable, InputError
from switchover.testing.embedded.postgres import Postgres
from switchover.testing.embedded.prefect import PrefectServer, PrefectWorker
from switchover.testing.embedded.valkey import Valkey

#: Called with a sentence before each part is started.
Progress = Callable[[str], None]


def project_root(start: Path | None = None) -> Path:
    """The folder with ``prefect.yaml`` and ``flows/``, from ``start`` upward.

    Raises ``InputError`` outside a checkout: the flows are no part of the wheel.
    """
    begin = (start or Path.cwd()).absolute()
    for folder in (begin, *begin.parents):
        if (folder / "prefect.yaml").is_file() and (folder / "flows").is_dir():
            return folder
    raise InputError(
        f"{begin} is not inside a checkout of Switchover (no prefect.yaml with flows/ beside it); "
        "change into one"
    )


def deploy(root: Path, env: Mapping[str, str]) -> None:
    """Deploy every flow of ``prefect.yaml`` to the server that ``env`` names.

    Raises ``DependencyUnavailable`` with Prefect's last words when it fails.
    """
    done = subprocess.run(
        [sys.executable, "-m", "prefect", "--no-prompt", "deploy", "--all"],
        cwd=root,
        env={**os.environ, **env, "PYTHONPATH": str(root)},
        capture_output=True,
        text=True,
        timeout=180,
        check=False,
    )
    if done.returncode != 0:
        words = (done.stdout + done.stderr).strip().splitlines() or ["it gave no reason"]
        raise DependencyUnavailable(
            "Prefect",
            f"the deployment failed: {words[-1].strip()}; `prefect deploy --all` in {root} "
            "tells the whole story",
        )


class Stack:
    """Everything a migration needs, on loopback, kept in ``state_dir``.

    ``worker_env`` reaches the flow runs. ``env`` is what other commands need; it is there
    after :meth:`start`. Stopping ends every process; data and addresses stay.
    """

    def __init__(
        self,
        state_dir: Path,
        root: Path | None = None,
        *,
        worker_env: Mapping[str, str] | None = None,
        limit: int = 4,
    ) -> None:
        self.root = root or project_root()
        self.state_dir = state_dir.absolute()
        self.valkey = Valkey(self.state_dir / "valkey")
        self.postgres = Postgres(self.state_dir / "postgres")
        self.worker_env = dict(worker_env or {})
        self.limit = limit
        self.server: PrefectServer | None = None
        self.worker: PrefectWorker | None = None
        self.env: dict[str, str] = {}

    def start(self, progress: Progress = lambda sentence: None) -> Self:
        """Start all parts in turn and deploy the flows; about 20 s."""
        self.launch(progress)
        return self.finish(progress)

    def launch(self, progress: Progress = lambda sentence: None) -> Self:
        """Start the databases and let the Prefect server begin, without waiting for it."""
        from switchover.ledger.schema import upgrade

        progress("starting Valkey and PostgreSQL")
        self.state_dir.mkdir(parents=True, exist_ok=True)
        self.valkey.start()
        self.postgres.start()
        ledger = self.postgres.create_database("switchover")
        progress("starting the Prefect server")
        database = self.postgres.create_database("prefect", driver="asyncpg")
        self.server = PrefectServer(database, self.state_dir / "prefect").launch()
        upgrade(ledger)
        self.env = {
            **self.server.env,
            "SWITCHOVER_STATE_DIR": str(self.state_dir),
            "SWITCHOVER_DATABASE_URL": ledger,
            "SWITCHOVER_REDIS_URL": self.valkey.url,
            # One place for commands and flow runs, whatever folder each of them runs in.
            "SWITCHOVER_INCIDENTS_DIR": os.environ.get(
                "SWITCHOVER_INCIDENTS_DIR", str(self.state_dir / "incidents")
            ),
        }
        return self

    def finish(self, progress: Progress = lambda sentence: None) -> Self:
        """Wait for the Prefect server, start the worker and deploy the flows."""
        if self.server is None:
            raise RuntimeError("launch the stack first")
        self.server.wait()
        progress("starting the worker and deploying the flows")
        self.worker = PrefectWorker(
            self.server.env,
            limit=self.limit,
            env={**self.env, **self.worker_env},
            cwd=self.root,
        ).start()
        self.worker.wait()
        deploy(self.root, self.env)
        return self

    def revive(self) -> list[str]:
        """Start again every part whose process has ended; gives their names.

        They come back at the same addresses with what they had committed. Raises
        ``DependencyUnavailable`` for a part that does not start any more.
        """
        parts = (self.valkey, self.postgres, self.server, self.worker)
        ended = [part for part in parts if part is not None and not part.process.running]
        for part in ended:
            part.stop()
            part.start()
        return [part.process.name for part in ended]

    def stop(self) -> None:
        """Stop every process, the worker first."""
        for part in (self.worker, self.server, self.valkey, self.postgres):
            if part is not None:
                part.stop()

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.stop()
