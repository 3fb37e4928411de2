"""What becomes of a shadow call: a pair to compare, a failure of its kind, or nothing to say."""

from __future__ import annotations

import threading
from collections import Counter
from typing import Any, Protocol

#: Methods that change nothing (RFC 9110, 9.2.1): these may be sent twice without asking.
SAFE_METHODS = frozenset({"GET", "HEAD", "OPTIONS", "TRACE"})


class PairRecorder(Protocol):
    """The part of ``switchover.Recorder`` that takes pairs of answers."""

    def compare(self, legacy: Any, candidate: Any) -> Any: ...

    def compare_failed(self, kind: str) -> Any: ...

    def compare_noise(self, first: Any, second: Any) -> Any: ...


class Reading:
    """How two answers are read for comparison; this one takes plain values as they are."""

    def failure(self, legacy: Any, candidate: Any) -> str:
        """``error``, ``incomparable``, ``legacy`` (nothing to compare with), or empty."""
        return ""

    def document(self, answer: Any) -> Any:
        """What the rules of agreement see."""
        return answer

    def heavy(self, answer: Any) -> bool:
        """True when reading it takes long enough to be done beside the event loop."""
        return False


#: Answers that are values already.
PLAIN = Reading()


class Pairs:
    """Counts outcomes and hands them to ``recorder``.

    A failure counts as a disagreement when the candidate was the one called. Where legacy
    fails as the shadow there is nothing to compare with: that is counted as
    ``legacy_error``, ``legacy_timeout`` or ``legacy_shed``, and the recorder gets nothing.
    """

    def __init__(self, recorder: PairRecorder | None) -> None:
        self.recorder, self.counters = recorder, Counter[str]()
        self._lock = threading.Lock()

    def count(self, outcome: str) -> str:
        """Count one outcome, from whichever thread; gives it back."""
        with self._lock:
            self.counters[outcome] += 1
        return outcome

    def failed(self, called: str, kind: str) -> str:
        """The call of ``called`` failed as ``error``, ``timeout`` or ``shed``.

        ``called`` is a system, or ``noise`` for the second call of legacy.
        """
        if called != "candidate":
            kind = f"{called}_{kind}"
        elif self.recorder is not None:
            self.recorder.compare_failed(kind)
        return self.count(kind)

    def answered(self, legacy: Any, candidate: Any, reading: Reading) -> str:
        """Both answered: compare, unless their outsides already tell."""
        kind = reading.failure(legacy, candidate)
        if kind == "legacy":
            kind = "legacy_error"
        elif self.recorder is not None and kind:
            self.recorder.compare_failed(kind)
        elif self.recorder is not None:
            self.recorder.compare(reading.document(legacy), reading.document(candidate))
        return self.count(kind or "ok")

    def noise(self, first: Any, second: Any, reading: Reading) -> None:
        """Legacy answered the same request twice."""
        if reading.failure(first, second) == "legacy":
            self.count("noise_error")
            return
        if self.recorder is not None:
            self.recorder.compare_noise(reading.document(first), reading.document(second))
        self.count("noise")
