"""Migrations over HTTP: the list, and one with its evidence."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Path
from fastapi.responses import JSONResponse

from switchover.api.auth import Person
from switchover.api.engine import Engine
from switchover.api.problem import responses
from switchover.canonical import finite
from switchover.engine.collect import collect
from switchover.engine.status import status
from switchover.errors import NoLedger
from switchover.incidents.redaction import redact_all
from switchover.plan.form import Slug

router = APIRouter(tags=["migrations"])

_STATE = {
    "migration": "mood", "revision": 12, "phase": "awaiting_approval", "stage": 3,
    "mode": "gradual", "split": 2500, "epoch": 9, "attempt": 1,
}  # fmt: skip
_STATUS = {
    "migration": "mood", "title": "Mood detector", "phase": "awaiting_approval",
    "stage": "canary 25 %", "mode": "gradual", "split": 25.0, "revision": 12, "epoch": 9,
    "attempt": 1, "why": "waiting for approval mood-1f2e3d4c5b of canary 25 % until "
    "Thu 2026-03-05 09:00 UTC; `switchover approve mood` or `switchover reject mood` decides",
}  # fmt: skip


def _example(document: Any) -> dict[int | str, dict[str, Any]]:
    return {200: {"content": {"application/json": {"example": document}}}}


@router.get(
    "/api/migrations",
    response_class=JSONResponse,
    responses=responses(401, 429, 503) | _example({"migrations": [_STATE]}),
    summary="List all migrations",
)
def list_migrations(engine: Engine, person: Person) -> JSONResponse:
    """The states that `switchover list --json` prints; `split` in hundredths of a percent."""
    try:
        states = engine.ledger.migrations()
    except NoLedger:
        states = []
    return JSONResponse({"migrations": [finite(state.to_dict()) for state in states]})


@router.get(
    "/api/migrations/{migration}",
    response_class=JSONResponse,
    responses=responses(401, 404, 422, 429, 503) | _example(_STATUS),
    summary="Show where a migration stands, with its evidence",
)
def show_migration(
    migration: Annotated[Slug, Path(examples=["mood"])], engine: Engine, person: Person
) -> JSONResponse:
    """The document that `switchover status --json` prints; the example shows its beginning."""
    collect(engine, migration, elsewhere=False)
    document = status(engine, migration)
    # A plan may hold a secret after all, in the address or the program of a step.
    document["rollback"] = redact_all(document["rollback"])
    return JSONResponse(finite(document))
