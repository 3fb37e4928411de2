"""Compile a plan to the list of stages that *explain* prints and the engine executes."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass

from switchover.judge.gate import GateSpec, kinds
from switchover.judge.rollout import Rules
from switchover.machine.split import FULL, percent_to_split
from switchover.plan.catalogue import AGREEMENT, METRICS, NOISE
from switchover.plan.spec import Gate, Plan
from switchover.plan.steps import CanaryStage, ShadowStage


@dataclass(frozen=True, slots=True)
class Stage:
    """One step of a migration.

    ``key`` names it in commands and records; ``mode``, ``split`` and ``shadow`` (basis points)
    are what routing shows while it lasts; ``bake`` is its shortest stay in seconds.
    ``work`` is true for a stage that is done once its work passed, without traffic.
    """

    index: int
    key: str
    kind: str
    mode: str
    split: int = 0
    shadow: int = 0
    bake: float = 0.0
    approval: bool = False
    work: bool = False
    data_check: bool = False
    reversibility: str = "reversible"
    compensation: str = ""

    @property
    def warning(self) -> str:
        """What whoever lets this stage begin has to know of the way back; empty if it is free."""
        if self.reversibility == "point_of_no_return":
            return (
                "This is the point of no return: from its first moment on a failure holds the "
                "migration and pages people, and nothing rolls back by itself."
            )
        return f"A rollback from here on leaves to do: {self.compensation}" * bool(
            self.compensation
        )

    @property
    def title(self) -> str:
        """What people call it: ``canary 25 %``."""
        return f"canary {self.split / 100:g} %" if self.kind == "canary" else self.kind


def compile_stages(plan: Plan) -> tuple[Stage, ...]:
    """The stages of ``plan`` in order; the last one is always ``complete``.

    A plan whose first stage has traffic gets a stage ``start`` before it, in which legacy serves
    and nothing is to do: traffic begins with a step, never with the acceptance of a plan.
    """
    stages: list[Stage] = []
    if isinstance(plan.stages[0], ShadowStage | CanaryStage):
        stages.append(Stage(0, "start", "start", "legacy_only", work=True))
    checked = bool(plan.data_checks) or plan.work_items is not None
    for index, spec in enumerate(plan.stages, start=len(stages)):
        if isinstance(spec, ShadowStage):
            stage = Stage(index, "shadow", "shadow", "parallel", bake=spec.bake,
                          shadow=percent_to_split(spec.sample), data_check=checked)  # fmt: skip
        elif isinstance(spec, CanaryStage):
            stage = Stage(index, f"canary-{spec.percent:g}", "canary", "gradual",
                          split=percent_to_split(spec.percent),
                          shadow=percent_to_split(spec.shadow),
                          bake=spec.bake, approval=spec.approval, data_check=checked,
                          reversibility=spec.reversibility,
                          compensation=spec.compensation or "")  # fmt: skip
        else:
            stage = Stage(index, spec.kind, spec.kind, "legacy_only", work=True)
        stages.append(stage)
    stages.append(Stage(len(stages), "complete", "complete", "candidate_only", split=FULL))
    return tuple(stages)


def compile_gates(plan: Plan) -> tuple[GateSpec, ...]:
    """The plan's gates as the judge wants them: every limit as an upper limit on what is bad."""
    noisy = plan.agreement is not None and plan.agreement.noise
    return tuple(_compile_gate(gate, NOISE if noisy else None) for gate in plan.gates)


def compile_rules(plan: Plan) -> Rules:
    """The judge's rules; the planned looks are those that fit into all bake times together."""
    bake = sum(stage.bake for stage in compile_stages(plan))
    looks = max(1, round(bake / plan.judgement.look_every))
    return Rules(
        alpha=plan.judgement.alpha,
        alpha_promote=plan.judgement.alpha_promote,
        planned_looks=looks,
        gauge_seconds=plan.judgement.look_every,
    )


def salt(plan: Plan) -> str:
    """The bucketing salt: from the slug alone, so that no pause, restart or retry moves a key."""
    return hashlib.sha256(f"switchover:{plan.migration}".encode()).hexdigest()[:16]


def _compile_gate(gate: Gate, noise: str | None) -> GateSpec:
    known = METRICS.get(gate.metric)
    kind = gate.kind or (known.kind if known else "proportion")
    at_least, at_most = gate.at_least, gate.at_most
    if at_least is None and at_most is None and known is not None:
        at_least, at_most = known.at_least, known.at_most
    promote_at_least, promote_at_most = gate.promote_at_least, gate.promote_at_most
    quantile = gate.quantile or (known.quantile if known else 0.99)
    return GateSpec(
        name=gate.name or gate.metric,
        kind=kind,
        metric=gate.metric,
        limit=_upper(at_least, at_most) or 0.0,
        promote_limit=_upper(promote_at_least, promote_at_most),
        quantile=quantile,
        weight=gate.weight,
        n_min=gate.minimum,
        stages=_stage_kinds(gate, kind),
        critical=gate.critical,
        report_only=gate.report_only,
        warm_up=gate.warm_up,
        cap=gate.cap,
        noise=gate.noise or (noise if (gate.metric, kind) == (AGREEMENT, "proportion") else None),
        bursty=gate.bursty,
        seconds=kind == "quantile" or (known is not None and known.unit == "seconds"),
    )


def _stage_kinds(gate: Gate, kind: str) -> tuple[str, ...]:
    """Only a canary has a split to measure; a gate that judges the candidate by itself goes on
    to do so after completion."""
    if kind == "sample_ratio":
        return ("canary",)
    alone = "canary" in gate.stages and "legacy" not in kinds()[kind].needs
    return (*gate.stages, *(("complete",) if alone else ()))


def _upper(at_least: float | None, at_most: float | None) -> float | None:
    """An upper limit on the bad rate: ``at least 0.85`` good is ``at most 0.15`` bad."""
    return 1 - at_least if at_least is not None else at_most
