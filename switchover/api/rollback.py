"""Roll back over HTTP: what `switchover rollback` does, in threads that nothing else occupies."""

from __future__ import annotations

import logging
from typing import Annotated, Any

import anyio
from anyio.to_thread import run_sync
from fastapi import APIRouter, BackgroundTasks, Path, Request
from fastapi.security import HTTPBasicCredentials
from pydantic import BaseModel, ConfigDict, Field

from switchover.api.auth import Gate, Sent, nobody_identified
from switchover.api.engine import Engine, drain_later
from switchover.api.envelope import address_of
from switchover.api.problem import explained, responses
from switchover.engine.roll_back_levels import check_level, left_behind, roll_back_level
from switchover.engine.rollback_preview import preview
from switchover.errors import DependencyUnavailable, WrongCode
from switchover.incidents.redaction import redact_all
from switchover.plan.form import Slug
from switchover.plan.rollback_steps import Level

_log = logging.getLogger("switchover.api")

router = APIRouter(tags=["rollback"])

#: Rollbacks at the same time.
_AT_ONCE = 8
#: Seconds that one waits for the register of approvers: for somebody whom this process remembers,
#: and for all others, who can do nothing without it.
_PATIENCE, _PATIENCE_WITH_OTHERS = 1.0, 15.0


class RollbackOrder(BaseModel):
    """How much has to go back, and why."""

    model_config = ConfigDict(extra="forbid", json_schema_extra={
        "examples": [{"reason": "the clinic reports missing risk scores"}],
    })  # fmt: skip

    reason: str = Field(min_length=1, max_length=2000, description="why; it goes into the record")
    level: Level = Field("service", description="component, service (all traffic) or system")
    component: str = Field(
        "", max_length=63, description="the component, with level component and no other"
    )
    dry_run: bool = Field(False, description="say what would happen, and do nothing")


class RollbackOutcome(BaseModel):
    """What `switchover rollback --json` prints; `group` only with level system."""

    migration: str = Field(examples=["mood"])
    incident: str = Field(examples=["mood-0b4f6f0a9c1d"])
    seconds: float | None = Field(
        description="from the order to the last router's acknowledgement", examples=[0.034]
    )
    routers: int = Field(description="live routers that turned", examples=[8])
    complete: bool = Field(description="whether all live routers turned")
    recorded: bool = Field(description="whether the ledger has it; reconcile completes it")
    pending: list[str] = Field(description="what was down, and completes later")
    level: Level = Field(description="how much went back")
    group: dict[str, Any] | None = Field(
        None, description="with level system: how the group's other migrations did"
    )


class RollbackPreview(BaseModel):
    """What `switchover rollback --dry-run --json` prints: nothing was done."""

    migration: str = Field(examples=["mood"])
    level: Level
    component: str
    traffic: list[str] = Field(description="what turns at once, in words")
    steps: list[dict[str, Any]] = Field(
        description="in order, each with level, wave, name, action, limit, probes and what a "
        "failure leads to; those of one wave run side by side"
    )
    warnings: list[str] = Field(description="what would go wrong")


@router.post(
    "/api/migrations/{migration}/rollback",
    response_model=RollbackOutcome | RollbackPreview,
    responses=responses(400, 401, 404, 409, 415, 422, 429, 503),
    summary="Send all traffic back to legacy, now; or one component, or the whole system",
)
async def order_rollback(
    migration: Annotated[Slug, Path(examples=["mood"])],
    order: RollbackOrder,
    request: Request,
    engine: Engine,
    sent: Sent,
    later: BackgroundTasks,
) -> Any:
    """Works from every phase, and with the database, Prefect or Slack down: traffic turns first.
    With the database down, people are admitted whom this process has admitted before. 503 names
    Redis when nothing confirms that routers have turned; 409 tells that the migration is past
    its point of no return, where only the command line can insist, or that not the whole system
    turned. One component, and a dry run, need the database. The plan's steps of the level follow
    on Prefect, and `GET /api/migrations/{migration}` shows them under `rollback`."""
    threads: anyio.CapacityLimiter = request.app.state.rollbacks
    actor = await _admitted(request.app.state.gate, sent, address_of(request.scope), threads)
    check_level(order.level, order.component)
    if order.dry_run:
        allowed: frozenset[str] = request.app.state.allow_commands
        found = await run_sync(
            lambda: preview(engine, migration, order.level, order.component, allowed=allowed),
            limiter=threads,
        )
        return redact_all(found.to_dict())
    outcome, group = await run_sync(
        lambda: roll_back_level(
            engine, migration, order.level, order.component, actor=actor, reason=order.reason
        ),
        limiter=threads,
    )
    if outcome.recorded:
        later.add_task(drain_later, engine)
    if wrong := outcome.unconfirmed() or left_behind(migration, group):
        return explained(wrong, later)
    told = {"level": order.level, "group": group.to_dict() if group else None}
    return {**outcome.to_dict(), **told}


def rollback_threads() -> anyio.CapacityLimiter:
    """Threads of their own: requests that wait for a dead database must not hold them."""
    return anyio.CapacityLimiter(_AT_ONCE)


async def _admitted(
    gate: Gate, sent: HTTPBasicCredentials | None, address: str, threads: anyio.CapacityLimiter
) -> str:
    """The person's name: by the register, or from memory when it does not answer, or looks at no
    code of theirs because others have guessed at it."""
    known = sent is not None and gate.remembers(sent)
    try:
        with anyio.fail_after(_PATIENCE if known else _PATIENCE_WITH_OTHERS):
            return await run_sync(
                gate.admit, sent, address, limiter=threads, abandon_on_cancel=True
            )
    except WrongCode as error:
        if sent is None or not known or error.compared:
            raise
    except (DependencyUnavailable, TimeoutError) as error:
        if sent is None or not known:
            raise nobody_identified() from error
    _log.warning("%s is admitted from memory to roll back", sent.username)
    return sent.username
