"""What both services share: the HTTP application, its checks of a request, its counters."""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import os
import resource
import sys
import time
import uuid
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import uvicorn
from fastapi import FastAPI, Request, Response
from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, FiniteFloat
from pydantic_core import to_json

from examples.mood.assessments import Assessment, Assessments
from examples.mood.models import Model, UnusableModels, load

#: Marks a shadow call: its answer is compared, never used.
SHADOW_HEADER = "x-switchover-shadow"
REQUEST_HEADER = "x-request-id"
HORIZON_HOURS = 24

Count = Annotated[FiniteFloat, Field(ge=0)]
Hours = Annotated[FiniteFloat, Field(ge=0, le=24)]


class Week(BaseModel):
    """A subject's last week: hourly mean counts and hours asleep per day, oldest first."""

    model_config = ConfigDict(extra="forbid")

    subject: str = Field(min_length=1, max_length=100)
    window_end: AwareDatetime
    activity: list[Count] = Field(min_length=168, max_length=168)
    sleep: list[Hours] = Field(min_length=7, max_length=7)


@dataclass(frozen=True)
class Call:
    """One request on its way to an answer."""

    week: Week
    request_id: str
    shadow: bool
    activity: np.ndarray[Any, np.dtype[np.float64]]
    sleep: np.ndarray[Any, np.dtype[np.float64]]
    now: datetime


class Failure(Exception):
    """The service cannot answer this request; becomes HTTP 500."""


#: Makes the answer: the call, then every model that the service loaded.
Answerer = Callable[[Call, Mapping[str, Model]], dict[str, Any]]


@dataclass
class Counters:
    """What ``/metrics.json`` tells."""

    system: str
    version: str
    began: float = field(default_factory=time.monotonic)
    requests: int = 0
    shadow_requests: int = 0
    errors: int = 0

    def as_json(self, stored: int) -> dict[str, Any]:
        """Counts since the start; sizes in bytes, times in seconds."""
        return {
            "system": self.system,
            "version": self.version,
            "requests": self.requests,
            "shadow_requests": self.shadow_requests,
            "errors": self.errors,
            "assessments_stored": stored,
            "rss_bytes": resident_bytes(),
            "uptime_seconds": round(time.monotonic() - self.began, 3),
            "cpu_seconds": round(time.process_time(), 4),
        }


def resident_bytes() -> int:
    """Memory of this process that is in RAM; without ``/proc``, the most it ever had."""
    statm = Path("/proc/self/statm")
    if statm.exists():
        return int(statm.read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == "darwin" else peak * 1024


@dataclass(frozen=True)
class Service:
    """One system: its name, version, models and the way it answers."""

    system: str
    version: str
    models: Mapping[str, Model]
    answer: Answerer
    store: Assessments
    #: Where the demo's faults go in: seconds to wait before an answer, and what is sent for it.
    delay: Callable[[Call], float] = lambda call: 0.0
    outgoing: Callable[[Call, dict[str, Any]], dict[str, Any]] = lambda call, document: document

    def application(self) -> FastAPI:
        """The ASGI application."""
        counters = Counters(self.system, self.version)

        @contextlib.asynccontextmanager
        async def lifespan(app: FastAPI) -> AsyncIterator[None]:
            async with self.store.writing():
                yield

        app = FastAPI(
            title=f"Mood detector ({self.system})", version=self.version, lifespan=lifespan
        )

        @app.post("/predict")
        async def predict(week: Week, request: Request) -> Response:
            """Assess one week."""
            call = _call(week, request)
            counters.requests += 1
            counters.shadow_requests += call.shadow
            try:
                if (delay := self.delay(call)) > 0:
                    await asyncio.sleep(delay)
                document = self.answer(call, self.models)
            except Failure as failure:
                counters.errors += 1
                return _json({"detail": str(failure)}, 500)
            self.store.add(Assessment.of(call.request_id, self.system, call.shadow, document, call))
            return _json(self.outgoing(call, document))

        @app.get("/health")
        async def health() -> dict[str, str]:
            """The process answers."""
            return {"status": "ok", "system": self.system, "version": self.version}

        @app.get("/ready")
        async def ready() -> Response:
            """The models are loaded and the store takes writes."""
            problem = self.store.problem
            document = {"ready": not problem, "models": sorted(self.models), "problem": problem}
            return _json(document, 503 if problem else 200)

        @app.get("/metrics.json")
        async def metrics() -> dict[str, Any]:
            """Counters since the start."""
            return counters.as_json(self.store.stored)

        return app


def _call(week: Week, request: Request) -> Call:
    return Call(
        week,
        request.headers.get(REQUEST_HEADER) or uuid.uuid4().hex,
        request.headers.get(SHADOW_HEADER) == "1",
        np.array(week.activity),
        np.array(week.sleep),
        datetime.now(UTC),
    )


def _json(document: Mapping[str, Any], status: int = 200) -> Response:
    return Response(to_json(document), status, media_type="application/json")


def parser(module: str, version: str) -> argparse.ArgumentParser:
    """The options that both services take."""
    made = argparse.ArgumentParser(
        prog=f"python -m {module}", description=f"Mood detector {version}"
    )
    made.add_argument("--host", default="127.0.0.1", help="address to listen on")
    made.add_argument("--port", type=int, required=True)
    made.add_argument("--models", type=Path, required=True, help="folder written by train")
    made.add_argument("--store", type=Path, help="SQLite file (default: beside the models)")
    return made


def serve(
    options: argparse.Namespace,
    system: str,
    version: str,
    models: Sequence[str],
    answer: Answerer,
    **hooks: Any,
) -> int:
    """Load, listen until told to stop; 2 when the models or the store are unusable."""
    try:
        loaded = load(options.models, models)
        store = Assessments(options.store or options.models / f"{system}.sqlite")
    except (UnusableModels, OSError) as error:
        print(error, file=sys.stderr)
        return 2
    service = Service(system, version, loaded, answer, store, **hooks)
    uvicorn.run(
        service.application(),
        host=options.host,
        port=options.port,
        access_log=False,
        log_level="warning",
        timeout_graceful_shutdown=10,
    )
    return 0
