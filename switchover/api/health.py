"""Health: whether the process lives, and whether everything that it needs answers."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Mapping
from typing import Any

import anyio
from anyio.to_thread import run_sync
from fastapi import APIRouter, Request
from fastapi.responses import JSONResponse

from switchover.api.problem import problem, responses

_log = logging.getLogger("switchover.api")

router = APIRouter(tags=["health"])

#: Asks one dependency; raises when it is not there. Words that it gives are told in place of "up".
Probe = Callable[[], object]

#: Seconds that a dependency has to answer, and for which an answer of `/ready` is kept, so that
#: nobody makes it a way of loading the dependencies.
_DEADLINE = 2.0
_KEPT = 1.0

_DOWN, _SILENT = "down", "no answer in time"


class Readiness:
    """Asks every dependency at the same time, each in a thread of its own."""

    def __init__(self, probes: Mapping[str, Probe]) -> None:
        self._probes = probes
        self._threads = {name: anyio.CapacityLimiter(2) for name in probes}
        self._asking = anyio.Lock()
        self._found: tuple[float, dict[str, str]] | None = None

    async def look(self) -> dict[str, str]:
        """Dependency -> ``up`` or its own words, ``down`` or ``no answer in time``."""
        async with self._asking:
            if self._found is None or time.monotonic() - self._found[0] > _KEPT:
                answers: dict[str, str] = {}
                async with anyio.create_task_group() as group:
                    for name in self._probes:
                        group.start_soon(self._ask, name, answers)
                self._found = time.monotonic(), answers
            return dict(sorted(self._found[1].items()))

    async def _ask(self, name: str, answers: dict[str, str]) -> None:
        answers[name] = _SILENT
        with anyio.move_on_after(_DEADLINE):
            try:
                said = await run_sync(
                    self._probes[name], limiter=self._threads[name], abandon_on_cancel=True
                )
                answers[name] = said if isinstance(said, str) else "up"
            except Exception as error:  # of whatever kind: it can't be asked
                # Who may not ask anything else learns no address.
                _log.warning("not ready: %s", error)
                answers[name] = _DOWN


@router.get(
    "/health",
    response_class=JSONResponse,
    responses={200: {"content": {"application/json": {"example": {"status": "alive"}}}}},
    summary="Whether the process lives",
)
async def health() -> JSONResponse:
    """Asks nobody else: a database that is down is no reason to start this process again."""
    return JSONResponse({"status": "alive"})


_READY: dict[str, Any] = {"status": "ready", "ledger": "up", "prefect": "up", "redis": "up"}


@router.get(
    "/ready",
    response_class=JSONResponse,
    responses=responses(503) | {200: {"content": {"application/json": {"example": _READY}}}},
    summary="Whether ledger, Redis and Prefect answer",
)
async def ready(request: Request) -> JSONResponse:
    """Each has two seconds. A rollback needs Redis only, so don't take this process out of
    service for a Prefect that is down."""
    readiness: Readiness = request.app.state.readiness
    found = await readiness.look()
    bad = (_DOWN, _SILENT)
    missing = [f"{name}: {answer}" for name, answer in found.items() if answer in bad]
    if missing:
        return problem(503, f"not ready: {', '.join(missing)}", "start it, or correct its address")
    return JSONResponse({"status": "ready", **found})
