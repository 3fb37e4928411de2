"""What is told of a candidate that failed while it served alone, and how it is told."""

from __future__ import annotations

import asyncio
import inspect
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from switchover.errors import UpstreamFailed


@dataclass(frozen=True, slots=True)
class CandidateFailure:
    """The candidate failed on ``item`` in ``candidate_only``, under routing ``epoch``.

    ``incident`` is the same in every process that sees the candidate fail since it serves
    alone, so that it fits as the id of the halt: then all of them together start one rollback.
    """

    migration: str
    incident: str
    item: str
    epoch: int
    error: BaseException
    at: float

    @property
    def reason(self) -> str:
        """What happened, fit for the ledger: an error's own text may hold what a caller sent."""
        error = self.error
        what = error.detail if isinstance(error, UpstreamFailed) else type(error).__name__
        return f"the candidate failed on {self.item} in candidate_only: {what}"


#: Starts the rollback; may be a coroutine function. An exception means: not started.
OnCandidateFailure = Callable[[CandidateFailure], Any]


def running_loop() -> asyncio.AbstractEventLoop | None:
    """The event loop of the caller, if it runs on one."""
    try:
        return asyncio.get_running_loop()
    except RuntimeError:
        return None


def tell(
    report: OnCandidateFailure, failure: CandidateFailure, loop: asyncio.AbstractEventLoop | None
) -> None:
    """Call ``report`` in this thread; a coroutine runs on ``loop``, where what it uses belongs."""
    outcome = report(failure)
    if not inspect.isawaitable(outcome):
        return
    if loop is not None and loop.is_running():
        asyncio.run_coroutine_threadsafe(_result_of(outcome), loop).result()
    else:
        asyncio.run(_result_of(outcome))


async def _result_of(outcome: Any) -> Any:
    return await outcome
