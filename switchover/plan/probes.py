"""Probes: one question each to a system, a database or a metric, with the answer that is expected.

They say whether the way back worked: after a rollback, after one of its steps, and in a drill.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Mapping
from typing import Annotated, Any, Literal, Self

from pydantic import Field, model_validator

from switchover.judge.path import reach
from switchover.judge.target import TargetKind
from switchover.plan.catalogue import METRICS
from switchover.plan.form import VARIABLE, Form, Model, Url, UrlPath, at_key
from switchover.plan.sources import Database, MetricName, Text
from switchover.plan.units import Limit, Seconds

#: Headers whose value is a secret, so that a plan names a variable that holds it; the key of an
#: idempotent request is none.
_SECRET_HEADER = re.compile(
    r"auth(?!or)|authori|cookie|token|secret|(?<!idempotency-)key|passw|credential|session",
    re.IGNORECASE,
)
#: What a secret begins with, whatever its header is called.
_SECRET_VALUE = re.compile(r"(bearer|basic|digest)\s+\S", re.IGNORECASE)
_VARIABLE = re.compile(VARIABLE.removesuffix("$"))
#: What a statement that reads begins with.
_READS = re.compile(r"(select|with|values|table)\b", re.IGNORECASE)
#: Text, quoted names and comments, in which a ``;`` ends nothing.
_QUOTED = re.compile(r"'(?:[^']|'')*'|\"(?:[^\"]|\"\")*\"|--[^\n]*|/\*.*?\*/", re.DOTALL)

HeaderName = Annotated[
    str, Field(pattern=r"^[A-Za-z0-9-]+$"), Form("the name of an HTTP header", "Authorization")
]


def keep_secrets(headers: Mapping[str, str]) -> None:
    """Refuse a header whose value is a secret and stands in the plan, names no variable after env:,
    or that no request can carry. The message never repeats it."""
    for name, value in headers.items():
        if value.startswith("env:"):
            if not _VARIABLE.fullmatch(value):
                raise at_key(
                    "headers",
                    f"what follows env: in {name} is no name of a variable; write env:NAME, "
                    "with letters, digits and _, and the value into that variable",
                )
        elif _SECRET_HEADER.search(name) or _SECRET_VALUE.match(value):
            raise at_key(
                "headers",
                f"the value of {name} is a secret; write env:NAME of a variable that holds it",
            )
        elif not (value.isascii() and value.isprintable()):
            raise at_key(
                "headers", f"the value of {name} has characters that no header has; write it on "
                "one line, with ASCII characters",
            )  # fmt: skip


class ProbeBase(Model):
    """Common to all probes."""

    name: Annotated[str, Field(min_length=1, max_length=80)] = Field(
        description="what reports call it"
    )
    timeout: Seconds = Field(10.0, gt=0, le=600, description="one attempt fails after this time")


class ExpectedAnswer(Model):
    """What an HTTP answer has to be."""

    status: int = Field(200, ge=100, le=599, description="its status code")
    values: dict[str, Any] = Field({}, description="path in the JSON answer, and what stands there")
    contract: str | None = Field(None, description="JSON Schema file, relative to the plan")
    contains: Text | None = Field(None, description="text that is in the answer")
    at_most: Seconds | None = Field(None, gt=0, description="longest time to answer")

    @model_validator(mode="after")
    def _leads_to_values(self) -> Self:
        for path in self.values:
            try:
                reach(path)
            except ValueError as error:
                raise at_key("values", str(error)) from None
        return self


class HttpProbe(ProbeBase):
    """One HTTP request, and what its answer has to be."""

    kind: Literal["http"] = Field(description="always http")
    system: Literal["legacy", "candidate"] = Field("legacy", description="which one it asks")
    url: Url | None = Field(None, description="asks this address instead of a system")
    method: Literal["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE"] = Field(
        "GET", description="HTTP method"
    )
    path: UrlPath | None = Field(
        None, description="path below the address; default: the system's health path"
    )
    headers: dict[HeaderName, Text] = Field(
        {}, description="headers; env:NAME is the value of that variable"
    )
    body: Any = Field(None, description="JSON value that it sends")
    expect: ExpectedAnswer = Field(ExpectedAnswer(), description="what the answer has to be")

    @model_validator(mode="after")
    def _keeps_secrets(self) -> Self:
        keep_secrets(self.headers)
        return self


class ExpectedRows(Model):
    """What a query has to give: so many rows, or a value in the first column of its first row."""

    value: str | bool | int | float | None = Field(None, description="exactly this value")
    at_least: float | None = Field(None, allow_inf_nan=False, description="no smaller number")
    at_most: float | None = Field(None, allow_inf_nan=False, description="no larger number")
    rows: int | None = Field(None, ge=0, description="so many rows")

    @model_validator(mode="after")
    def _says_something(self) -> Self:
        if (self.value, self.at_least, self.at_most, self.rows) == (None, None, None, None):
            raise at_key("", "it expects nothing; add value, at_least, at_most or rows")
        if self.value is not None and (self.at_least, self.at_most) != (None, None):
            raise at_key("value", "a bound is here too; keep one of them")
        return self


class SqlProbe(ProbeBase):
    """One query that only reads, and what it has to give: SQLite or PostgreSQL."""

    kind: Literal["sql"] = Field(description="always sql")
    database: Database = Field(description="variable with a SQLAlchemy URL")
    query: Text = Field(description="one SELECT")
    expect: ExpectedRows = Field(description="what it has to give")

    @model_validator(mode="after")
    def _reads_only(self) -> Self:
        bare = _QUOTED.sub(" ", self.query).strip().removesuffix(";")
        if ";" in bare:
            raise at_key("query", "this is more than one statement; write one SELECT")
        if not _READS.match(bare.lstrip(" (\n\t")):
            raise at_key("query", "a probe only reads; write one SELECT")
        return self


class MetricProbe(ProbeBase):
    """A bound on a metric, over what was recorded since the rollback or the last while."""

    kind: Literal["metric"] = Field(description="always metric")
    metric: MetricName = Field(description="a name of the catalogue, or one that your code records")
    measure: TargetKind | None = Field(
        None, description="how it is read; default: from the metrics catalogue"
    )
    system: Literal["legacy", "candidate", "pair"] = Field("legacy", description="of which system")
    at_least: Limit | None = Field(None, description="lower limit")
    at_most: Limit | None = Field(None, description="upper limit")
    quantile: float | None = Field(
        None, gt=0, lt=1, description="of measure quantile; default: the metric's, or 0.95"
    )
    minimum: int | None = Field(
        None, ge=1, description="fewer observations prove nothing; default: 30, of count 1"
    )
    over: Seconds | None = Field(
        None, ge=1, description="how far back it looks; default: to the rollback, or 15 min"
    )

    @model_validator(mode="after")
    def _has_one_bound(self) -> Self:
        if (self.at_least is None) == (self.at_most is None):
            raise at_key("", f"the probe of '{self.metric}' needs one of at_least and at_most")
        if measured_as(self) is None:
            guess = difflib.get_close_matches(self.metric, METRICS, n=1)
            meant = f"did you mean '{guess[0]}'? If not, " if guess else ""
            raise at_key(
                "metric",
                f"nothing says how '{self.metric}' is read; {meant}add measure: proportion, "
                "quantile, mean or count",
            )
        if self.at_least is not None and measured_as(self) in ("quantile", "count"):
            raise at_key("at_least", f"a {measured_as(self)} has an upper limit; use at_most")
        return self


class CommandProbe(ProbeBase):
    """A program ends with 0; runs only if the operator allows it."""

    kind: Literal["command"] = Field(description="always command")
    argv: Annotated[list[str], Field(min_length=1)] = Field(
        description="program and arguments, without a shell"
    )


Probe = Annotated[HttpProbe | SqlProbe | MetricProbe | CommandProbe, Field(discriminator="kind")]


def measured_as(probe: MetricProbe) -> TargetKind | None:
    """How the probe's metric is read, by its own word or the catalogue's; None where neither
    says so."""
    known = METRICS.get(probe.metric)
    kinds: dict[str, TargetKind] = {
        "proportion": "proportion", "quantile": "quantile", "mean": "mean", "count": "count",
    }  # fmt: skip
    return probe.measure or (kinds.get(known.kind) if known else None)
