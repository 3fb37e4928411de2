"""Pairs of answers: compared by the rules in force, disagreements sampled for people to see."""

from __future__ import annotations

import random
import threading
import time
import uuid
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from switchover.judge.agreement import Agreement, Comparison

#: Comparison rules of a pair of answers: a document, or what gives the present one.
Rules = Mapping[str, Any] | Callable[[], Mapping[str, Any]]

#: Answers agree when they are equal.
_NO_RULES: Mapping[str, Any] = {}


class Pairs:
    """Compares, and keeps up to ``samples`` disagreements between two shipments."""

    def __init__(self, rules: Rules | None, samples: int) -> None:
        self._rules, self._samples = rules, samples
        self._compiled: tuple[Mapping[str, Any], Agreement] | None = None
        self.begin_afresh()

    def begin_afresh(self) -> None:
        """Forget the samples and use a lock of its own, as a forked child must."""
        self._lock = threading.Lock()
        self._kept: list[str] = []
        self._disagreements = 0

    def compare(self, legacy: Any, candidate: Any) -> Comparison:
        """Compare by the present rules; raises what a fault of the rules raises."""
        return self._agreement().compare(legacy, candidate)

    def _agreement(self) -> Agreement:
        from switchover.judge.agreement import Agreement

        rules = self._rules() if callable(self._rules) else self._rules
        document = _NO_RULES if rules is None else rules
        compiled = self._compiled
        # A rule to ignore a field may end while the document stays the same.
        if compiled is None or compiled[0] is not document or compiled[1].expires <= time.time():
            compiled = self._compiled = (document, Agreement.from_dict(document))
        return compiled[1]

    def sample(self, comparison: Comparison, epoch: int) -> None:
        """Keep a disagreement, or not: each since the last shipment is as likely kept
        (reservoir sampling)."""
        from switchover.judge.sample import Sample

        with self._lock:
            self._disagreements += 1
            place = len(self._kept)
            if place >= self._samples:
                place = random.randrange(self._disagreements)
            if place < self._samples:
                sample = Sample.of(comparison, uuid.uuid4().hex, time.time(), epoch)
                self._kept[place : place + 1] = [sample.to_json()]

    def take(self) -> list[str]:
        """The samples kept since the last call, as JSON."""
        with self._lock:
            kept, self._kept, self._disagreements = self._kept, [], 0
            return kept
