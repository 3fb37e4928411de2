"""The application: routers, who is asked, and what surrounds every request."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from functools import partial
from typing import Any

from fastapi import FastAPI
from fastapi.openapi.utils import get_openapi
from starlette.types import ASGIApp

from switchover.api import approvals, health, migrations, problem, rollback, slack
from switchover.api.auth import Gate
from switchover.api.envelope import Envelope
from switchover.api.health import Probe, Readiness
from switchover.api.rollback import rollback_threads
from switchover.api.slack_signature import SlackSignatures
from switchover.engine.context import Context
from switchover.errors import InputError

_DESCRIPTION = """\
What people ask and decide about migrations. Everything below `/api` wants HTTP Basic with an
approver's name and personal code (`switchover approvers add NAME`). Errors are
`application/problem+json`: `error`, `what_to_do` and the `request_id` that the log has."""


def build_app(
    engine: Context,
    probes: Mapping[str, Probe],
    *,
    slack_signing_secret: str = "",
    slack_api_url: str = "",
    allow_commands: frozenset[str] = frozenset(),
) -> ASGIApp:
    """The API over a connected engine; ``probes`` ask its dependencies for `/ready`.
    ``allow_commands`` are the programs that the operator lets plans run.

    Without ``slack_signing_secret`` Slack's buttons are off. Raises ``InputError`` for an engine
    without a register of approvers: everybody would be a stranger.
    """
    if engine.approvers is None:
        raise InputError("the API needs a register of approvers; build the engine with one")
    gate = Gate(engine.approvers)

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        # These belong to the event loop, which runs only now.
        app.state.readiness = Readiness(probes)
        app.state.rollbacks = rollback_threads()
        yield

    app = describe_app(lifespan=lifespan)
    app.state.engine = engine
    app.state.gate = gate
    app.state.allow_commands = allow_commands
    app.state.slack_signatures = (
        SlackSignatures(slack_signing_secret) if slack_signing_secret else None
    )
    app.state.tell_in_slack = slack.teller(slack_api_url)
    return Envelope(app)


def describe_app(**options: Any) -> FastAPI:
    """The routes without an engine behind them: enough for the OpenAPI document."""
    app = FastAPI(
        title="Switchover",
        version="1",
        description=_DESCRIPTION,
        openapi_url="/api/openapi.json",
        # Their pages would load scripts from other hosts.
        docs_url=None,
        redoc_url=None,
        **options,
    )
    app.openapi = partial(_openapi, app)  # type: ignore[method-assign]
    problem.install(app)
    for part in (migrations, approvals, rollback, slack, health):
        app.include_router(part.router)
    return app


def _openapi(app: FastAPI) -> dict[str, Any]:
    """The OpenAPI document, with the shape of errors, which no route returns by itself."""
    if app.openapi_schema is None:
        document = get_openapi(
            title=app.title, version=app.version, description=app.description, routes=app.routes
        )
        schemas = document.setdefault("components", {}).setdefault("schemas", {})
        schemas["Problem"] = problem.Problem.model_json_schema()
        app.openapi_schema = document
    return app.openapi_schema
