"""The plan: what a team writes down about one migration, as pydantic models.

Every key is known: a key that is not here is an error with a suggestion. Values keep the
units people write (``24h``, ``20%``); the models hold seconds, fractions and points.
"""

from __future__ import annotations

import difflib
from typing import Annotated, Any, Literal, Self

from pydantic import Field, model_validator

from switchover.plan.agreement import Agreement
from switchover.plan.approvals import Approvals
from switchover.plan.catalogue import METRICS, GateKind
from switchover.plan.checklist import Checklist
from switchover.plan.drill import Drill
from switchover.plan.flags import FeatureFlag
from switchover.plan.form import Form, Model, Slug, TableName, Target, Url, UrlPath, at_key
from switchover.plan.group import Group
from switchover.plan.notify import Notify
from switchover.plan.proxies import Proxy
from switchover.plan.rollback import Rollback
from switchover.plan.schedule import Schedule
from switchover.plan.sources import MetricName, Source
from switchover.plan.steps import Stage, default_stages
from switchover.plan.targets import MetricTarget
from switchover.plan.triggers import Triggers
from switchover.plan.units import Fraction, Limit, Seconds
from switchover.plan.work_items import WorkItems


class Request(Model):
    """One HTTP request that a check sends."""

    method: Literal["GET", "POST", "PUT"] = Field("GET", description="HTTP method")
    path: UrlPath = Field("/", description="path below the system's url")
    json_file: str | None = Field(None, description="JSON lines to take bodies from, in turn")


class System(Model):
    """One of the two implementations."""

    version: str = Field(min_length=1, description="the version that is deployed")
    url: Url = Field(description="where it answers")
    health: UrlPath = Field("/health", description="path that answers 200 when well")


class Systems(Model):
    """Both implementations."""

    legacy: System = Field(description="what serves today")
    candidate: System = Field(description="what shall serve")


class RequestKey(Model):
    """What keeps a caller on one side: the same key always gets the same system."""

    field: str = Field(min_length=1, description="name of the request's field")
    kind: Literal["string", "integer"] = Field(
        "string", description="string keys are hashed; integer keys use key mod 100"
    )


class CheckBase(Model):
    """Common to all checks."""

    name: Annotated[str, Field(min_length=1, max_length=80)] = Field(
        description="what reports call it"
    )
    system: Literal["legacy", "candidate"] = Field("candidate", description="which one it asks")
    timeout: Seconds = Field(60.0, description="the check fails after this time")


class HealthCheck(CheckBase):
    """The system's health path answers 200."""

    kind: Literal["health"] = Field(description="always health")


class LatencyCheck(CheckBase):
    """A short benchmark: the quantile of the response time stays below a limit."""

    kind: Literal["latency"] = Field(description="always latency")
    request: Request = Field(Request(), description="what it sends")
    requests: int = Field(500, ge=20, le=100_000, description="how many it sends")
    concurrency: int = Field(4, ge=1, le=64, description="how many at the same time")
    quantile: float = Field(0.99, gt=0, lt=1, description="0.99 is the 99th percentile")
    at_most: Seconds = Field(description="limit of that quantile")


class ContractCheck(CheckBase):
    """Live answers satisfy a JSON Schema."""

    kind: Literal["contract"] = Field(description="always contract")
    request: Request = Field(description="what it sends")
    requests: int = Field(20, ge=1, le=10_000, description="how many it sends")
    contract: str = Field(description="JSON Schema file, relative to the plan")


class CommandCheck(CheckBase):
    """A test command ends with 0; runs only if the operator allows its program."""

    kind: Literal["command"] = Field(description="always command")
    argv: Annotated[list[str], Field(min_length=1)] = Field(
        description="program and arguments, without a shell"
    )
    coverage_file: str | None = Field(None, description="coverage.py JSON report it writes")
    coverage: Fraction = Field(0.95, description="line coverage that the report must reach")


