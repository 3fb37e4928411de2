"""The engine at hand: what every route works with, and what is done after an answer."""

from __future__ import annotations

import logging
from typing import Annotated, cast

from fastapi import Depends, Request

from switchover.engine.context import Context
from switchover.engine.drain import drain
from switchover.errors import SwitchoverError

_log = logging.getLogger("switchover.api")


async def engine(request: Request) -> Context:
    """The connected engine of this application. Async, as nothing that a rollback needs may wait
    for a thread that all requests share."""
    return cast(Context, request.app.state.engine)


Engine = Annotated[Context, Depends(engine)]


def drain_later(context: Context) -> None:
    """Perform due effects once the caller has an answer; what fails is tried again elsewhere."""
    try:
        failed = drain(context).failed
    except SwitchoverError as error:
        failed = (str(error),)
    for failure in failed:
        _log.warning("tried again later: %s", failure)
