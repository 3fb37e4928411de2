"""Run one server and never outlive its owner: a stand-alone script, standard library only.

The owner starts it as ``python -I -S supervise.py SPEC`` in a session of its own and holds
the other end of its standard input, the leash. When the owner goes away, even by SIGKILL,
the leash reads end-of-file and the server is stopped together with all it has started.
SPEC is a JSON object: command, log, stop_signal, grace (seconds), tied, account.
"""

from __future__ import annotations

import ctypes
import json
import os
import select
import signal
import struct
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

PR_SET_PDEATHSIG, PR_SET_KEEPCAPS, PR_CAP_AMBIENT, PR_CAP_AMBIENT_RAISE = 1, 8, 47, 2
PR_SET_CHILD_SUBREAPER = 36
CAP_DAC_OVERRIDE = 1
CAPABILITY_VERSION_3 = 0x20080522


def become(account: str) -> None:
    """Give up root for ``account``, keeping only the right to pass file permissions.

    PostgreSQL refuses to run as root. An ordinary account could not reach a checkout under
    a closed home directory; with this one capability it can, and no permission is widened.
    """
    import pwd

    libc = ctypes.CDLL(None, use_errno=True)
    entry = pwd.getpwnam(account)
    libc.prctl(PR_SET_KEEPCAPS, 1, 0, 0, 0)
    os.setgroups([entry.pw_gid])
    os.setgid(entry.pw_gid)
    os.setuid(entry.pw_uid)
    bit = 1 << CAP_DAC_OVERRIDE
    header = struct.pack("=Ii", CAPABILITY_VERSION_3, 0)
    if libc.capset(header, struct.pack("=6I", bit, bit, bit, 0, 0, 0)) != 0:
        raise OSError(ctypes.get_errno(), "capset was refused")
    if libc.prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_RAISE, CAP_DAC_OVERRIDE, 0, 0) != 0:
        raise OSError(ctypes.get_errno(), "the kernel gives no ambient capability")


def prepare(account: str | None) -> None:
    """What the server's process does before it becomes the server."""
    if account:
        become(account)
    if sys.platform == "linux":  # even this script may be killed; set last, as setuid clears it
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)


def ended(child: subprocess.Popen[bytes]) -> bool:
    """Whether the child is dead; it is left unreaped so that its group id stays its own."""
    flags = os.WEXITED | os.WNOWAIT | os.WNOHANG
    return os.waitid(os.P_PID, child.pid, flags) is not None


def reap_orphans(child: subprocess.Popen[bytes], patience: float = 0.0) -> None:
    """Collect dead grandchildren, whom the kernel hands to us; waits for the dying ones."""
    flags = os.WEXITED | os.WNOHANG | os.WNOWAIT
    deadline = time.monotonic() + patience
    try:
        while (dead := os.waitid(os.P_ALL, 0, flags)) or time.monotonic() < deadline:
            if dead is None:
                time.sleep(0.01)
            elif dead.si_pid == child.pid:
                return  # its own turn comes in `supervise`
            else:
                os.waitpid(dead.si_pid, 0)
    except ChildProcessError:  # none left
        return


def supervise(spec: dict[str, Any]) -> int:
    """Start the server, wait for its end or for the order to end it; give its exit code."""
    wake, poke = os.pipe()
    os.set_blocking(poke, False)
    ordered = False

    def on_signal(number: int, _frame: object) -> None:
        nonlocal ordered
        ordered = ordered or number != signal.SIGCHLD

    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)
    signal.set_wakeup_fd(poke, warn_on_full_buffer=False)
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGCHLD):
        signal.signal(number, on_signal)

    with Path(spec["log"]).open("ab") as log:
        child = subprocess.Popen(
            spec["command"],
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=subprocess.STDOUT,
            process_group=0,
            preexec_fn=lambda: prepare(spec["account"]),
        )
    os.write(sys.stdout.fileno(), f"{child.pid}\n".encode())
    os.close(sys.stdout.fileno())

    watched = [wake, 0] if spec["tied"] else [wake]
    while not ended(child) and not ordered:
        readable, _, _ = select.select(watched, [], [])
        if wake in readable:
            os.read(wake, 64)
            reap_orphans(child)
        ordered = ordered or (0 in readable and os.read(0, 64) == b"")

    if not ended(child):
        os.kill(child.pid, spec["stop_signal"])
        deadline = time.monotonic() + spec["grace"]
        while not ended(child) and (left := deadline - time.monotonic()) > 0:
            if select.select([wake], [], [], left)[0]:
                os.read(wake, 64)
    os.killpg(child.pid, signal.SIGKILL)  # whatever it left behind, and itself if it would not go
    code = child.wait()
    reap_orphans(child, patience=2.0)
    return code


if __name__ == "__main__":
    code = supervise(json.loads(sys.argv[1]))
    sys.exit(code if code >= 0 else 128 - code)
