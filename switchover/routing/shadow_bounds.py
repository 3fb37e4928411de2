"""What shadows have in common: their bounds, and what they take."""

from __future__ import annotations

import random
import time
from abc import ABC, abstractmethod
from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Any, ClassVar, Generic, TypeVar

from switchover.errors import InputError
from switchover.routing.shadow_pairs import PLAIN, SAFE_METHODS, PairRecorder, Pairs, Reading

#: In place of an answer, where there is none and the failure was counted.
FAILED: Any = object()

#: What a call gives: an answer, or an awaitable of it.
Given = TypeVar("Given")


@dataclass(frozen=True, slots=True)
class Job(Generic[Given]):
    """A request that ``served`` has answered, and the calls to make for it."""

    served: str
    answer: Any
    other: Callable[[], Given]
    again: Callable[[], Given] | None
    reading: Reading
    since: float = field(default_factory=time.monotonic)

    @property
    def called(self) -> str:
        """The system that ``other`` calls."""
        return "legacy" if self.served == "candidate" else "candidate"

    def pair(self, answer: Any) -> tuple[Any, Any]:
        """Legacy's answer and the candidate's, where ``other`` gave ``answer``."""
        return (self.answer, answer) if self.served == "legacy" else (answer, self.answer)


class BoundedShadow(ABC, Generic[Given]):
    """Calls the system that did not serve, after the answer, within bounds.

    At most ``concurrency`` calls run and ``queue`` wait; more are shed, and so is one that
    waited longer than ``deadline`` seconds, which is also the time a call may take.
    Unsafe HTTP methods are not shadowed unless ``allow`` names them. A share ``noise`` of
    the requests is also sent to legacy once more, and both of its answers go to
    ``recorder.compare_noise``.
    """

    _concurrency: int
    _least_queue: ClassVar[int] = 0

    def __init__(
        self,
        recorder: PairRecorder | None = None,
        *,
        concurrency: int | None = None,
        queue: int = 64,
        deadline: float = 2.0,
        noise: float = 0.0,
        allow: Iterable[str] = (),
    ) -> None:
        least = self._least_queue
        concurrency = self._concurrency if concurrency is None else concurrency
        if concurrency < 1 or queue < least or deadline <= 0 or not 0 <= noise <= 1:
            raise InputError(
                f"a shadow needs concurrency from 1, queue from {least}, a deadline above 0, "
                "and a noise share from 0 to 1"
            )
        self._pairs = Pairs(recorder)
        self._concurrency, self._queue, self._deadline = concurrency, queue, deadline
        self._noise, self._allowed = noise, SAFE_METHODS | {method.upper() for method in allow}
        self._closed = False
        self._open()

    @property
    def counters(self) -> Counter[str]:
        """Calls by outcome: ``ok``, ``error``, ``timeout``, ``shed``, ``incomparable``,
        ``unsafe``, ``legacy_…`` where legacy failed as the shadow, ``noise``."""
        return self._pairs.counters

    def allows(self, method: str) -> bool:
        """Whether requests of this HTTP method may be sent twice."""
        return method.upper() in self._allowed

    def after(
        self,
        served: str,
        answer: Any,
        other: Callable[[], Given],
        *,
        again: Callable[[], Given] | None = None,
        method: str = "GET",
        reading: Reading = PLAIN,
    ) -> bool:
        """Take one request that ``served`` has answered; False when it is not shadowed.

        ``other`` calls the other system, ``again`` calls legacy once more. Returns at once.
        """
        if not self.allows(method):
            self._pairs.count("unsafe")
            return False
        job = Job(served, answer, other, again, reading)
        if not self._closed and self._take(job):
            return True
        self._pairs.failed(job.called, "shed")
        return False

    def failed(self, kind: str) -> None:
        """The candidate was to serve and failed, so its half of the pair is known to be bad."""
        self._pairs.failed("candidate", kind)

    @abstractmethod
    def _open(self) -> None:
        """Prepare to take jobs."""

    @abstractmethod
    def _take(self, job: Job[Given]) -> bool:
        """Begin with ``job`` or let it wait; False when there is no room."""

    def _in_time(self, job: Job[Given]) -> bool:
        """Whether a job that waited may still begin; otherwise it is shed."""
        if time.monotonic() - job.since <= self._deadline:
            return True
        self._pairs.failed(job.called, "shed")
        return False

    def _draws_noise(self) -> bool:
        return random.random() < self._noise
