"""The table of assessments: each system writes what it answered, in batches, once per request."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import sqlite3
from collections.abc import AsyncIterator, Mapping
from dataclasses import astuple, dataclass
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from examples.mood.service import Call

log = logging.getLogger(__name__)

SCHEMA = """
CREATE TABLE IF NOT EXISTS assessments (
    id TEXT PRIMARY KEY,
    subject TEXT NOT NULL,
    requested_at TEXT NOT NULL,
    system TEXT NOT NULL,
    shadow INTEGER NOT NULL,
    risk_score REAL NOT NULL,
    window_start TEXT NOT NULL,
    window_end TEXT NOT NULL
)"""
INSERT = "INSERT OR IGNORE INTO assessments VALUES (?, ?, ?, ?, ?, ?, ?, ?)"
EVERY_SECONDS = 0.25
#: Kept in memory at most while the file cannot be written; older ones are given up, loudly.
HELD = 50_000


@dataclass(frozen=True)
class Assessment:
    """One row; ``id`` is the request's id, so a repeated request stays one row."""

    id: str
    subject: str
    requested_at: str
    system: str
    shadow: int
    risk_score: float
    window_start: str
    window_end: str

    @classmethod
    def of(
        cls, request_id: str, system: str, shadow: bool, document: Mapping[str, Any], call: Call
    ) -> Assessment:
        """The row for an answer."""
        end = call.week.window_end
        return cls(
            request_id,
            call.week.subject,
            call.now.isoformat(),
            system,
            int(shadow),
            float(document["risk_score"]),
            (end - timedelta(days=7)).isoformat(),
            end.isoformat(),
        )


class Assessments:
    """A SQLite file that is written off the request's path. Raises ``OSError`` if unusable."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.stored = 0
        self.problem = ""
        self._waiting: list[Assessment] = []
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            self._write([])
        except sqlite3.Error as error:
            raise OSError(f"{path}: not a usable SQLite file ({error}); choose another") from error

    def add(self, assessment: Assessment) -> None:
        """Takes one row for the next batch."""
        self._waiting.append(assessment)

    @contextlib.asynccontextmanager
    async def writing(self) -> AsyncIterator[None]:
        """Writes batches meanwhile, and the rest at the end."""
        writer = asyncio.create_task(self._keep_writing())
        try:
            yield
        finally:
            writer.cancel()
            await asyncio.gather(writer, return_exceptions=True)
            await self._flush()

    async def _keep_writing(self) -> None:
        while True:
            await asyncio.sleep(EVERY_SECONDS)
            await asyncio.shield(self._flush())

    async def _flush(self) -> None:
        batch, self._waiting = self._waiting, []
        if not batch:
            return
        try:
            await asyncio.to_thread(self._write, batch)
            self.problem = ""
        except sqlite3.Error as error:
            self.problem = f"cannot write {self.path}: {error}"
            log.warning("%s; %d rows wait", self.problem, len(batch))
            lost = max(0, len(batch) + len(self._waiting) - HELD)
            if lost:
                log.error("%s: gave up %d rows", self.path, lost)
            self._waiting = batch[lost:] + self._waiting

    def _write(self, batch: list[Assessment]) -> None:
        with contextlib.closing(sqlite3.connect(self.path, timeout=5)) as connection, connection:
            if not batch:
                connection.execute("PRAGMA journal_mode=WAL")
                connection.execute(SCHEMA)
            before = connection.total_changes
            connection.executemany(INSERT, [astuple(row) for row in batch])
            self.stored += connection.total_changes - before
