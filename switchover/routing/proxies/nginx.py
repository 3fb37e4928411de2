"""nginx by a generated file and a checked reload: split_clients, sticky and monotone by key.

nginx hashes with MurmurHash2, so its buckets are not those of the router: a key stays on its
side through all of nginx, and may be on the other side in an application that routes by itself.
Integer keys follow ``key mod 100`` and agree everywhere.
"""

from __future__ import annotations

import fcntl
import http.client
import os
import re
import subprocess
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import urlsplit

from switchover.errors import DependencyUnavailable, Refused
from switchover.machine.snapshot import Snapshot
from switchover.machine.split import FULL
from switchover.routing.proxies.fence import Standing, fence, lapse

#: Fresh connections in a row that must answer with the new epoch: old workers stop accepting
#: one by one.
_IN_A_ROW = 8

#: Seconds for one call of nginx, for one answer of the status page, and between two questions.
_PROGRAM_TIMEOUT, _STATUS_TIMEOUT, _POLL = 10.0, 1.0, 0.01

_HEAD = re.compile(r"# Written by Switchover for (\S+): epoch (\d+(?:\.\d+)?), split (\d+)\n")


class NginxSplit:
    """One nginx on this machine.

    ``file`` is the generated file, included in ``http``. ``status_url`` answers with
    ``$switchover_<migration>_standing``. ``legacy`` and ``candidate`` are names of upstreams,
    ``header`` carries the request key. ``command`` is the program with what it needs to find
    the configuration, such as ``["nginx", "-c", "/etc/nginx/nginx.conf"]``. ``settle`` is the
    time in seconds that a reload may take.
    """

    def __init__(
        self, migration: str, file: Path, *, status_url: str, header: str,
        legacy: str = "legacy", candidate: str = "candidate",
        command: Sequence[str] = ("nginx",), settle: float = 10.0,
    ) -> None:  # fmt: skip
        self._migration, self._file, self._status = migration, file, urlsplit(status_url)
        self._header, self._legacy, self._candidate = header, legacy, candidate
        self._command, self._settle = tuple(command), settle
        self.name = f"nginx {file}"

    def apply(self, snapshot: Snapshot, *, lift: bool = False) -> None:
        """Write the file, let nginx check it, reload, and wait until all new connections follow.

        A file that nginx refuses is replaced by the one before, and nginx is not reloaded.
        """
        wanted = Standing.of(snapshot)
        self._move(
            lambda held: fence(self._migration, wanted, held, self.name, lift=lift), snapshot
        )

    def fall_back(self) -> None:
        """Everything to legacy, under the epoch that the file has."""
        self._move(lapse, Snapshot(self._migration, 0))

    def _move(
        self, choose: Callable[[Standing | None], Standing | None], snapshot: Snapshot
    ) -> None:
        """Bring nginx to what ``choose`` makes of the file; ``snapshot`` says how keys split."""
        with self._alone():
            before = self._kept()
            wanted = choose(self._remembered(before))
            if wanted is None:
                return
            text = split_file(
                snapshot, self._header, standing=wanted,
                legacy=self._legacy, candidate=self._candidate,
            )  # fmt: skip
            if before == text and self._running() == wanted:
                return
            self._replace(text)
            self._check(before)
            self._run("-s", "reload")
            self._wait(wanted)

    def read(self) -> float | None:
        """The share that nginx answers by; None when its status page does not say."""
        standing = self._running()
        return None if standing is None else standing.share

    def _kept(self) -> str | None:
        try:
            return self._file.read_text(encoding="utf-8")
        except FileNotFoundError:
            return None
        except (OSError, UnicodeDecodeError) as error:
            raise Refused(f"{self.name} can't be read: {error}; mend its rights") from error

    def _remembered(self, text: str | None) -> Standing | None:
        """What the file says it is; an empty file is a place that was prepared for it."""
        if not text:
            return None
        head = _HEAD.match(text)
        if head is None or head[1] != self._migration:
            raise Refused(
                f"{self.name} was not written for {self._migration}; name another file, or "
                "delete this one"
            )
        return Standing.parse(f"{head[2]} {head[3]}")

    def _replace(self, text: str | None) -> None:
        """Put ``text`` in the file's place at once, or remove the file."""
        try:
            if text is None:
                self._file.unlink(missing_ok=True)
                return
            fresh = self._file.with_name(f".{self._file.name}.new")
            with fresh.open("w", encoding="utf-8") as out:
                out.write(text)
                out.flush()
                os.fsync(out.fileno())
            fresh.replace(self._file)
        except OSError as error:
            raise Refused(f"{self.name} can't be written: {error}; mend its rights") from error

    def _check(self, before: str | None) -> None:
        """Let nginx test its configuration; put back ``before`` when that fails."""
        try:
            self._run("-t")
        except BaseException:
            self._replace(before)
            raise

    def _run(self, *arguments: str) -> None:
        command = [*self._command, *arguments]
        try:
            ended = subprocess.run(
                command, capture_output=True, text=True, timeout=_PROGRAM_TIMEOUT, check=False
            )
        except (OSError, subprocess.TimeoutExpired) as error:
            raise DependencyUnavailable(self.name, f"{command[0]} can't be run: {error}") from error
        if ended.returncode == 0:
            return
        said = " ".join(ended.stderr.split())[-600:]
        if "-t" in arguments:
            raise Refused(
                f"{self.name}: nginx refuses its configuration, so the old file is back and "
                f"nothing was reloaded: {said}"
            )
        raise DependencyUnavailable(
            self.name, f"the new file is in place, but nginx was not reloaded: {said}"
        )

    def _running(self) -> Standing | None:
        """What one fresh connection says; None when the page does not know this migration."""
        secure = self._status.scheme == "https"
        kind = http.client.HTTPSConnection if secure else http.client.HTTPConnection
        connection = kind(self._status.netloc, timeout=_STATUS_TIMEOUT)
        try:
            connection.request("GET", self._status.path or "/", headers={"Connection": "close"})
            return Standing.parse(connection.getresponse().read(200).decode("ascii", "replace"))
        except (OSError, http.client.HTTPException) as error:
            raise DependencyUnavailable(
                self.name, f"no answer from {self._status.geturl()}: {error!r}"
            ) from error
        finally:
            connection.close()

    def _wait(self, wanted: Standing) -> None:
        deadline, streak = time.monotonic() + self._settle, 0
        while streak < _IN_A_ROW:
            found = self._running()
            streak = streak + 1 if found == wanted else 0
            if streak == 0:
                if time.monotonic() > deadline:
                    raise DependencyUnavailable(
                        self.name,
                        f"{self._settle:g} s after the reload {self._status.geturl()} says "
                        f"{found or 'nothing'} instead of {wanted}; see nginx's error log",
                    )
                time.sleep(_POLL)

    @contextmanager
    def _alone(self) -> Iterator[None]:
        """Keep other processes away from the file, so that its epoch fences them out."""
        lock = self._file.with_name(f".{self._file.name}.lock")
        try:
            handle = lock.open("w")
        except OSError as error:
            raise Refused(f"{self.name} can't be locked: {error}; mend its rights") from error
        with handle:
            deadline = time.monotonic() + self._settle
            while True:
                try:
                    fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
                    break
                except BlockingIOError as error:
                    if time.monotonic() > deadline:
                        raise DependencyUnavailable(
                            self.name, f"another process holds {lock}; see what it waits for"
                        ) from error
                    time.sleep(_POLL)
            yield


