"""The usual triggers, and all triggers of a plan as the judge wants them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from functools import cache, lru_cache

from switchover.judge.target import TargetKind, TargetSpec
from switchover.judge.trigger import Color, TriggerSpec
from switchover.plan.catalogue import METRICS
from switchover.plan.probes import ExpectedRows, HttpProbe, SqlProbe
from switchover.plan.sources import feeds
from switchover.plan.spec import Plan
from switchover.plan.targets import KINDS
from switchover.plan.triggers import Trigger, TriggerProbe, kind_of

#: Metrics that tell of failing requests and of their time; the first that a plan names is taken.
_FAILING = ("success_rate", "error_rate")
_TIMES = ("response_time_p95", "prediction_latency_p99", "duration_avg")
#: How long databases may be out of reach.
_UNREACHED = 60.0

#: Names of the usual triggers; each database has one, named after it.
USUAL = (
    "isolation", "golden path", "failing requests", "slower than legacy", "data stores",
    "event delivery", "failing executions", "integration tests", "memory growth", "authentication",
)  # fmt: skip


def triggers_of(plan: Plan) -> tuple[tuple[Color, Trigger], ...]:
    """Every trigger of ``plan``, its own before the usual ones."""
    written = [(color, trigger) for color, _, trigger in plan.triggers.listed]
    taken = {trigger.title for _, trigger in written} | set(plan.triggers.without)
    usual = _usual(plan) if plan.triggers.defaults else ()
    added = [each for each in usual if not {each[1].title, _family(each[1].title)} & taken]
    return (*written, *added)


def probes_of(plan: Plan) -> dict[str, TriggerProbe]:
    """What the triggers of ``plan`` ask, by the trigger's name."""
    return {each.title: each.probe for _, each in triggers_of(plan) if each.probe is not None}


def compile_triggers(plan: Plan) -> tuple[TriggerSpec, ...]:
    """All triggers of ``plan``; for one that has passed its rules."""
    patience = plan.judgement.no_data_after
    return tuple(_compile(color, trigger, patience) for color, trigger in triggers_of(plan))


def _compile(color: Color, trigger: Trigger, patience: float) -> TriggerSpec:
    after = trigger.after
    if after is None:
        after = 0.0 if color == "red" and trigger.metric is not None else 300.0
    above = trigger.above_legacy
    return TriggerSpec(
        name=trigger.title,
        color=color,
        window=None if trigger.metric is None else _window(color, trigger, trigger.metric, after),
        ratio=None if above is None else 1.0 + above,
        after=after,
        every=trigger.every,
        timeout=trigger.probe.timeout if trigger.probe else 0.0,
        patience=patience,
        unread_fires=trigger.no_data == "fire",
    )


def _window(color: Color, trigger: Trigger, metric: str, after: float) -> TargetSpec:
    known = METRICS.get(metric)
    kind: TargetKind | None = next((kind for kind in KINDS if kind == kind_of(trigger)), None)
    if kind is None:
        raise ValueError(f"{metric}: a metric of its kind can have no trigger")
    limit = trigger.at_least if trigger.at_least is not None else trigger.at_most or 0.0
    usual = 86_400.0 if kind == "count" else 300.0 if color == "red" else 900.0
    return TargetSpec(
        name=trigger.title,
        metric=metric,
        kind=kind,
        target=limit,
        alert=limit,
        at_least=trigger.at_least is not None,
        quantile=trigger.quantile or (known.quantile if known else 0.95),
        over=trigger.over or usual,
        after=0.0 if kind == "count" and trigger.after is None else after,
        minimum=trigger.minimum or (1 if kind == "count" else 30),
        seconds=kind == "quantile" or (known is not None and known.unit == "seconds"),
    )


def _usual(plan: Plan) -> Iterator[tuple[Color, Trigger]]:
    """What most rollouts want; of rates and times those that the plan names somewhere."""
    named = _named(plan)
    failing = next((metric for metric in _FAILING if metric in named), _FAILING[0])
    time = next((metric for metric in _TIMES if metric in named), _TIMES[0])
    good = METRICS[failing].at_least is not None
    yield "red", _of("isolation", "isolation_violations", at_most=0.0)
    yield "red", _golden_path()
    yield "red", _of("failing requests", failing, **_worst(good, 0.3))
    yield "red", _of("slower than legacy", time, above_legacy=0.5)
    for database in _databases(plan):
        name = f"data stores: {database.removeprefix('env:')}"
        yield "red", _data_store(name, database)
    yield "amber", _of("event delivery", "event_delivery_rate", at_least=0.95)
    executions = "execution_success_rate" if "execution_success_rate" in named else failing
    upper = METRICS[executions].at_least is not None
    yield "amber", _of("failing executions", executions, **_worst(upper, 0.1))
    yield "amber", _of("integration tests", "integration_test_rate", at_least=0.8, over=21_600.0,
                       minimum=10)  # fmt: skip
    yield "amber", _of("memory growth", "memory_usage_delta", above_legacy=0.2, minimum=10)
    yield "amber", _of("authentication", "authentication_rate", at_least=0.95)


def _worst(at_least: bool, bad: float) -> dict[str, float]:
    return {"at_least": 1.0 - bad} if at_least else {"at_most": bad}


# The usual triggers are the same in all plans, and asked for at each look: so they are kept.
@cache
def _of(name: str, metric: str, **limits: float) -> Trigger:
    return Trigger.model_validate({"name": name, "metric": metric, **limits})


@cache
def _golden_path() -> Trigger:
    probe = HttpProbe(kind="http", name="golden path", system="candidate")
    return _asking("golden path", probe, 300.0)


@lru_cache(1024)
def _data_store(name: str, database: str) -> Trigger:
    probe = SqlProbe(kind="sql", name=name, database=database, query="SELECT 1",
                     expect=ExpectedRows(value=1))  # fmt: skip
    return _asking(name, probe, _UNREACHED)


def _asking(name: str, probe: TriggerProbe, after: float) -> Trigger:
    return Trigger.model_validate({"name": name, "probe": probe, "after": after})


def _family(name: str) -> str:
    return name.partition(":")[0]


def _named(plan: Plan) -> set[str]:
    """The metrics that the plan speaks of."""
    written: Iterable[str] = (feed.metric for source in plan.sources for feed in feeds(source))
    return {*(gate.metric for gate in plan.gates), *(t.metric for t in plan.targets), *written}


def _databases(plan: Plan) -> list[str]:
    """The data stores that the plan names by a variable, each once."""
    items = plan.work_items
    tables = [items.legacy.database, items.candidate.database] if items else []
    found = [*(check.database for check in plan.data_checks), *tables]
    return [name for name in dict.fromkeys(found) if name.startswith("env:")]
