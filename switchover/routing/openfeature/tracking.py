"""Events that an application tracks through OpenFeature, as observations of a recorder."""

from __future__ import annotations

import logging
from typing import Protocol

from openfeature.evaluation_context import EvaluationContext
from openfeature.track import TrackingEventDetails

from switchover.routing.router import Router

_log = logging.getLogger("switchover.openfeature")


class EventRecorder(Protocol):
    """The part of :class:`switchover.Recorder` that is needed."""

    def record(self, metric: str, value: bool | float, system: str) -> None: ...


class Tracker:
    """Records an event as a metric of the system that serves the targeting key."""

    def __init__(self, router: Router, recorder: EventRecorder) -> None:
        self._router, self._recorder = router, recorder
        self._warned: set[str] = set()

    def track(
        self, event: str, context: EvaluationContext | None, details: TrackingEventDetails | None
    ) -> None:
        """Record the value of ``event``, or without one that it happened (True).

        A bool counts as yes or no, True being good. An event without a targeting key belongs
        to no system: it is warned of once and not counted.
        """
        key = context.targeting_key if context else None
        if key:
            value = details.value if details else None
            system = self._router.route(key).system
            self._recorder.record(event, True if value is None else value, system)
        elif event not in self._warned:
            self._warned.add(event)
            _log.warning(
                "%s: the event %r is not counted, as it has no targeting key",
                self._router.migration,
                event,
            )
