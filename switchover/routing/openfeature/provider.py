"""The OpenFeature provider: resolves the flags of one migration by its router."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from openfeature.evaluation_context import EvaluationContext
from openfeature.exception import ErrorCode
from openfeature.flag_evaluation import (
    FlagMetadata,
    FlagResolutionDetails,
    FlagType,
    FlagValueType,
)
from openfeature.provider import AbstractProvider, Metadata
from openfeature.track import TrackingEventDetails

from switchover.machine.flag import Flag
from switchover.routing.flags import Evaluation
from switchover.routing.openfeature.lifecycle import Lifecycle
from switchover.routing.openfeature.resolution import failed, resolved
from switchover.routing.openfeature.tracking import EventRecorder, Tracker
from switchover.routing.router import Router

Structure = Sequence[FlagValueType] | Mapping[str, FlagValueType]


class SwitchoverProvider(AbstractProvider):
    """Gives the flags of ``router``'s migration to OpenFeature's clients.

    OpenFeature starts it and waits ``ready_timeout`` seconds for Redis. A router that was not
    started yet is started and closed with it. The targeting key is the router's key, and rules
    ask for the attributes of the context. No evaluation does I/O, so the asynchronous ones
    answer at once too.

    With a ``recorder`` tracked events become observations; without one they do nothing.
    ``provenance=False`` leaves version, epoch and the like out of the flag metadata.
    """

    def __init__(
        self,
        router: Router,
        *,
        recorder: EventRecorder | None = None,
        ready_timeout: float = 5.0,
        provenance: bool = True,
    ) -> None:
        super().__init__()
        self._router, self._provenance = router, provenance
        self._tracker = Tracker(router, recorder) if recorder is not None else None
        self._lifecycle = Lifecycle(router, ready_timeout, self.emit)

    def get_metadata(self) -> Metadata:
        return Metadata(name="Switchover")

    def initialize(self, evaluation_context: EvaluationContext) -> None:
        self._lifecycle.start()

    def shutdown(self) -> None:
        self._lifecycle.stop()

    def track(
        self,
        tracking_event_name: str,
        evaluation_context: EvaluationContext | None = None,
        tracking_event_details: TrackingEventDetails | None = None,
    ) -> None:
        if self._tracker is not None:
            self._tracker.track(tracking_event_name, evaluation_context, tracking_event_details)

    def _resolve(
        self, kind: FlagType, name: str, default: Any, context: EvaluationContext | None
    ) -> FlagResolutionDetails[Any]:
        router = self._router
        if self._lifecycle.state == "down":
            return failed(ErrorCode.PROVIDER_NOT_READY, "the provider is not started", default)
        asked = context or EvaluationContext()
        evaluation = router.variant(name, asked.targeting_key or "", asked.attributes)
        flag = router.definition(name)
        if flag is None and evaluation.reason != "environment":
            if not router.wait_ready(0):
                said = "no flags were read from Redis yet"
                return failed(ErrorCode.PROVIDER_NOT_READY, said, default)
            said = f"the migration {router.migration!r} has no flag {name!r}"
            return failed(ErrorCode.FLAG_NOT_FOUND, said, default)
        metadata = self._metadata(flag, evaluation)
        if evaluation.reason == "no_key":
            said = f"the flag {name!r} depends on the key; give a targeting key"
            return failed(ErrorCode.TARGETING_KEY_MISSING, said, default, metadata)
        stale = flag is not None and not router.healthy
        return resolved(evaluation, kind, default, metadata, stale=stale)

    def _metadata(self, flag: Flag | None, evaluation: Evaluation) -> FlagMetadata:
        """The flag's own, and where the answer comes from, in names that telemetry knows."""
        own = flag.metadata if flag else {}
        if not self._provenance:
            return dict(own)
        return {
            **own,
            "flagSetId": self._router.migration,
            "version": evaluation.version,
            "epoch": self._router.epoch,
            "reason": evaluation.reason,
            "component": flag.component if flag else "",
            "visibility": flag.visibility if flag else "internal",
        }

    def resolve_boolean_details(
        self,
        flag_key: str,
        default_value: bool,
        evaluation_context: EvaluationContext | None = None,
    ) -> FlagResolutionDetails[bool]:
        return self._resolve(FlagType.BOOLEAN, flag_key, default_value, evaluation_context)

    def resolve_string_details(
        self,
        flag_key: str,
        default_value: str,
        evaluation_context: EvaluationContext | None = None,
    ) -> FlagResolutionDetails[str]:
        return self._resolve(FlagType.STRING, flag_key, default_value, evaluation_context)

    def resolve_integer_details(
        self,
        flag_key: str,
        default_value: int,
        evaluation_context: EvaluationContext | None = None,
    ) -> FlagResolutionDetails[int]:
        return self._resolve(FlagType.INTEGER, flag_key, default_value, evaluation_context)

    def resolve_float_details(
        self,
        flag_key: str,
        default_value: float,
        evaluation_context: EvaluationContext | None = None,
    ) -> FlagResolutionDetails[float]:
        return self._resolve(FlagType.FLOAT, flag_key, default_value, evaluation_context)

    def resolve_object_details(
        self,
        flag_key: str,
        default_value: Structure,
        evaluation_context: EvaluationContext | None = None,
    ) -> FlagResolutionDetails[Structure]:
        return self._resolve(FlagType.OBJECT, flag_key, default_value, evaluation_context)
