"""HAProxy over its runtime API: a process variable that every request compares its bucket with.

HAProxy hashes with XXH3 too, so it sends a key where :mod:`switchover.routing.bucket` does.
Epoch and split are one integer, set by one compare-and-set inside HAProxy: no request sees
half of a change, and an older document never replaces a newer one, whoever writes it.
"""

from __future__ import annotations

import re
import socket
import time
from collections.abc import Callable

from switchover.errors import DependencyUnavailable, Refused
from switchover.machine.snapshot import Snapshot
from switchover.machine.split import FULL
from switchover.routing.proxies.fence import Standing, fence, lapse

#: The variable holds ``(epoch * _LAPSES + lapse) * _BASE + split``.
_LAPSES, _BASE = 100_000, 100_000

#: How often a change is offered that others overtake.
_ATTEMPTS = 5

#: Seconds for connecting and for an answer. Short: a rollback does not wait.
_CONNECT_TIMEOUT, _READ_TIMEOUT = 1.0, 2.0
#: Seconds between two tries of a full queue.
_QUEUE = 0.005

_VALUE = re.compile(r"type=sint value=<(\d+)>")
#: What may stand in the runtime API's str() without quoting, which it does not have.
_SALT = re.compile(r"[\w.@/-]+", re.ASCII)
_HEADER = re.compile(r"[A-Za-z][\w-]*", re.ASCII)


def variable(migration: str) -> str:
    """The process variable of a migration; slugs hold no underscore, so names stay apart."""
    return f"proc.switchover_{migration.replace('-', '_')}"


class HaproxySplit:
    """One HAProxy. ``address`` is a path of a Unix socket, or ``host:port``, at level admin.

    HAProxy remembers the epoch until it is reloaded. It then begins with all on legacy, until
    the next :meth:`apply`.
    """

    def __init__(self, migration: str, address: str) -> None:
        self._migration, self._address = migration, address.removeprefix("unix:")
        self._variable = variable(migration)
        self.name = f"HAProxy {self._address}"

    def apply(self, snapshot: Snapshot, *, lift: bool = False) -> None:
        """Offer the document; HAProxy takes it if its epoch is newer than the one it has."""
        wanted = Standing.of(snapshot)
        self._move(
            lambda held: fence(self._migration, wanted, held, self.name, lift=lift), snapshot.salt
        )

    def fall_back(self) -> None:
        """Everything to legacy, under the epoch that HAProxy has."""
        self._move(lambda held: lapse(held) or held, "")

    def _move(self, choose: Callable[[Standing], Standing], salt: str) -> None:
        """Bring HAProxy to what ``choose`` makes of what it holds."""
        name = self._variable
        held = self._standing(f"get var {name}")
        for _ in range(_ATTEMPTS):
            wanted = choose(held)
            value = (wanted.epoch * _LAPSES + wanted.lapse) * _BASE + wanted.split
            found = self._standing(
                "experimental-mode on;"  # HAProxy asks for it wherever a variable is set
                f"{self._salting(salt) if 0 < wanted.split < FULL else ''}"
                f"set var {name}_offer expr int({value}),set-var({name},iflt);"
                f"get var {name}"
            )
            if found == wanted:
                return
            if found == held:
                raise Refused(f"{self.name} did not take the split; it needs HAProxy 2.6 or newer")
            held = found
        raise DependencyUnavailable(
            self.name, f"others changed it {_ATTEMPTS} times in a row; try again"
        )

    def read(self) -> float | None:
        """The share in force; 0 after HAProxy was reloaded and before the next ``apply``."""
        return self._standing(f"get var {self._variable}").share

    def _salting(self, salt: str) -> str:
        if not _SALT.fullmatch(salt):
            raise Refused(
                f"{self.name}: salt {salt!r} can't be passed to HAProxy; "
                "use letters, digits and . _ @ / - only"
            )
        return f"set var {self._variable}_salt str({salt});"

    def _standing(self, command: str) -> Standing:
        answer = self._ask(command)
        if "denied" in answer.lower():
            raise Refused(f"{self.name}: permission denied; give the stats socket 'level admin'")
        found = _VALUE.search(answer)
        if found is None:
            raise Refused(
                f"{self.name} has no variable {self._variable} ({' '.join(answer.split())}); put "
                "the lines for this migration into its configuration and reload it"
            )
        place, split = divmod(int(found[1]), _BASE)
        epoch, lapsed = divmod(place, _LAPSES)
        return Standing(epoch, min(split, FULL), lapsed)

    def _ask(self, command: str) -> str:
        """Send one line, and give all that HAProxy says to it."""
        try:
            with self._connect() as connection:
                connection.settimeout(_READ_TIMEOUT)
                connection.sendall(f"{command}\n".encode())
                answer = b""
                while part := connection.recv(4096):
                    answer += part
        except OSError as error:
            raise DependencyUnavailable(
                self.name, f"{error}; check that it runs and that its stats socket is right"
            ) from error
        return answer.decode("utf-8", "replace")

    def _connect(self) -> socket.socket:
        host, separator, port = self._address.rpartition(":")
        if separator and port.isdecimal() and "/" not in host:
            return socket.create_connection((host.strip("[]"), int(port)), _CONNECT_TIMEOUT)
        connection = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        connection.settimeout(_CONNECT_TIMEOUT)
        deadline = time.monotonic() + _CONNECT_TIMEOUT
        try:
            while True:
                try:
                    connection.connect(self._address)
                    return connection
                except BlockingIOError:
                    # Others are being answered and the queue is full: no wait is built in here.
                    if time.monotonic() >= deadline:
                        raise
                    time.sleep(_QUEUE)
        except OSError:
            connection.close()
            raise


