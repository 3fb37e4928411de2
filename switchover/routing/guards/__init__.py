"""``require_flag``: an endpoint that answers 503 while its feature flag is off (T5).

One module per framework: ``switchover.routing.guards.starlette`` (FastAPI too) and
``switchover.routing.guards.flask``.
"""

from __future__ import annotations

#: The status and the error code of an endpoint whose flag is off.
STATUS, CODE = 503, "FEATURE_NOT_ENABLED"

#: Nobody may keep the answer: the flag may be on a moment later.
HEADERS = {"Cache-Control": "no-store"}


def refusal(name: str) -> dict[str, str]:
    """What the caller is told while the flag ``name`` is off."""
    return {"error": CODE, "flag": name, "message": f"the feature {name!r} is not enabled"}
