"""What an answer counts for: success and time, per system."""

from __future__ import annotations

from typing import Protocol

from switchover.routing.asgi.reply import Reply

#: Metrics that an answer counts for, unless told otherwise.
SUCCESS = ("success_rate", "error_rate")
LATENCY = ("prediction_latency_p99", "response_time_p95")


class Records(Protocol):
    """The part of ``switchover.Recorder`` that counts."""

    def record(self, metric: str, value: bool | float, system: str) -> None: ...


class Measure:
    """Records answers under the names of the success metrics (bools) and latencies (seconds)."""

    def __init__(
        self,
        recorder: Records | None,
        success: tuple[str, ...] = SUCCESS,
        latency: tuple[str, ...] = LATENCY,
    ) -> None:
        self._recorder, self._success, self._latency = recorder, success, latency

    def count(self, system: str, reply: Reply, *, failed: bool) -> None:
        """One answer, or the failure to give one."""
        if self._recorder is None:
            return
        for metric in self._success:
            self._recorder.record(metric, not failed, system)
        # An answer that never came says nothing of speed.
        if reply.seconds and (reply.finished or not failed):
            for metric in self._latency:
                self._recorder.record(metric, reply.seconds, system)
