"""The recorder an application imports: counts in process, ships blocks in the background."""

from __future__ import annotations

import atexit
import logging
import os
import threading
import time
import weakref
from collections.abc import Callable
from functools import partial
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self

from switchover.connection import redis_address
from switchover.errors import InputError
from switchover.judge.block import SYSTEMS
from switchover.observe.cell import BATCH, Cell
from switchover.observe.gauges import Gauges
from switchover.observe.haste import Haste
from switchover.observe.outbox import Destination, Outbox
from switchover.observe.pairs import Pairs, Rules
from switchover.observe.process_memory import resident_bytes
from switchover.observe.stream import RedisBlockStream
from switchover.observe.timer import Timer

if TYPE_CHECKING:
    from switchover.judge.agreement import Comparison

_log = logging.getLogger("switchover.recorder")

_recorders: weakref.WeakSet[Recorder] = weakref.WeakSet()

#: Integers below this are exact as a float, and so are not worth a conversion.
_EXACT = 2**53


class Recorder:
    """Counts what an application observes and ships it as blocks every ``flush_every`` seconds.

    It ships sooner, at most twice a second, while failures come one after another: nobody should
    wait five seconds to hear of an outage.
    ``redis_url`` is a URL or a ready client, by default ``SWITCHOVER_REDIS_URL``. ``epoch``
    and ``agreement`` usually come from the router: ``epoch=lambda: router.epoch``,
    ``agreement=lambda: router.agreement``. ``pair_metric`` names the metric of
    :meth:`compare`. While Redis is away at most ``keep`` blocks wait, then the oldest are
    dropped and counted in ``lost``. Recording never does I/O and never raises; what can't be
    counted is logged once and counted in ``refused``.
    """

    def __init__(
        self,
        migration: str,
        redis_url: Any = None,
        flush_every: float = 5.0,
        epoch: Callable[[], int] | None = None,
        agreement: Rules | None = None,
        *,
        pair_metric: str = "prediction_agreement_rate",
        samples: int = 20,
        keep: int = 10_000,
        destination: Destination | None = None,
    ) -> None:
        if flush_every <= 0 or keep < 1 or samples < 0:
            raise InputError("flush_every and keep are above 0, samples is not below 0")
        if destination is None:
            ready_client = redis_url is not None and not isinstance(redis_url, str)
            destination = RedisBlockStream(redis_url if ready_client else redis_address(redis_url))
        self.migration, self.flush_every, self.pair_metric = migration, flush_every, pair_metric
        self._destination, self._keep, self._epoch = destination, keep, epoch
        self._pairs = Pairs(agreement, samples)
        self._gauges = Gauges(f"switchover-gauges-{migration}", self._gauge_failed)
        self._measured: dict[str, bool] = {}
        self._complained: set[str] = set()
        self.refused = 0
        self._started = False
        self._begin_afresh()
        _recorders.add(self)

    def _begin_afresh(self) -> None:
        """Everything a forked child must not share with its parent, counts included."""
        # Reentrant, as a signal handler or a finaliser may record in the middle of a record.
        self._lock = threading.RLock()
        self._cells: dict[tuple[str, str], Cell] = {}
        self._rates: dict[tuple[str, str], Cell] = {}
        self._pairs.begin_afresh()
        self._gauges.begin_afresh()
        self._since = time.time()
        self._packing = threading.Lock()
        self._outbox = Outbox(self.migration, self._destination, self._keep, self.flush_every)
        self._fresh_thread()

    def _fresh_thread(self) -> None:
        self._closing = threading.Event()
        self._haste = Haste(self._closing)
        self._thread = threading.Thread(
            target=self._run, name=f"switchover-recorder-{self.migration}", daemon=True
        )

    def start(self) -> Self:
        """Begin to ship in the background, also after :meth:`close`; returns at once."""
        if not self._started:
            if self._closing.is_set():
                self._fresh_thread()
            self._started = True
            self._thread.start()
            self._gauges.start()
        return self

    def record(self, metric: str, value: bool | float, system: str) -> None:
        """Count one observation of ``system``: a bool (True is good), or a measured number.

        Times are in seconds. A metric is either of bools or of numbers, never both.
        """
        with self._lock:
            if value is True or value is False:
                cell = self._rates.get((metric, system)) or self._open(metric, system, False)
                if cell is not None:
                    cell.n += 1
                    if not value:
                        cell.bad += 1
                        if cell.failing():
                            self._haste.hurry()
            elif type(value) is float or (type(value) is int and -_EXACT < value < _EXACT):
                cell = self._cells.get((metric, system)) or self._open(metric, system, True)
                if cell is not None:
                    values = cell.values
                    values.append(value)
                    if len(values) >= BATCH:
                        cell.sort()
            else:
                self._record_other(metric, value, system)

    def count(self, metric: str, n: int = 1, *, system: str) -> None:
        """Count ``n`` events that ought not to happen, for gates of kind count.

        0 says that somebody looked and found none: no gate takes silence for good news.
        """
        if type(n) is not int or n < 0:
            self._refuse(metric, f"{n!r} is no number of events")
            return
        with self._lock:
            cell = self._rates.get((metric, system)) or self._open(metric, system, False)
            if cell is not None:
                cell.n += n or 1
                cell.bad += n
                if n:
                    self._haste.hurry()

    def gauge(
        self, metric: str, read: Callable[[], float], system: str, every: float = 5.0
    ) -> None:
        """Record what ``read`` gives, at once and every so many seconds from now on.

        It runs on a thread of its own while the recorder is started. When it raises, that is
        logged once and counted in ``refused``.
        """
        if every <= 0:
            raise InputError(f"a gauge is read every so many seconds, above 0, not {every}")
        self._gauges.add(metric, lambda: self.record(metric, read(), system), every)

    def watch_memory(
        self,
        system: str,
        every: float = 5.0,
        pid: int | None = None,
        metric: str = "memory_usage_delta",
    ) -> None:
        """Gauge the resident memory of process ``pid``, by default this one, in bytes.

        For gates of kind memory, which want it of both systems.
        """
        self.gauge(metric, partial(resident_bytes, pid), system, every)

    def _gauge_failed(self, metric: str, error: Exception) -> None:
        self._refuse(metric, f"reading the gauge failed: {error!r}")

    def record_pair(self, metric: str, legacy: bool, candidate: bool) -> None:
        """Count how both systems fared with the same request; True is good.

        For gates of kind paired. The metric is one of its own: what each system did by itself is
        for :meth:`record`.
        """
        worse = (not candidate) - (not legacy)
        with self._lock:
            cell = self._cells.get((metric, "pair")) or self._open(metric, "pair", True)
            if cell is not None:
                cell.n += 1
                if not candidate:
                    cell.bad += 1
                if worse:
                    cell.total += worse
                    cell.total_squares += 1.0

    def _record_other(self, metric: str, value: Any, system: str) -> None:
        """Huge integers, and the types of other libraries."""
        if type(value).__name__ in ("bool", "bool_"):
            cell = self._rates.get((metric, system)) or self._open(metric, system, False)
            if cell is not None:
                cell.n += 1
                cell.bad += not value
            return
        try:
            number = float(value)
        except OverflowError:
            number = float("inf")
        except (TypeError, ValueError):
            self._refuse(metric, f"{value!r} is neither a bool nor a number")
            return
        cell = self._cells.get((metric, system)) or self._open(metric, system, True)
        if cell is not None:
            cell.values.append(number)
            if len(cell.values) >= BATCH:
                cell.sort()

    def _open(self, metric: str, system: str, measured: bool) -> Cell | None:
        """A cell for the first observation after a shipment; ``None`` when it makes no sense."""
        if system not in SYSTEMS:
            self._refuse(metric, f"unknown system {system!r}; one of {', '.join(SYSTEMS)}")
            return None
        if self._measured.setdefault(metric, measured) != measured:
            self._refuse(metric, "both bools and numbers; give the two different names")
            return None
        cell = Cell(self._present_epoch())
        (self._cells if measured else self._rates)[metric, system] = cell
        return cell

    def _present_epoch(self) -> int:
        if self._epoch is None:
            return 0
        try:
            return int(self._epoch())
        except Exception as error:
            self._complain("epoch", f"reading the epoch failed: {error!r}")
            return 0

    def _refuse(self, metric: str, why: str) -> None:
        self.refused += 1
        self._complain(metric, f"observation of {metric!r} not counted: {why}")

    def _complain(self, about: str, what: str) -> None:
        if about not in self._complained:
            self._complained.add(about)
            _log.error("%s: %s", self.migration, what)

    def compare(self, legacy: Any, candidate: Any) -> Comparison:
        """Compare a pair of answers by the agreement rules and count the outcome.

        A sample of the disagreements is shipped, redacted as the rules say. Call it after
        the answer was given, beside the shadow call. A fault of the rules is not the
        candidate's: such a pair is not counted, but logged and added to ``refused``.
        """
        from switchover.judge.agreement import Comparison, Mismatch

        try:
            comparison = self._pairs.compare(legacy, candidate)
        except Exception as error:
            self._refuse(self.pair_metric, f"the answers can't be compared: {error!r}")
            return Comparison(False, (Mismatch("$", None, None, f"not comparable: {error}"),))
        self._count_pair(comparison)
        return comparison

    def compare_failed(self, kind: str) -> Comparison:
        """Count a pair without an answer (``error``, ``timeout``, ``shed``) as a disagreement.

        Any other kind is counted as ``error``.
        """
        from switchover.judge.agreement import FAILURES, Comparison

        comparison = Comparison.failed(kind if kind in FAILURES else "error")
        self._count_pair(comparison)
        return comparison

    def compare_noise(self, first: Any, second: Any) -> None:
        """Compare two answers of legacy to one request, as metric ``noise_rate``.

        Where legacy does not agree with itself, no candidate can agree with it any better.
        """
        try:
            self.record("noise_rate", self._pairs.compare(first, second).agree, "pair")
        except Exception as error:
            self._refuse("noise_rate", f"the answers can't be compared: {error!r}")

    def _count_pair(self, comparison: Comparison) -> None:
        self.record(self.pair_metric, comparison.agree, "pair")
        if not comparison.agree:
            self._pairs.sample(comparison, self._present_epoch())

    def timed(self, metric: str, system: str) -> Timer:
        """Record how many seconds a ``with`` block or a decorated function took, also when it
        raises. ``async with`` and coroutine functions work too."""
        return Timer(lambda seconds: self.record(metric, seconds, system))

    def flush(self) -> bool:
        """Ship everything now; False when Redis could not be reached and it will be tried again."""
        self._pack()
        return self._outbox.ship()

    def _pack(self) -> None:
        """Turn the counts so far into blocks."""
        # One at a time: the outbox counts on blocks that come in order.
        with self._packing:
            self._haste.begin_afresh()
            with self._lock:
                cells = [*self._rates.items(), *self._cells.items()]
                self._rates, self._cells = {}, {}
                start, self._since = self._since, time.time()
            seconds = max(self._since - start, 0.0)
            blocks = [
                cell.block(self.migration, metric, system, start, seconds)
                for (metric, system), cell in cells
            ]
            self._outbox.put(blocks, self._pairs.take())

    def _run(self) -> None:
        haste = self._haste
        # The first heartbeat comes before anything can be lost.
        due: Callable[[], bool] = self._outbox.ship
        while True:
            try:
                due()
            except Exception:
                # The thread outlives every surprise; the blocks stay in the outbox.
                _log.exception("%s: shipping blocks failed", self.migration)
            due = self.flush
            if haste.wait(self.flush_every):
                return

    @property
    def lost(self) -> int:
        """Blocks dropped because Redis was away for too long."""
        return self._outbox.lost

    @property
    def waiting(self) -> int:
        """Blocks that wait to be shipped."""
        return len(self._outbox)

    def close(self) -> bool:
        """Stop, ship the rest and sign off; False when some of it could not be shipped."""
        self._closing.set()
        self._haste.stop()
        self._gauges.stop()
        if self._thread.is_alive() and self._thread is not threading.current_thread():
            self._thread.join(timeout=5.0)
        self._started = False
        self._pack()
        shipped = self._outbox.ship(last=True)
        if self.waiting:
            _log.error("%s: %d blocks could not be shipped", self.migration, self.waiting)
        return shipped

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def _after_fork(self) -> None:
        """The parent ships what it counted; the child begins at nothing."""
        started = self._started
        self._begin_afresh()
        self._started = False
        if started:
            self.start()


def _restart_after_fork() -> None:
    for recorder in list(_recorders):
        recorder._after_fork()


@atexit.register
def _close_all() -> None:
    for recorder in list(_recorders):
        recorder.close()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_restart_after_fork)
