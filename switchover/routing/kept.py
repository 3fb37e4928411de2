"""The last confirmed routing document on disk, for a restart while Redis is away."""

from __future__ import annotations

import json
import logging
import os
import time
from pathlib import Path

_log = logging.getLogger("switchover.router")

#: Seconds between two writes of an unchanged document: only its age is news.
_EVERY = 2.0


class KeptDocument:
    """A file with the last document and the moment Redis last confirmed it.

    It is replaced as a whole, so that a reader or a crash never meets half of one. A disk that
    fails is reported once and otherwise ignored: routing does not depend on it.
    """

    def __init__(self, path: str | Path) -> None:
        self._path = Path(path)
        self._written: tuple[str, float] = ("", 0.0)
        self._failed = False

    def load(self) -> tuple[str, float] | None:
        """The document and its age in seconds; ``None`` where there is none to read.

        A moment in the future makes it infinitely old: the clock can't be trusted then.
        """
        try:
            kept = json.loads(self._path.read_text(encoding="utf-8"))
            document, age = str(kept["document"]), time.time() - float(kept["confirmed_at"])
        except FileNotFoundError:
            return None
        except (OSError, ValueError, KeyError, TypeError) as error:
            _log.warning("%s holds no routing document (%s); going on without", self._path, error)
            return None
        return document, age if age >= 0 else float("inf")

    def save(self, document: str, age: float) -> None:
        """Write the document that was confirmed ``age`` seconds ago, if that is news."""
        confirmed_at = time.time() - age
        last, at = self._written
        if document == last and confirmed_at - at < _EVERY:
            return
        content = json.dumps({"document": document, "confirmed_at": confirmed_at})
        temporary = self._path.with_name(f".{self._path.name}.{os.getpid()}")
        try:
            temporary.write_text(content, encoding="utf-8")
            temporary.replace(self._path)
        except OSError as error:
            if not self._failed:
                _log.warning("the routing document can't be kept on disk: %s", error)
            self._failed = True
            return
        self._failed, self._written = False, (document, confirmed_at)
