"""``require_flag`` for FastAPI, as a dependency, and for Starlette, as a decorator."""

from __future__ import annotations

import functools
from collections.abc import Awaitable, Callable
from inspect import iscoroutinefunction

from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from switchover.routing.bucket import Key
from switchover.routing.flags import Evaluation
from switchover.routing.guards import HEADERS, STATUS, refusal
from switchover.routing.router import Router

#: Takes a request's key, such as the user's id.
KeyOf = Callable[[Request], Key]
Endpoint = Callable[[Request], Awaitable[Response]] | Callable[[Request], Response]


def require_flag(router: Router, name: str, key: KeyOf | None = None) -> RequiredFlag:
    """Let requests through while the flag ``name`` is on for their ``key``.

    @app.get("/panel", dependencies=[Depends(require_flag(router, "panel", user_id))])

    @require_flag(router, "panel", user_id).endpoint
    async def panel(request): ...
    """
    return RequiredFlag(router, name, key)


class RequiredFlag:
    """A flag that has to be on; see :func:`require_flag`."""

    def __init__(self, router: Router, name: str, key: KeyOf | None) -> None:
        self._router, self._name, self._key = router, name, key

    async def __call__(self, request: Request) -> Evaluation:
        """As FastAPI's dependency: the evaluation, or the 503 with the reason as ``detail``."""
        found = self._evaluate(request)
        if not found:
            raise HTTPException(STATUS, detail=refusal(self._name), headers=HEADERS)  # type: ignore[arg-type]
        return found

    def endpoint(self, call: Endpoint) -> Callable[[Request], Awaitable[Response]]:
        """As a decorator of a Starlette endpoint, plain or async."""

        @functools.wraps(call)
        async def guarded(request: Request) -> Response:
            if not self._evaluate(request):
                return JSONResponse(refusal(self._name), STATUS, HEADERS)
            if iscoroutinefunction(call):
                answer: Response = await call(request)
                return answer
            return await run_in_threadpool(call, request)  # type: ignore[arg-type]

        return guarded

    def _evaluate(self, request: Request) -> Evaluation:
        return self._router.flag(self._name, "" if self._key is None else self._key(request))
