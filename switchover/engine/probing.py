"""Probing: the probes of triggers beside the looks, in a few threads, so that no look waits."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor, wait
from dataclasses import dataclass
from threading import Lock

#: Probes that run at the same time.
THREADS = 4

#: A migration and one of its triggers.
Key = tuple[str, str]


@dataclass(frozen=True, slots=True)
class Answer:
    """A probe's result, asked ``at`` in an attempt; ``ok`` is None where it could not be asked."""

    attempt: int
    at: float
    ok: bool | None
    said: str


class Probing:
    """Asks what is started, each once at a time.

    ``patience`` is for how many seconds :meth:`finished` waits for what is still asked: none in a
    guard, which looks again in a second; some in a run that ends after its look and would lose it.
    """

    def __init__(self, patience: float = 0.0, threads: int = THREADS) -> None:
        self.patience = patience
        self._threads = threads
        self._pool: ThreadPoolExecutor | None = None
        self._asked: dict[Key, Future[Answer]] = {}
        self._lock = Lock()

    def free(self, keys: list[Key]) -> list[Key]:
        """Those of ``keys`` that can be started now: they are not asked, and threads are left."""
        with self._lock:
            left = self._threads - sum(not future.done() for future in self._asked.values())
            return [key for key in keys if key not in self._asked][: max(0, left)]

    def start(self, key: Key, ask: Callable[[], Answer]) -> None:
        """Begin to ask."""
        with self._lock:
            if self._pool is None:
                self._pool = ThreadPoolExecutor(self._threads, thread_name_prefix="probe")
            self._asked[key] = self._pool.submit(ask)

    def finished(self, migration: str) -> dict[str, Answer]:
        """The answers that have come for a migration, by trigger, each handed out once."""
        with self._lock:
            asked = {key: future for key, future in self._asked.items() if key[0] == migration}
        wait(asked.values(), timeout=self.patience)
        with self._lock:
            ended = {key: future for key, future in asked.items() if future.done()}
            mine = {
                key[1]: future.result()
                for key, future in ended.items()
                if self._asked.pop(key, None) is future
            }
        return mine
