"""Bring what is held to a proxy: once, again when it forgot, more rarely while it fails."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from typing import Any

from switchover.errors import StaleEpoch, SwitchoverError
from switchover.machine.snapshot import Snapshot
from switchover.machine.split import FULL
from switchover.ports import TrafficSplit

_log = logging.getLogger("switchover.proxies")

#: Seconds before a proxy is tried again that failed: the first and the longest wait.
_FIRST_WAIT, _LONGEST_WAIT = 0.25, 5.0

#: Why a proxy is on legacy regardless of the document.
_REASONS = {
    "stale": "no valid routing document was confirmed for too long; is Redis reachable?",
    "cold_start": "Redis holds no routing document",
    "emergency_rollback": "Redis holds an emergency rollback",
}


@dataclass(frozen=True, slots=True)
class Told:
    """What a follower did. ``what`` is ``follows``, ``fell_back`` (to legacy, by itself) or
    ``failed``; ``share`` is the candidate's, 0 to 1, None where the proxy did not take it."""

    proxy: str
    what: str
    epoch: int
    share: float | None
    detail: str

    def __str__(self) -> str:
        # An error of the proxy's own says its name already.
        named = self.detail.startswith(self.proxy)
        return self.detail if named else f"{self.proxy}: {self.detail}"

    def to_dict(self) -> dict[str, Any]:
        """As plain JSON."""
        return asdict(self)


def log(told: Told) -> None:
    """Write ``told`` to the log."""
    _log.log(logging.INFO if told.what == "follows" else logging.WARNING, "%s", told)


class Bringer:
    """Brings documents to ``split``, or legacy, one at a time: it does no locking.

    ``epoch`` is that of the document which the proxy follows, 0 before the first, and ``since``
    when it took it, in seconds since the Unix epoch. ``fault`` is what went wrong last, empty
    while all is well.
    """

    def __init__(
        self, split: TrafficSplit, max_staleness: float, mend_every: float,
        tell: Callable[[Told], None],
    ) -> None:  # fmt: skip
        self._split, self._max_staleness, self._mend_every = split, max_staleness, mend_every
        self._tell = tell
        self.epoch, self.since, self.fault = 0, time.time(), ""
        # What to bring, None for legacy; whether it was brought; when it is due again.
        self._aim: Snapshot | None = None
        self._done, self._due, self._wait = False, 0.0, _FIRST_WAIT
        self._overtaken: float | None = None
        # Who starts anew may lift what the one before left on legacy.
        self._lift = True

    def bring(self, aim: Snapshot | None, reason: str = "") -> None:
        """Let the proxy follow ``aim``, or go to legacy for ``reason``, if that is due. What goes
        wrong is told, and tried again by a later call."""
        if aim != self._aim:
            self._aim, self._done, self._due, self._wait = aim, False, 0.0, _FIRST_WAIT
            self._overtaken = None
        if time.monotonic() < self._due:
            return
        try:
            if aim is None:
                self._fall_back(reason)
            else:
                self._follow(aim)
        except Exception as error:
            # Nothing may end the following: without it a rollback would not arrive.
            self._failed(error)
        else:
            self._done, self.fault = True, ""
            self._due, self._wait = time.monotonic() + self._mend_every, _FIRST_WAIT

    def _fall_back(self, reason: str) -> None:
        self._lift = True
        self._split.fall_back()
        if not self._done or self.fault:
            why = _REASONS.get(reason, reason)
            self._say("fell_back", 0.0, f"all on legacy: {why}")

    def _follow(self, aim: Snapshot) -> None:
        try:
            self._split.apply(aim, lift=self._lift)
        except StaleEpoch as error:
            self._behind(error)
            raise
        self._overtaken, self._lift = None, False
        news = not self._done or bool(self.fault)
        if self.epoch != aim.epoch:
            self.epoch, self.since = aim.epoch, time.time()
        if news:
            share = aim.served / FULL
            self._say("follows", share, f"epoch {aim.epoch}, {share:.2%} to the candidate")

    def _behind(self, error: StaleEpoch) -> None:
        """The proxy has a newer document than Redis. It is on its way to us too, or Redis lost
        its data: then nothing confirms what the proxy does."""
        if self._overtaken is None:
            self._overtaken = time.monotonic()
        elif time.monotonic() - self._overtaken > self._max_staleness:
            self._split.fall_back()
            # What the ledger writes anew may have the very epoch that the proxy has.
            self._lift = self._lift or error.stored > error.written

    def _failed(self, error: Exception) -> None:
        first = isinstance(error, StaleEpoch) and self._wait == _FIRST_WAIT
        self._due = time.monotonic() + self._wait
        self._wait = min(_LONGEST_WAIT, self._wait * 2)
        if first:
            return  # overtaken by another writer, in all likelihood
        if not isinstance(error, SwitchoverError):
            _log.error("%s: a fault of Switchover itself", self._split.name, exc_info=error)
        before, self.fault = self.fault, str(error) or repr(error)
        if self.fault != before:  # once, and not at every attempt
            self._say("failed", None, self.fault)

    def _say(self, what: str, share: float | None, detail: str) -> None:
        self._tell(Told(self._split.name, what, self.epoch, share, detail))
