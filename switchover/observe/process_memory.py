"""The resident memory of a process, from what every POSIX system tells."""

from __future__ import annotations

import os
from pathlib import Path

from switchover.errors import InputError

_PROC = Path("/proc")


def resident_bytes(pid: int | None = None) -> float:
    """Bytes of memory that the process holds, by default this one.

    Raises ``ProcessLookupError`` when there is no such process, and ``InputError`` where the
    system does not tell.
    """
    number = os.getpid() if pid is None else pid
    if (_PROC / "self" / "statm").exists():
        try:
            pages = int((_PROC / str(number) / "statm").read_text().split()[1])
        except FileNotFoundError:
            pages = 0
        # A process that has ended and was not waited for holds nothing.
        size = float(pages * os.sysconf("SC_PAGE_SIZE"))
    else:
        size = _from_ps(number)
    if not size:
        raise ProcessLookupError(f"there is no process {number}")
    return size


def _from_ps(number: int) -> float:
    import subprocess

    try:
        found = subprocess.run(
            ["ps", "-o", "rss=", "-p", str(number)], capture_output=True, text=True, timeout=5
        )
    except (OSError, subprocess.SubprocessError) as error:
        raise InputError(f"the memory of process {number} can't be read: {error}") from error
    return float(found.stdout.strip() or 0) * 1024