Check = Annotated[
    HealthCheck | LatencyCheck | ContractCheck | CommandCheck, Field(discriminator="kind")
]


class Gate(Model):
    """A rule on one metric. Exactly one of ``at_least`` and ``at_most`` is the rollback limit;
    without either the catalogue's default counts."""

    name: str | None = Field(None, max_length=80, description="default: the metric's name")
    metric: MetricName = Field(
        description="a name of the catalogue below, or one that your code records"
    )
    kind: GateKind | None = Field(None, description="default: from the metrics catalogue")
    at_least: Limit | None = Field(None, description="lower limit, for shares of good results")
    at_most: Limit | None = Field(None, description="upper limit, for everything else")
    promote_at_least: Limit | None = Field(None, description="stricter at_least, to go on")
    promote_at_most: Limit | None = Field(None, description="stricter at_most, to go on")
    quantile: float | None = Field(
        None, gt=0, lt=1, description="of quantile kinds; default: the metric's, or 0.99"
    )
    weight: float = Field(1.0, gt=0, description="share of the error budget, relative")
    minimum: int | None = Field(None, ge=1, description="observations before it may promote")
    stages: list[Literal["shadow", "canary"]] = Field(
        ["shadow", "canary"], min_length=1, description="kinds of stage that it judges"
    )
    critical: bool = Field(False, description="has a part of half the error budget for itself")
    report_only: bool = Field(False, description="is shown, and decides nothing")
    warm_up: Seconds = Field(0.0, description="first time of every stage, which is not judged")
    cap: Limit | None = Field(None, description="of kind mean: larger values count as this one")
    noise: MetricName | None = Field(
        None, description="of kind proportion: metric of legacy's agreement with itself"
    )
    bursty: bool = Field(False, description="judge whole intervals; legacy's bursts show it too")

    @model_validator(mode="after")
    def _has_a_limit(self) -> Self:
        known = METRICS.get(self.metric)
        kind = self.kind or (known.kind if known else None)
        if kind is None:
            guess = difflib.get_close_matches(self.metric, METRICS, n=1)
            advice = f"did you mean '{guess[0]}'?" if guess else "add a kind, like kind: proportion"
            raise at_key(
                "metric",
                f"'{self.metric}' is not in the metrics catalogue, so the gate "
                f"needs a kind; {advice}",
            )
        if self.at_least is not None and self.at_most is not None:
            raise at_key(
                "at_most", "a gate has one limit, and at_least is here too; keep one of them"
            )
        default = known and known.kind == kind and (known.at_least, known.at_most) != (None, None)
        if self.at_least is None and self.at_most is None and not default:
            raise at_key("", f"the gate on '{self.metric}' has no limit; add at_most or at_least")
        if kind != "proportion" and self.at_least is not None:
            raise at_key("at_least", f"a {kind} gate has an upper limit; use at_most")
        for key in ("at_least", "at_most"):
            value = getattr(self, key)
            if kind == "proportion" and value is not None and not 0 < value < 1:
                raise at_key(
                    key,
                    f"a proportion's limit lies between 0 and 1, not {value:g}; "
                    "write it like 0.85 or 85%",
                )
        return self  # fmt: skip


class Judgement(Model):
    """How sure the judge must be; change the defaults knowingly."""

    alpha: float = Field(0.01, gt=0, le=0.1, description="risk of a false rollback, whole rollout")
    alpha_promote: float = Field(0.05, gt=0, le=0.2, description="risk of a false promotion, stage")
    look_every: Seconds = Field(60.0, gt=0, description="time between two looks")
    no_data_after: Seconds = Field(600.0, description="alert when no evidence came for so long")
    no_data: Literal["hold", "rollback"] = Field("hold", description="what happens after that time")
    lost_at_most: Fraction = Field(
        0.01, description="share of a stage's recorded observations that may be lost on their way"
    )
    lost: Literal["hold", "note"] = Field("hold", description="what happens when more were lost")
    watch_after_complete: Seconds = Field(
        604800.0, le=7776000, description="gates that need no legacy go on to judge for so long"
    )


