"""The spool as files: one for each order, written whole or not at all, for its owner only."""

from __future__ import annotations

import fcntl
import json
import logging
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import quote

from switchover.errors import DependencyUnavailable
from switchover.ports import Order

_log = logging.getLogger("switchover.spool")


class FileSpool:
    """Orders in ``directory``, which is made when the first one comes.

    ``servers`` are the addresses of Redis and the database. An order that was given for two others
    is not ours: a command run for staging in production's directory would carry it out there.
    """

    def __init__(self, directory: Path, servers: tuple[str, str] | None = None) -> None:
        self._directory, self._servers = directory, servers
        self._told: set[str] = set()

    def put(self, order: Order) -> str:
        """Write it beside its place, make sure that it is on disk, and move it there."""
        path = self._path(order)
        # Of this process: another one may write the same order at the same time.
        fresh = path.with_suffix(f".{os.getpid()}.new")
        try:
            self._directory.mkdir(mode=0o700, parents=True, exist_ok=True)
            fresh.unlink(missing_ok=True)  # what a crashed process of the same number left
            opened = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
            with os.fdopen(opened, "w", encoding="utf-8") as file:
                file.write(json.dumps({**json.loads(order.to_json()), "servers": self._servers}))
                file.flush()
                os.fsync(opened)
            fresh.replace(path)
            self._sync()
        except OSError as error:
            raise self._unavailable(error) from error
        return str(path)

    def orders(self, migration: str = "") -> list[Order]:
        """Those that can be read; the others are logged, once: a guard asks every second."""
        found, faults = self._read(migration)
        for fault in faults:
            if fault not in self._told:
                _log.warning("%s", fault)
        self._told |= set(faults)
        return [order for order in found if migration in ("", order.migration)]

    def unreadable(self) -> list[str]:
        """What lies there and can't be read."""
        return self._read()[1]

    @contextmanager
    def claim(self, order: Order) -> Iterator[bool]:
        """A lock of the kernel on the order's file, which a process that dies gives back."""
        try:
            file = self._path(order).open("rb")
        except FileNotFoundError:
            yield False
            return
        except OSError as error:
            raise self._unavailable(error) from error
        with file:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                yield False
                return
            # It may have been carried out, and be gone, between our opening and our lock.
            yield os.fstat(file.fileno()).st_nlink > 0

    def remove(self, order: Order) -> None:
        """Forget it, for good."""
        try:
            self._path(order).unlink(missing_ok=True)
            if self._directory.exists():
                self._sync()
        except OSError as error:
            raise self._unavailable(error) from error

    def _read(self, migration: str = "") -> tuple[list[Order], list[str]]:
        found, faults = [], list[str]()
        # Told by their names: a sweep asks for each of many migrations.
        first = f"rollback-{quote(migration, safe='')}-" if migration else ""
        try:
            # Not by glob, which finds nothing in a directory that it may not read.
            names = sorted(os.listdir(self._directory))  # noqa: PTH208 — names are all it takes
        except (FileNotFoundError, NotADirectoryError):
            return [], []  # nothing was ever kept there
        except OSError as error:
            return [], [f"{self._directory}: {error}; orders to roll back may wait there"]
        for name in names:
            if not (name.startswith(first) and name.endswith(".json")):
                continue
            path = self._directory / name
            try:
                text = path.read_text(encoding="utf-8")
                order = Order.from_json(text)
                if self._path(order) != path:
                    # It could be neither claimed nor removed, and would wait for ever.
                    raise ValueError(f"it holds the order {order.halt.id}, a copy under this name")
                if foreign := self._foreign(json.loads(text).get("servers")):
                    faults.append(f"{path}: an order for {foreign}: run `switchover list` for it")
                    continue
                found.append(order)
            except FileNotFoundError:
                continue  # somebody has just carried it out
            except (OSError, ValueError) as error:
                faults.append(f"{path}: {error}; roll that migration back again, and delete it")
        return sorted(found, key=lambda order: order.halt.at), faults

    def _foreign(self, servers: Any) -> str:
        """Whose order it is, if both servers are others: one of them may have moved since."""
        if not (self._servers and isinstance(servers, list) and len(servers) == 2):
            return ""
        same = any(one == other for one, other in zip(servers, self._servers, strict=True))
        return "" if same else f"{servers[0]} and {servers[1]}"

    def _path(self, order: Order) -> Path:
        # Quoted: a flow takes a migration's name as it was typed.
        name, migration = order.halt.id, order.migration
        named = name if name.startswith(f"{migration}-") else f"{migration}-{name}"
        return self._directory / f"rollback-{quote(named, safe='')}.json"

    def _sync(self) -> None:
        opened = os.open(self._directory, os.O_RDONLY)
        try:
            os.fsync(opened)
        finally:
            os.close(opened)

    def _unavailable(self, error: OSError) -> DependencyUnavailable:
        return DependencyUnavailable("spool", f"{self._directory}: {error.strerror or error}")
