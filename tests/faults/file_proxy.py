"""A proxy that keeps its split in a file, under the real fence, and a journal of all it did."""

from __future__ import annotations

import fcntl
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from switchover.machine.snapshot import Snapshot
from switchover.ports import MeasuredShare
from switchover.routing.proxies.fence import Standing, fence


class FileProxy:
    """All proxies of one migration: implements :class:`switchover.ports.TrafficSplits`."""

    def __init__(self, file: Path) -> None:
        self._file = file

    @contextmanager
    def _locked(self) -> Iterator[list[Standing]]:
        """What it held so far. The kernel frees the lock of a killed process."""
        with self._file.open("a") as held:
            fcntl.flock(held, fcntl.LOCK_EX)
            yield self.journal()

    def journal(self) -> list[Standing]:
        """Every split that it ever had, in order."""
        if not self._file.exists():
            return []
        read = map(Standing.parse, self._file.read_text().splitlines())
        return [standing for standing in read if standing is not None]

    def apply(self, snapshot: Snapshot) -> None:
        """Split as ``snapshot`` says, unless something newer is followed."""
        with self._locked() as journal:
            held = journal[-1] if journal else None
            wanted = fence(snapshot.migration, Standing.of(snapshot), held, "the file")
            if wanted != held:
                with self._file.open("a") as file:
                    file.write(f"{wanted}\n")  # one write: a kill leaves all of it or nothing

    def measure(self) -> tuple[MeasuredShare, ...]:
        """What it does now."""
        journal = self.journal()
        return (MeasuredShare("file", journal[-1].share if journal else 0.0),)