def split_file(
    snapshot: Snapshot, header: str, *, standing: Standing | None = None,
    legacy: str = "legacy", candidate: str = "candidate",
) -> str:  # fmt: skip
    """The file for ``http``: it sets ``$switchover_<migration>`` to the name of an upstream, and
    ``…_standing`` to epoch and split. A request without the header goes to legacy.

    ``standing`` overrules what ``snapshot`` asks for.
    """
    for name in (header, legacy, candidate):
        if not re.fullmatch(r"[\w.-]+", name, re.ASCII):
            raise Refused(f"{name!r} can't stand in nginx's configuration; use plain names")
    standing = standing or Standing.of(snapshot)
    place, split = str(standing).split()
    side = f"$switchover_{snapshot.migration.replace('-', '_')}"
    field = f"$http_{header.lower().replace('-', '_')}"
    share = f"{standing.split // 100}.{standing.split % 100:02d}%"
    chosen = {0: legacy, FULL: candidate}.get(standing.split, f"{side}_hashed")
    lines = [
        f"# Written by Switchover for {snapshot.migration}: epoch {place}, split {split}",
        "# Changes by hand are lost.",
        f'map "" {side}_standing {{ default "{standing}"; }}',
    ]
    if chosen.endswith("_hashed"):
        key = field.removeprefix("$")
        lines += [
            f'split_clients "{_quoted(snapshot.salt)}:${{{key}}}" {side}_hashed {{',
            f"    {share} {candidate};",
            f"    * {legacy};",
            "}",
        ]
    lines += [f"map {field} {side} {{", f'    "" {legacy};']
    if snapshot.key == "integer" and 0 < standing.split < FULL:
        lines += _integer_rules(standing.split, legacy, candidate)
    return "\n".join([*lines, f"    default {chosen};", "}", ""])


def _integer_rules(split: int, legacy: str, candidate: str) -> list[str]:
    """``key mod 100`` by the last two digits; a part of a percent acts as the next whole one."""
    below = range(-(-split // 100))
    return [
        f'    "~^{_endings(below)}$" {candidate};',
        f'    "~^-{_endings([-rest % 100 for rest in below])}$" {candidate};',
        f'    "~^-?[0-9]+$" {legacy};',
    ]


def _endings(rests: Iterable[int]) -> str:
    """A pattern for the digits of numbers with one of these remainders of 100."""
    whole = "|".join(f"{rest:02d}" for rest in rests)
    single = "".join(f"|{rest}" for rest in rests if rest < 10)
    return f"(?:[0-9]*(?:{whole}){single})"


def _quoted(salt: str) -> str:
    if not re.fullmatch(r"[\w.@/-]*", salt, re.ASCII):
        raise Refused(
            f"salt {salt!r} can't stand in nginx's configuration; use letters, digits and . _ @ / -"
        )
    return salt
