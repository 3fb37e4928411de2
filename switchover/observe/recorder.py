"""The recorder an application imports: counts in process, ships blocks in the background."""

from __future__ import annotations

import atexit
import logging
import os
import threading
import time
import uuid
import weakref
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self

from switchover.connection import redis_address
from switchover.errors import InputError
from switchover.judge.block import SYSTEMS
from switchover.observe.cell import Cell
from switchover.observe.outbox import Destination, Outbox
from switchover.observe.pairs import Pairs, Rules
from switchover.observe.stream import RedisBlockStream

if TYPE_CHECKING:
    from switchover.judge.agreement import Comparison

_log = logging.getLogger("switchover.recorder")

_recorders: weakref.WeakSet[Recorder] = weakref.WeakSet()

#: Integers below this are exact as a float, and so are not worth a conversion.
_EXACT = 2**53


class Recorder:
    """Counts what an application observes and ships it as blocks every ``flush_every`` seconds.

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
        self._instance, self._sequence = uuid.uuid4().hex, 0
        self._cells: dict[tuple[str, str], Cell] = {}
        self._rates: dict[tuple[str, str], Cell] = {}
        self._pairs.begin_afresh()
        self._since = time.time()
        self._outbox = Outbox(self.migration, self._destination, self._keep)
        self._fresh_thread()

    def _fresh_thread(self) -> None:
        self._closing = threading.Event()
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
            elif type(value) is float or (type(value) is int and -_EXACT < value < _EXACT):
                cell = self._cells.get((metric, system)) or self._open(metric, system, True)
                if cell is not None:
                    cell.measure(value)
            else:
                self._record_other(metric, value, system)

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
            cell.measure(number)

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

    @contextmanager
    def timed(self, metric: str, system: str) -> Iterator[None]:
        """Record how many seconds the block took, also when it raises."""
        begin = time.perf_counter()
        try:
            yield
        finally:
            self.record(metric, time.perf_counter() - begin, system)

    def flush(self) -> bool:
        """Ship everything now; False when Redis could not be reached and it will be tried again."""
        self._pack()
        return self._outbox.ship()

    def _pack(self) -> None:
        """Turn the counts so far into blocks, each with an id that no other will have."""
        with self._lock:
            cells = [*self._rates.items(), *self._cells.items()]
            self._rates, self._cells = {}, {}
            start, self._since = self._since, time.time()
            seconds = max(self._since - start, 0.0)
            self._sequence += 1
            name = f"{self._instance}:{self._sequence}"
        blocks = [
            cell.block(f"{name}:{metric}:{system}", self.migration, metric, system, start, seconds)
            for (metric, system), cell in cells
        ]
        self._outbox.put([block.to_json() for block in blocks], self._pairs.take())

    def _run(self) -> None:
        closing = self._closing
        while not closing.wait(self.flush_every):
            try:
                self.flush()
            except Exception:
                # The thread outlives every surprise; the blocks stay in the outbox.
                _log.exception("%s: shipping blocks failed", self.migration)

    @property
    def lost(self) -> int:
        """Blocks dropped because Redis was away for too long."""
        return self._outbox.lost

    @property
    def waiting(self) -> int:
        """Blocks that wait to be shipped."""
        return len(self._outbox)

    def close(self) -> bool:
        """Stop and ship the rest; False when some of it could not be shipped."""
        self._closing.set()
        if self._thread.is_alive() and self._thread is not threading.current_thread():
            self._thread.join(timeout=5.0)
        self._started = False
        shipped = self.flush()
        if not shipped:
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
