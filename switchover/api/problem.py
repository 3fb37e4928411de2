"""Errors as HTTP tells them: one table from the error tree to status codes, one JSON shape."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from math import ceil
from typing import Any

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from pydantic import BaseModel, Field
from starlette.background import BackgroundTask
from starlette.exceptions import HTTPException

from switchover.api.request_id import request_id
from switchover.errors import (
    DependencyUnavailable,
    InputError,
    NegativeAnswer,
    NoLedger,
    NotAuthorised,
    Refused,
    SwitchoverError,
    UnknownMigration,
    WrongCode,
)

_log = logging.getLogger("switchover.api")

MEDIA_TYPE = "application/problem+json"

#: What a browser or client is told with every 401.
CHALLENGE = {"WWW-Authenticate": 'Basic realm="switchover", charset="UTF-8"'}

#: Nearest base class first; an error gets the status of the first row that it belongs to.
_STATUS: tuple[tuple[type[SwitchoverError], int, str], ...] = (
    (UnknownMigration, 404, "see GET /api/migrations"),
    (NoLedger, 404, "begin a migration with: switchover start PLAN"),
    (InputError, 400, "correct the request"),
    (DependencyUnavailable, 503, "try again when it is back"),
    (WrongCode, 401, "wait if the name is locked; `switchover approvers add NAME` issues a code"),
    (NotAuthorised, 403, "ask somebody whom the plan names"),
    (Refused, 409, "read the state again and decide anew"),
    (NegativeAnswer, 409, "read the state again"),
)
_ADVICE = {
    401: "send your name and personal approval code by HTTP Basic; `switchover approvers add NAME` "
    "issues a code",
    404: "GET /api/openapi.json lists every path",
    405: "GET /api/openapi.json lists every path with its methods",
    408: "send the whole body at once",
    413: "send less",
    415: "send JSON, with the header Content-Type: application/json",
    422: "correct the fields that are named",
    429: "wait as long as Retry-After says",
    500: "look into the log for this request id, and report it",
}


class Problem(BaseModel):
    """What went wrong, and what to do."""

    error: str = Field(examples=["approval mood-1f2e3d4c5b is already approved"])
    what_to_do: str = Field(examples=["read the state again and decide anew"])
    request_id: str = Field(examples=["7b0f9a6c2d1e4f35"])
    fields: list[str] = Field([], description="only with 422: each fault with its place")


def responses(*statuses: int) -> dict[int | str, dict[str, Any]]:
    """The documented error answers of a route."""
    schema = {"schema": {"$ref": "#/components/schemas/Problem"}}
    return {
        status: {"description": _TITLE[status], "content": {MEDIA_TYPE: schema}}
        for status in statuses
    }


_TITLE = {
    400: "Bad input", 401: "Name or code is missing or wrong", 403: "Not this person's to decide",
    404: "Not there", 409: "Understood, and not allowed now", 413: "Too long",
    415: "Not JSON", 422: "The body does not fit", 429: "Too many requests",
    503: "A dependency is unavailable",
}  # fmt: skip


def problem(
    status: int,
    error: str,
    what_to_do: str = "",
    *,
    headers: Mapping[str, str] | None = None,
    fields: list[str] | None = None,
) -> JSONResponse:
    """The answer in our one shape."""
    document = Problem(
        error=error,
        what_to_do=what_to_do or _ADVICE.get(status, "see the documentation"),
        request_id=request_id(),
        fields=fields or [],
    )
    shown = document.model_dump(exclude_defaults=True)
    return JSONResponse(shown, status, headers, media_type=MEDIA_TYPE)


def explained(error: SwitchoverError, after: BackgroundTask | None = None) -> JSONResponse:
    """An error of ours: its message is ``what is wrong; what to do`` in one line. ``after`` is
    done when it is answered; what a route leaves to FastAPI is dropped when it raises."""
    _log.info("%s: %s", type(error).__name__, error)
    status, advice = next(
        ((status, advice) for kind, status, advice in _STATUS if isinstance(error, kind)),
        (500, ""),
    )
    wrong, semicolon, todo = str(error).rpartition("; ")
    headers = dict(CHALLENGE) if status == 401 else {}
    wait = getattr(error, "retry_after", None)
    if wait is not None:
        headers["Retry-After"] = str(ceil(wait))
    if not semicolon:
        wrong, todo = str(error), advice
    answer = problem(status, wrong, todo, headers=headers)
    answer.background = after
    return answer


def install(app: FastAPI) -> None:
    """Answer every error of ``app`` in this shape."""

    @app.exception_handler(SwitchoverError)
    async def ours(request: Request, error: SwitchoverError) -> JSONResponse:
        return explained(error)

    @app.exception_handler(RequestValidationError)
    async def misfit(request: Request, error: RequestValidationError) -> JSONResponse:
        # What was sent is not repeated: it may be a secret in the wrong place.
        faults = [
            f"{'.'.join(str(part) for part in fault['loc'])}: {fault['msg']}"
            for fault in error.errors()
        ]
        return problem(422, "the request does not fit its form", fields=faults)

    @app.exception_handler(HTTPException)
    async def refused(request: Request, error: HTTPException) -> JSONResponse:
        return problem(error.status_code, str(error.detail).lower(), headers=error.headers)

    @app.exception_handler(Exception)
    async def fault(request: Request, error: Exception) -> JSONResponse:
        return problem(500, "a fault of Switchover itself")
