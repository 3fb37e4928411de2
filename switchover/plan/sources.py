"""The plan's section ``sources``: where metrics come from besides the recorder."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from switchover.plan.form import (
    VARIABLE,
    VARIABLE_WORDS,
    Form,
    Model,
    Slug,
    Token,
    Url,
    at_key,
)
from switchover.plan.units import Seconds

MetricName = Annotated[
    str,
    Field(pattern=r"^[a-z][a-z0-9_]*$"),
    Form("a metric's name of lower-case letters, digits and _", "success_rate"),
]
Database = Annotated[
    str, Field(pattern=VARIABLE), Form(VARIABLE_WORDS, "env:OUTCOMES_DATABASE", secret=True)
]
Text = Annotated[str, Field(min_length=1)]
Side = Literal["legacy", "candidate", "pair"]


def _one_form(total: str | None, bad: str | None, others: dict[str, str | None]) -> None:
    """Raise unless exactly one way of reading is there; ``bad`` goes with ``total``."""
    given = [name for name, value in {"total": total, **others}.items() if value is not None]
    choice = ", ".join(["total (with bad)", *list(others)])
    if bad is not None and total is None:
        raise at_key("bad", "bad events are a part of all events; add total")
    if not given:
        raise at_key("", f"nothing says what is read; add one of {choice}")
    if given[1:]:
        raise at_key(given[1], f"{given[0]} is here too; keep one of {choice}")


class PromQL(Model):
    """What is read of one system: counters, a histogram or a gauge."""

    total: Text | None = Field(None, description="selector of counters: all events")
    bad: Text | None = Field(None, description="selector of counters: the bad ones among them")
    buckets: Text | None = Field(None, description="selector of a histogram's _bucket series")
    gauge: Text | None = Field(None, description="any PromQL whose value is one now")

    @model_validator(mode="after")
    def _one(self) -> Self:
        _one_form(self.total, self.bad, {"buckets": self.buckets, "gauge": self.gauge})
        return self


class JsonPaths(Model):
    """What is read of one system: counters that only grow, or a gauge."""

    total: Text | None = Field(None, description="path of the number of all events")
    bad: Text | None = Field(None, description="path of the number of bad ones among them")
    gauge: Text | None = Field(None, description="path of a value that is one now")

    @model_validator(mode="after")
    def _one(self) -> Self:
        _one_form(self.total, self.bad, {"gauge": self.gauge})
        return self


class PrometheusMetric(Model):
    """One metric, and how Prometheus tells it of each system."""

    metric: MetricName = Field(description="the metric that gates name")
    legacy: PromQL | None = Field(None, description="of the legacy system")
    candidate: PromQL | None = Field(None, description="of the candidate")


class HttpMetric(Model):
    """One metric, and where the document has it of each system."""

    metric: MetricName = Field(description="the metric that gates name")
    legacy: JsonPaths | None = Field(None, description="of the legacy system")
    candidate: JsonPaths | None = Field(None, description="of the candidate")


class SqlMetric(Model):
    """One metric, and the query that gives its rows."""

    metric: MetricName = Field(description="the metric that gates name")
    query: Text = Field(
        description="one SELECT that gives at, system and value, or at, system, n and bad, "
        "of the time from :since to before :until"
    )
    systems: list[Side] = Field(
        ["legacy", "candidate"], min_length=1, description="what the column system may say"
    )
    times: Literal["timestamp", "seconds"] = Field(
        "timestamp", description="what :since and :until are; seconds since 1970"
    )


class SourceBase(Model):
    """Common to all sources."""

    name: Slug = Field(description="short name, used in messages")
    every: Seconds = Field(15.0, gt=0, description="shortest time between two readings")
    timeout: Seconds = Field(5.0, gt=0, le=30, description="a reading that takes longer fails")
    unreadable_after: Seconds = Field(300.0, description="alert when it fails for so long")
    unreadable: Literal["hold", "rollback"] = Field(
        "hold", description="what happens after that time; until then nothing moves forward"
    )


class PrometheusSource(SourceBase):
    """A Prometheus, or what answers like one."""

    kind: Literal["prometheus"] = Field(description="always prometheus")
    url: Url = Field(description="its address, without /api/v1")
    token: Token | None = Field(None, description="variable with a bearer token")
    delay: Seconds = Field(30.0, description="samples may arrive so late")
    metrics: list[PrometheusMetric] = Field(min_length=1, description="what is read")


class SqlSource(SourceBase):
    """A database, reached read-only: SQLite or PostgreSQL."""

    kind: Literal["sql"] = Field(description="always sql")
    database: Database = Field(description="variable with a SQLAlchemy URL")
    delay: Seconds = Field(30.0, description="rows may arrive so late; later ones don't count")
    metrics: list[SqlMetric] = Field(min_length=1, description="what is read")


class HttpSource(SourceBase):
    """A JSON document with counters or gauges."""

    kind: Literal["http"] = Field(description="always http")
    url: Url = Field(description="where it is read with GET")
    token: Token | None = Field(None, description="variable with a bearer token")
    metrics: list[HttpMetric] = Field(min_length=1, description="what is read")


Source = Annotated[PrometheusSource | SqlSource | HttpSource, Field(discriminator="kind")]
Way = PromQL | JsonPaths | SqlMetric


@dataclass(frozen=True, slots=True)
class Feed:
    """What is read at once and continued by itself: a metric of a system, or one SQL query.

    ``place`` is where the plan has it; ``digest`` changes with the question or the address.
    """

    metric: str
    systems: tuple[str, ...]
    way: Way
    digest: str
    place: tuple[str | int, ...]

    @property
    def key(self) -> str:
        """Its name within the source."""
        return (
            self.metric if isinstance(self.way, SqlMetric) else f"{self.metric}/{self.systems[0]}"
        )


def feeds(source: PrometheusSource | SqlSource | HttpSource) -> tuple[Feed, ...]:
    """Everything that is read from ``source``, in order."""
    if isinstance(source, SqlSource):
        return tuple(
            Feed(
                asked.metric,
                tuple(asked.systems),
                asked,
                _digest(source.database, asked),
                ("metrics", index),
            )
            for index, asked in enumerate(source.metrics)
        )
    metrics: Sequence[PrometheusMetric | HttpMetric] = source.metrics
    return tuple(
        Feed(asked.metric, (side,), way, _digest(source.url, way), ("metrics", index, side))
        for index, asked in enumerate(metrics)
        for side, way in (("legacy", asked.legacy), ("candidate", asked.candidate))
        if way is not None
    )


def _digest(address: str, way: Way) -> str:
    return hashlib.sha256(f"{address} {way.model_dump_json()}".encode()).hexdigest()[:12]
