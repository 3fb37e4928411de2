"""A circuit breaker: a candidate that keeps failing is left alone, then tried with care."""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable

from switchover.errors import InputError

STATES = ("closed", "open", "half_open")

#: Outcomes remembered at most; under more traffic the rate is over the newest of these.
_REMEMBERED = 1_000


class Breaker:
    """Says whether the next call may be made.

    Closed, it admits every call, and opens after ``consecutive`` failures in a row, or when
    at least ``minimum`` calls ended within ``window`` seconds and a share of ``rate`` of them
    failed. Open, it admits none for ``cool_down`` seconds. Then it is half open: it admits
    ``probes`` calls, closes when all of them succeed, and opens again at the first failure.
    What was called before the last change of state says nothing about the present one.
    """

    def __init__(
        self,
        *,
        consecutive: int = 5,
        rate: float = 0.5,
        window: float = 60.0,
        minimum: int = 20,
        cool_down: float = 30.0,
        probes: int = 3,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        counts, times = (consecutive, minimum, probes), (window, cool_down)
        if min(counts) < 1 or min(times) <= 0 or not 0 < rate <= 1:
            raise InputError(
                "a breaker needs consecutive, minimum and probes from 1, a rate above 0 and at "
                "most 1, and a window and cool_down above 0 s"
            )
        self._consecutive, self._rate, self._window = consecutive, rate, window
        self._minimum, self._cool_down, self._probes = minimum, cool_down, probes
        self._clock, self._lock = clock, threading.Lock()
        self.opened = self._period = 0
        self._admitted = self._good = self._failing = self._bad = 0
        self._enter("closed")

    @property
    def state(self) -> str:
        """One of :data:`STATES`."""
        with self._lock:
            self._cool()
            return self._state

    @property
    def failing(self) -> int:
        """Failures in a row, since the last change of state."""
        return self._failing

    def reset(self) -> None:
        """Closed, as if nothing had been; calls in flight don't count any more."""
        with self._lock:
            self._enter("closed")

    def admit(self) -> int:
        """A ticket for one call, to be settled or abandoned; 0 when it must not be made."""
        with self._lock:
            self._cool()
            if self._state == "open" or (
                self._state == "half_open" and self._admitted >= self._probes
            ):
                return 0
            self._admitted += 1
            return self._period

    def settle(self, ticket: int, ok: bool) -> None:
        """Tell how the call with this ticket ended."""
        with self._lock:
            if ticket != self._period:
                return
            if self._state == "half_open":
                self._good += ok
                if not ok:
                    self._enter("open")
                elif self._good >= self._probes:
                    self._enter("closed")
            else:
                self._count(ok)

    def abandon(self, ticket: int) -> None:
        """The call with this ticket was not made, or its end says nothing; another may go."""
        with self._lock:
            if ticket == self._period:
                self._admitted -= 1

    def _count(self, ok: bool) -> None:
        now = self._clock()
        self._failing = 0 if ok else self._failing + 1
        self._ended.append((now, ok))
        self._bad += not ok
        while len(self._ended) > _REMEMBERED or now - self._ended[0][0] > self._window:
            self._bad -= not self._ended.popleft()[1]
        judged = len(self._ended) >= self._minimum
        if self._failing >= self._consecutive or (
            judged and not ok and self._bad >= self._rate * len(self._ended)
        ):
            self._enter("open")

    def _cool(self) -> None:
        """Open long enough: half open. Half open as long, as probes never came back: anew."""
        if self._state != "closed" and self._clock() - self._since >= self._cool_down:
            self._enter("half_open")

    def _enter(self, state: str) -> None:
        self._state, self._since = state, self._clock()
        self._period += 1
        self._admitted = self._good = self._failing = self._bad = 0
        self._ended: deque[tuple[float, bool]] = deque()
        self.opened += state == "open"
