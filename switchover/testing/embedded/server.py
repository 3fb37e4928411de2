"""What every embedded server has: a directory, a process, and an end."""

from __future__ import annotations

import tempfile
from abc import ABC, abstractmethod
from pathlib import Path
from types import TracebackType
from typing import Self

from switchover.testing.embedded.process import ServerProcess


class EmbeddedServer(ABC):
    """A server on loopback. Use it as a context manager, or with `start` and `stop`.

    With a ``directory`` its data, port and secret stay there; without one they live in a
    temporary directory until `stop`. Either way `start` after a kill brings it back at the
    same address. ``port`` overrides the kept one; ``tied`` is told in `ServerProcess`.
    """

    def __init__(
        self, directory: Path | None = None, *, port: int | None = None, tied: bool = True
    ) -> None:
        self.keeps = directory is not None
        self._given, self._port, self._tied = directory, port, tied
        self._temporary: tempfile.TemporaryDirectory[str] | None = None
        self._process: ServerProcess | None = None

    @abstractmethod
    def start(self) -> Self:
        """Start, and wait until it answers; raises `DependencyUnavailable` if it does not."""

    @property
    def process(self) -> ServerProcess:
        """The running process."""
        assert self._process is not None, "start it first"
        return self._process

    @property
    def directory(self) -> Path:
        """Where the server keeps its files; made on first use."""
        if self._given is not None:
            self._given.mkdir(parents=True, exist_ok=True)
            return self._given.absolute()
        if self._temporary is None:
            self._temporary = tempfile.TemporaryDirectory(prefix="switchover-")
        return Path(self._temporary.name)

    def stop(self) -> None:
        """Stop the server; a temporary directory goes with it."""
        if self._process is not None:
            self._process.stop()
        if self._temporary is not None:
            self._temporary.cleanup()
            self._temporary = None

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.stop()
