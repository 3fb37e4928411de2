"""How long each stage of a plan takes to decide at given traffic, and what it can find."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from math import ceil, inf
from typing import Any

from switchover.judge.forecast import Expectation, detectable, forecastable, seconds_to_promote
from switchover.judge.gate import GateSpec
from switchover.judge.reading import lasting
from switchover.judge.rollout import Rules, budget
from switchover.plan.catalogue import METRICS
from switchover.plan.spec import Plan
from switchover.plan.stages import Stage, compile_gates, compile_rules, compile_stages
from switchover.plan.traffic import Traffic
from switchover.plan.units import spoken

#: The least and the largest figure that makes sense, by kind; a share is that of all others.
_FIGURES = {
    "paired": (-1.0, 1.0, "a difference of two shares lies between -100% and 100%"),
    "mean": (0.0, inf, "a mean is not negative"),
    "memory": (-1.0, inf, "nothing can shrink by more than -100%"),
}
_SHARE = (0.0, 1.0, "a share lies between 0 and 100%")
#: Metrics of which the recorder writes down pairs (``Recorder(pair_metric=…)``).
OF_PAIRS = frozenset({"prediction_agreement_rate"})


@dataclass(frozen=True, slots=True)
class GateForecast:
    """A gate in one stage. ``expected`` and ``detectable`` are in the terms of its kind (see
    ``switchover.judge.expected``). ``need`` observations are what it takes to promote, in
    ``seconds`` of the stage, None for never; ``available`` is how many the bake time brings. A
    kind that can't be forecast has ``note`` and nothing else."""

    gate: str
    kind: str
    metric: str
    unit: str = "observations"
    expected: float | None = None
    need: int | None = None
    seconds: float | None = None
    available: float = 0.0
    in_bake: bool = False
    detectable: float | None = None
    report_only: bool = False
    note: str = ""


@dataclass(frozen=True, slots=True)
class StageForecast:
    """A stage with traffic; it ``begins`` so many seconds after the first one and lasts
    ``seconds``, None if a gate never decides. ``split`` and ``shadow`` are percentages."""

    key: str
    title: str
    kind: str
    split: float
    shadow: float
    bake: float
    begins: float
    seconds: float | None
    slowest: str
    gates: tuple[GateForecast, ...]


@dataclass(frozen=True, slots=True)
class Forecast:
    """All stages with traffic; ``seconds`` is their sum, None if one of them never ends."""

    migration: str
    rate: float
    stages: tuple[StageForecast, ...]
    seconds: float | None
    warnings: tuple[str, ...]

    def to_dict(self) -> dict[str, Any]:
        """Plain JSON values under the fields' names."""
        return asdict(self)


def forecast(
    plan: Plan,
    traffic: Traffic,
    candidate: Mapping[str, float] | None = None,
    legacy: Mapping[str, float] | None = None,
) -> Forecast:
    """What to expect of ``plan``. ``candidate`` and ``legacy`` are expected figures by the name
    of a gate or of its metric; shares of good ones for metrics that the plan counts so."""
    gates, rules = compile_gates(plan), compile_rules(plan)
    shares = budget([gate for gate in gates if not gate.report_only])
    teller = _Teller(plan, gates, rules, shares, candidate or {}, legacy or {})
    begins, past, looks, stages = 0.0, {"legacy": 0.0, "pair": 0.0}, 0, []
    for stage in compile_stages(plan):
        if stage.work or stage.kind == "complete":
            continue
        told = teller.stage(stage, traffic, begins, past, looks)
        stages.append(told)
        lasts = stage.bake if told.seconds is None else told.seconds
        flow, amount = traffic.flow(stage, past), traffic.amount(begins, lasts)
        past = {
            "legacy": past["legacy"] + flow.legacy * amount,
            "pair": past["pair"] + flow.pair * amount,
        }
        begins, looks = begins + lasts, looks + max(1, round(lasts / rules.gauge_seconds))
    endless = any(stage.seconds is None for stage in stages)
    return Forecast(
        migration=plan.migration,
        rate=traffic.rate,
        stages=tuple(stages),
        seconds=None if endless else begins,
        warnings=tuple(_warnings(stages)),
    )