def haproxy_lines(
    migration: str, header: str, *, key: str = "string",
    legacy: str = "legacy", candidate: str = "candidate",
) -> tuple[str, str]:  # fmt: skip
    """The lines to paste: those of ``global``, and those of the frontend.

    ``header`` carries the request key, ``key`` is the plan's kind of key, ``legacy`` and
    ``candidate`` are names of backends. A request without the header goes to legacy.
    """
    if not _HEADER.fullmatch(header):
        raise Refused(f"{header!r} is not the name of a header")
    name, place = variable(migration), f"txn.{variable(migration).removeprefix('proc.')}"
    hashed = f"{place}_hash"
    section = "\n".join(f"    set-var {name}{end} {value}" for end, value in (
        ("", "int(0)"), ("_offer", "int(0)"), ("_salt", "str(none)")
    ))  # fmt: skip
    lines = [
        f"http-request set-var({place}_key) req.fhdr({header})",
        f"http-request set-var({hashed}) var({name}_salt),concat(:,{place}_key),xxh3",
        # XXH3 is unsigned and HAProxy's integers are not; 2^64 mod 10 000 is 1 616.
        f"http-request set-var({place}) var({hashed}),mod({FULL})",
        f"http-request set-var({place}) var({place}),add({FULL + 2**64 % FULL}),mod({FULL})"
        f" if {{ var({hashed}) -m int lt 0 }}",
    ]
    if key == "integer":
        lines.append(
            f"http-request set-var({place}) var({place}_key),mod(100),add(100),mod(100),mul(100)"
            f" if {{ var({place}_key) -m reg ^-?[0-9]{{1,18}}$ }}"
        )
    lines += [
        # Read once, so that a change in the middle of a request can't tear it.
        f"http-request set-var({place}_standing) var({name})",
        f"http-request set-var({place}_split) var({place}_standing),mod({_BASE})",
        f"use_backend {candidate} if {{ var({place}_key) -m len gt 0 }}"
        f" {{ var({place}),sub({place}_split) -m int lt 0 }}",
        f"default_backend {legacy}",
    ]
    return section, "\n".join(f"    {line}" for line in lines)
