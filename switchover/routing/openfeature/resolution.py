"""An evaluation in the words of OpenFeature: value, reason, error code."""

from __future__ import annotations

from copy import deepcopy
from typing import Any

from openfeature.exception import ErrorCode
from openfeature.flag_evaluation import FlagMetadata, FlagResolutionDetails, FlagType, Reason

from switchover.routing.flags import Evaluation

#: What OpenFeature calls our reasons. The flag metadata keeps our own word.
REASONS: dict[str, Reason] = {
    "static": Reason.STATIC,
    "environment": Reason.STATIC,
    "default": Reason.DEFAULT,
    "split": Reason.SPLIT,
    "not_serving": Reason.SPLIT,
    "override": Reason.TARGETING_MATCH,
    "rule": Reason.TARGETING_MATCH,
    "disabled": Reason.DISABLED,
    "prerequisite": Reason.DISABLED,
    "emergency_rollback": Reason.DISABLED,
    "stale": Reason.STALE,
    "cold_start": Reason.STALE,
}

_KINDS: dict[FlagType, tuple[type, ...]] = {
    FlagType.BOOLEAN: (bool,),
    FlagType.STRING: (str,),
    FlagType.INTEGER: (int,),
    FlagType.FLOAT: (float, int),
    FlagType.OBJECT: (dict, list),
}


def resolved(
    evaluation: Evaluation,
    kind: FlagType,
    default: Any,
    metadata: FlagMetadata,
    *,
    stale: bool = False,
) -> FlagResolutionDetails[Any]:
    """The details of ``evaluation`` for somebody who asks for a value of ``kind``.

    A flag with variants that is off and names no variant for that has no value to give: it is
    the caller's ``default``, and no error. What is ``stale`` says that before anything else.
    """
    reason = Reason.STALE if stale else REASONS.get(evaluation.reason, Reason.UNKNOWN)
    if not evaluation.variant:
        return FlagResolutionDetails(default, reason=reason, flag_metadata=metadata)
    try:
        value = _as(kind, evaluation.value)
    except (TypeError, OverflowError):
        found = type(evaluation.value).__name__
        message = f"the flag's value is of type {found}, and was asked for as {kind.lower()}"
        return failed(ErrorCode.TYPE_MISMATCH, message, default, metadata)
    return FlagResolutionDetails(
        value, reason=reason, variant=evaluation.variant, flag_metadata=metadata
    )


def failed(
    code: ErrorCode, message: str, default: Any, metadata: FlagMetadata | None = None
) -> FlagResolutionDetails[Any]:
    """The caller's default, and why it is that."""
    return FlagResolutionDetails(
        default,
        error_code=code,
        error_message=message,
        reason=Reason.ERROR,
        flag_metadata=metadata or {},
    )


def _as(kind: FlagType, value: Any) -> Any:
    """``value`` as ``kind``: an integer is also a float, and a bool is never a number."""
    accepted = _KINDS[kind]
    fits = isinstance(value, accepted) and (bool in accepted or not isinstance(value, bool))
    if not fits:
        raise TypeError
    if kind is FlagType.FLOAT:
        return float(value)
    # A caller may change what it is given; the router's own must stay as it is.
    return deepcopy(value) if kind is FlagType.OBJECT else value