class _Teller:
    """What stays the same from stage to stage."""

    def __init__(
        self,
        plan: Plan,
        gates: Sequence[GateSpec],
        rules: Rules,
        shares: Mapping[str, float],
        candidate: Mapping[str, float],
        legacy: Mapping[str, float],
    ) -> None:
        self._gates, self._rules, self._shares = gates, rules, shares
        self._candidate, self._legacy = candidate, legacy
        self._kinds = forecastable(OF_PAIRS)
        self._good = good_metrics(plan)

    def stage(
        self, stage: Stage, traffic: Traffic, begins: float, past: Mapping[str, float], looks: int
    ) -> StageForecast:
        gates = tuple(
            self._gate(gate, stage, traffic, begins, past, looks)
            for gate in self._gates
            if stage.kind in gate.stages
        )
        deciding = [gate for gate in gates if not (gate.report_only or gate.note)]
        slowest = max(deciding, key=lambda gate: inf if gate.seconds is None else gate.seconds,
                      default=None)  # fmt: skip
        seconds: float | None = stage.bake
        if slowest is not None:
            decided = slowest.seconds
            seconds = None if decided is None else max(stage.bake, decided)
        return StageForecast(
            key=stage.key,
            title=stage.title,
            kind=stage.kind,
            split=stage.split / 100,
            shadow=stage.shadow / 100,
            bake=stage.bake,
            begins=begins,
            seconds=seconds,
            slowest=slowest.gate if slowest is not None else "",
            gates=gates,
        )

    def _gate(
        self,
        spec: GateSpec,
        stage: Stage,
        traffic: Traffic,
        begins: float,
        past: Mapping[str, float],
        looks: int,
    ) -> GateForecast:
        kind = self._kinds.get(spec.kind)
        if kind is None:
            return GateForecast(
                spec.name, spec.kind, spec.metric, report_only=spec.report_only,
                note=f"kind {spec.kind} is not forecast",
            )  # fmt: skip
        flow, every = traffic.flow(stage, past), self._rules.gauge_seconds
        base = self._figure(self._legacy, spec, kind.base)
        level = self._figure(self._candidate, spec, kind.level(spec, base))
        what = Expectation(spec, self._rules, flow, level, base)
        # Intervals come by the clock, everything else with the traffic.
        clock = spec.kind == "memory"
        from_ = begins + spec.warm_up
        amount = seconds_to_promote(what, kind)
        lasts = amount if clock else traffic.lasts(from_, amount)
        seconds = None if lasts == inf else ceil((lasts + spec.warm_up) / every) * every
        each = 1.0 / every if clock else kind.per_second(spec, flow)
        stays = max(stage.bake, 0.0 if stage.bake else (seconds or 0.0)) - spec.warm_up
        window = max(0.0, stays if clock else traffic.amount(from_, max(0.0, stays)))
        share = 1.0 if spec.report_only else self._shares.get(spec.name, 1.0)
        return GateForecast(
            gate=spec.name,
            kind=spec.kind,
            metric=spec.metric,
            unit=kind.unit,
            expected=level,
            need=None if amount == inf else max(1, round(each * (amount - every / 2.0))),
            seconds=seconds,
            available=each * window,
            in_bake=seconds is not None and seconds <= max(stage.bake, every),
            detectable=detectable(what, kind, window, share, looks),
            report_only=spec.report_only,
        )

    def _figure(self, given: Mapping[str, float], spec: GateSpec, default: float) -> float:
        for name in (spec.name, spec.metric, spec.noise or ""):
            if name in given:
                return 1.0 - given[name] if counts_good(spec, self._good) else given[name]
        return default


def good_metrics(plan: Plan) -> frozenset[str]:
    """Metrics whose figures people give as a share of good ones, because the plan does."""
    good = {gate.metric for gate in plan.gates if gate.at_least is not None}
    good |= {metric.name for metric in METRICS.values() if metric.at_least is not None}
    return frozenset(good - {gate.metric for gate in plan.gates if gate.kind == "paired"})


def impossible(gates: Sequence[GateSpec], name: str, value: float) -> str:
    """Why no gate can bring the figure ``value`` of ``name``; empty where it can. What is told of
    legacy is a share for most kinds, and the noise of an interval for memory."""
    of_legacy, bare = name.startswith("legacy."), name.removeprefix("legacy.")
    for gate in gates:
        if bare not in (gate.name, gate.metric, gate.noise):
            continue
        low, high, fault = _FIGURES.get(gate.kind, _SHARE)
        if of_legacy and gate.kind == "paired":
            low, high, fault = 0.0, 0.5, "a share of requests that only one fails is at most 50%"
        elif of_legacy and gate.kind == "memory":
            low, fault = 0.0, "noise is not negative"
        if not low <= value <= high:
            return fault
    return ""


def counts_good(spec: GateSpec, good: frozenset[str]) -> bool:
    """Whether a gate's figures are given as shares of good ones."""
    return spec.metric in good and spec.kind in ("proportion", "relative_rate")


def _warnings(stages: Sequence[StageForecast]) -> list[str]:
    """Every gate that can't decide in its stage's bake time, and what is missing."""
    lines = []
    for stage in stages:
        for gate in stage.gates:
            if gate.note:
                lines.append(f"{stage.title}: gate {gate.gate}: {gate.note}")
            elif gate.seconds is None and not gate.available:
                lines.append(f"{stage.title}: gate {gate.gate} never decides: this stage brings it "
                             f"no {gate.unit}; raise the shadow sample, or take the stage out "
                             "of the gate's stages")  # fmt: skip
            elif gate.seconds is None:
                comes = f"{_count(gate.available)} {gate.unit} come in the bake time"
                lines.append(
                    f"{stage.title}: gate {gate.gate} never decides at what is expected; {comes}"
                )
            elif not gate.in_bake and stage.bake:
                lines.append(
                    f"{stage.title}: gate {gate.gate} can't decide in the bake time of "
                    f"{spoken(stage.bake)}: it needs about {about(gate.need or 0)} {gate.unit}, "
                    f"which take {lasting(gate.seconds)}, and {_count(gate.available)} come"
                )
    return lines


def about(number: int) -> str:
    """A number for people, as exact as a forecast is: two digits from a hundred on."""
    return f"{number if number < 100 else float(f'{number:.1e}'):,.0f}"


def _count(value: float) -> str:
    return f"{value:,.0f}"
