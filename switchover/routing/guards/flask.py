"""``require_flag`` for Flask, as a decorator of a view."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import ParamSpec, TypeVar

from flask import Response, current_app, jsonify

from switchover.routing.bucket import Key
from switchover.routing.guards import HEADERS, STATUS, refusal
from switchover.routing.router import Router

P = ParamSpec("P")
R = TypeVar("R")


def require_flag(
    router: Router, name: str, key: Callable[[], Key] | None = None
) -> Callable[[Callable[P, R]], Callable[P, R | Response]]:
    """Let requests through while the flag ``name`` is on for their ``key``.

    @app.get("/panel")
    @require_flag(router, "panel", lambda: request.headers.get("x-user", ""))
    def panel(): ...
    """

    def guard(view: Callable[P, R]) -> Callable[P, R | Response]:
        @functools.wraps(view)
        def guarded(*args: P.args, **kwargs: P.kwargs) -> R | Response:
            if not router.flag(name, "" if key is None else key()):
                answer = jsonify(refusal(name))
                answer.status_code = STATUS
                answer.headers.update(HEADERS)
                return answer
            # Flask runs a coroutine function only where it sees one: what it would call.
            call: Callable[P, R] = current_app.ensure_sync(view)
            return call(*args, **kwargs)

        return guarded

    return guard
