"""The report file of an incident: one per incident, written whole or not at all."""

from __future__ import annotations

import fcntl
import os
import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from uuid import uuid4

from switchover.errors import DependencyUnavailable
from switchover.incidents.markdown import marker, refreshed, render
from switchover.incidents.record import Incident

#: How bytes that are not UTF-8 survive being read and written.
_FOREIGN = "surrogateescape"


def write_report(directory: Path | str, incident: Incident, plot: str = "") -> Path:
    """Write or refresh ``YYYY-MM-DD-<migration>[-n].md`` and return its path.

    Safe to repeat: an incident keeps its file, whatever its name is by now, and what people
    wrote in it. ``plot`` is the name of a picture beside it. Raises ``DependencyUnavailable``
    when the directory can't be written.
    """
    folder = Path(directory)
    with _writable(folder):
        folder.mkdir(parents=True, exist_ok=True)
        with _alone_in(folder):
            path = report_path(folder, incident.id)
            if path is None:
                path = _free_name(folder, incident)
                _write_whole(path, render(incident, plot))
            else:
                # As bytes: line ends and characters that an editor chose stay as they are.
                before = path.read_bytes().decode("utf-8", _FOREIGN)
                after = refreshed(before, incident, plot)
                if after != before:
                    _write_whole(path, after)
    return path


def write_picture(directory: Path | str, name: str, png: bytes) -> Path:
    """Write or replace the picture that a report shows; raises as :func:`write_report`."""
    folder = Path(directory)
    path = folder / name
    with _writable(folder):
        folder.mkdir(parents=True, exist_ok=True)
        _replace(path, png)
    return path


def write_page(directory: Path | str, name: str, text: str) -> Path:
    """Write or replace a page that people don't write in; raises as :func:`write_report`."""
    return write_picture(directory, name, text.encode())


@contextmanager
def _writable(folder: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise DependencyUnavailable(
            "the incident directory", f"{error}; check that {folder} can be written"
        ) from error


def report_path(directory: Path | str, incident_id: str) -> Path | None:
    """The file of an incident, found by the id in it, so that people may rename it."""
    wanted = marker(incident_id)
    for path in sorted(Path(directory).glob("*.md")):
        with path.open(encoding="utf-8", errors="replace") as file:
            # People may put front matter above it; further down it would be a quotation.
            if any(line.strip() == wanted for line, _ in zip(file, range(40), strict=False)):
                return path
    return None


def _free_name(folder: Path, incident: Incident) -> Path:
    slug = re.sub(r"[^a-z0-9]+", "-", incident.migration.lower()).strip("-") or "incident"
    stem = f"{incident.opened_at:%Y-%m-%d}-{slug}"
    path, number = folder / f"{stem}.md", 1
    while path.exists():
        number += 1
        path = folder / f"{stem}-{number}.md"
    return path


def _write_whole(path: Path, text: str) -> None:
    _replace(path, text.encode("utf-8", _FOREIGN))


def _replace(path: Path, content: bytes) -> None:
    """Replace by renaming: a reader, and a crash, see the old file or the new one."""
    temporary = path.with_name(f".{path.name}.{uuid4().hex}")
    try:
        with temporary.open("xb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)


@contextmanager
def _alone_in(folder: Path) -> Iterator[None]:
    """Keep two writers from taking one name, or from making two files for one incident."""
    handle = os.open(folder, os.O_RDONLY)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX)
        yield
    finally:
        os.close(handle)