class Consumer(Model):
    """Somebody who reads the service's answers, and the shape they rely on."""

    name: Slug = Field(description="short name")
    adapter: Target = Field(description="module:function from candidate answer to their shape")
    contract: str = Field(description="JSON Schema file, relative to the plan")
    invariants: Target | None = Field(
        None, description="module:function that returns a list of broken invariants"
    )
    forbidden: list[str] = Field([], description="candidate-only fields that must not leak")
    recordings: str = Field(description="JSON lines of recorded candidate answers")
    minimum: int = Field(20, ge=1, description="recorded answers needed")


class Expectation(Model):
    """One Great Expectations rule by its name and arguments."""

    expect: Annotated[
        str,
        Field(pattern=r"^[a-z_]+$"),
        Form("the name of a Great Expectations rule", "column_values_to_be_between"),
    ] = Field(description="like column_values_to_be_between")
    arguments: dict[str, Any] = Field({}, description="as Great Expectations names them")


class DataCheck(Model):
    """A suite over one SQL table, run between every two steps."""

    name: Annotated[str, Field(min_length=1, max_length=80)] = Field(
        description="what reports call it"
    )
    database: str = Field(description="SQLAlchemy URL, or env:NAME of a variable that holds it")
    table: TableName = Field(description="table or schema.table")
    expectations: list[Expectation] = Field(min_length=1, description="what must hold")


class Contact(Model):
    """A person in the runbook."""

    name: str = Field(description="who")
    role: str = Field(description="what for")
    reach: str = Field(description="phone, pager or address")


class Plan(Model):
    """One migration from legacy to candidate."""

    switchover: Literal[1] = Field(description="version of the plan format")
    migration: Slug = Field(description="short name, used in commands and keys")
    title: str = Field(min_length=1, description="what people call it")
    contacts: list[Contact] = Field([], description="people to reach")
    systems: Systems = Field(description="both implementations")
    request_key: RequestKey = Field(description="what keeps a caller on one side")
    repeatable: list[Literal["POST", "PUT", "PATCH", "DELETE"]] = Field(
        [], description="unsafe HTTP methods that may be sent to both systems"
    )
    checks: list[Check] = Field([], description="development-phase checks of both systems")
    stages: list[Stage] = Field(
        default_factory=default_stages, min_length=1, description="the steps, in order"
    )
    gates: list[Gate] = Field(min_length=1, description="rules on metrics")
    targets: list[MetricTarget] = Field(
        [], description="how well whoever serves has to do, and when people are told"
    )
    triggers: Triggers = Field(
        Triggers(), description="what rolls back at once, and what alerts and holds"
    )
    judgement: Judgement = Field(Judgement(), description="how sure the judge must be")
    agreement: Agreement | None = Field(None, description="when two answers agree")
    consumers: list[Consumer] = Field([], description="who reads the answers, and their shape")
    data_checks: list[DataCheck] = Field([], description="suites over SQL tables")
    work_items: WorkItems | None = Field(
        None, description="where both systems keep the state of their work"
    )
    flags: list[FeatureFlag] = Field([], description="feature flags that it brings with it")
    approvals: Approvals | None = Field(None, description="who may approve")
    checklist: Checklist | None = Field(
        None, description="what must be done before the candidate gets traffic"
    )
    group: Group | None = Field(None, description="migrations that it moves together with")
    schedule: Schedule = Field(Schedule(), description="when advance runs by itself")
    notify: Notify = Field(Notify(), description="where notices go")
    rollback: Rollback = Field(Rollback(), description="the way back")
    drill: Drill | None = Field(None, description="rehearsals of the way back")
    proxies: list[Proxy] = Field([], description="proxies that split the traffic too")
    sources: list[Source] = Field([], description="where metrics come from besides the recorder")
