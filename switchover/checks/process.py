"""A child process with a time limit: its own process group, and only the end of its output."""

from __future__ import annotations

import contextlib
import os
import selectors
import signal
import subprocess
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

#: Bytes of output that are kept, from its end.
TAIL = 32768
#: Seconds between asking a group to end and killing it.
GRACE = 1.0


@dataclass(frozen=True, slots=True)
class Ended:
    """How a process ended, and the end of what it printed, in whole lines.

    ``code`` is ``None`` after the time limit, negative for a signal.
    """

    code: int | None
    output: str
    seconds: float


def run_process(
    argv: Sequence[str], directory: str, timeout: float, env: Mapping[str, str]
) -> Ended:
    """Run a program without a shell; at its end nothing of its process group is left running.

    Raises ``OSError`` when it can't be started.
    """
    began = time.monotonic()
    process = subprocess.Popen(
        list(argv),
        cwd=directory,
        env=env,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        start_new_session=True,
    )
    assert process.stdout is not None, "asked for above"
    with process.stdout:
        try:
            tail, ended = _follow(process, process.stdout.fileno(), began + timeout)
        finally:
            _end_group(process)
    code = process.returncode if ended else None
    if len(tail) == TAIL:  # a line that lost its start may show half a secret: drop it
        tail = tail.partition(b"\n")[2]
    return Ended(code, tail.decode("utf-8", "replace"), time.monotonic() - began)


def _follow(process: subprocess.Popen[bytes], pipe: int, deadline: float) -> tuple[bytes, bool]:
    """Read until the process ends or the deadline; gives the output's end, and whether it ended.

    The pipe's end is no sign: a child of the process may hold it open, or all may close it.
    """
    tail = b""
    with selectors.DefaultSelector() as selector:
        selector.register(pipe, selectors.EVENT_READ)
        while True:
            over = process.poll() is not None
            if time.monotonic() >= deadline:
                return tail, over
            if selector.get_map() and selector.select(0 if over else 0.05):
                chunk = os.read(pipe, 65536)
                tail = (tail + chunk)[-TAIL:]
                if not chunk:
                    selector.unregister(pipe)
            elif over:
                return tail, True
            elif not selector.get_map():
                time.sleep(0.02)


def _end_group(process: subprocess.Popen[bytes]) -> None:
    # ProcessLookupError: the whole group has gone, which is what we want.
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGTERM)
        with contextlib.suppress(subprocess.TimeoutExpired):  # then SIGKILL, at once
            process.wait(GRACE)
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()
