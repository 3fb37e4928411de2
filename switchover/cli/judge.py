"""`switchover judge replay PLAN --observations FILE`: would this plan have stopped it, and when?"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Annotated

import typer

from switchover.cli.replay_report import iso_time, tell, verdict_of
from switchover.cli.session import Json, Overlays, PlanFile, print_json, verb, warn
from switchover.errors import InputError, NegativeAnswer
from switchover.judge.replay import ReplayedLook, ReplayStage
from switchover.plan.stages import Stage, compile_gates, compile_rules, compile_stages

app = verb(no_args_is_help=True)


@app.callback()
def judge() -> None:
    """Judge recorded observations by a plan's gates."""


@app.command()
def replay(
    plan: PlanFile,
    observations: Annotated[
        Path,
        typer.Option(help="csv, jsonl or parquet with columns at, system, metric, value[, n]."),
    ],
    overlay: Overlays = None,
    every: Annotated[
        str, typer.Option(help="Time between two looks, like 60s. Default: the plan's look_every.")
    ] = "",
    stage: Annotated[
        str, typer.Option(help="Where to begin: shadow, canary-10. Default: the first canary.")
    ] = "",
    plot: Annotated[
        Path | None, typer.Option(help="Draw the evidence of every gate to this PNG file.")
    ] = None,
    json: Json = False,
) -> None:
    """Replay a recording through a plan's gates, look by look.

    Walks from the first canary through the plan's stages: a look that promotes, once the bake
    time is over, ends its stage, as if approvals came at once. Exit 1 if a look says rollback.

    at is in seconds or ISO 8601 (UTC without a zone), rows come in any order. system is legacy,
    candidate or pair. value of a yes/no metric is 1 or true for good, 0 or false for bad; of a
    count the number of events (or true for none); otherwise what was measured, times in seconds.
    n tells that a row stands for several: value is then the share of good ones. Rows of metrics
    without a gate are ignored and counted.
    """
    from switchover.cli.observations import read_observations
    from switchover.judge.replay import kinds_by_metric, walk
    from switchover.plan.load import load_plan
    from switchover.plan.units import seconds

    loaded = load_plan(plan, tuple(overlay or ())).plan
    try:
        step = seconds(every) if every else loaded.judgement.look_every
    except ValueError as error:
        raise InputError(f"--every: {error}") from error
    if not step > 0:
        raise InputError(f"--every: {every} is no time between two looks; write one like 60s")
    stages = _from(stage, compile_stages(loaded))
    gates, rules = compile_gates(loaded), compile_rules(loaded)
    if plot is not None:
        _drawable(plot)
    kinds = kinds_by_metric(gates)
    recording = read_observations(observations, kinds, step)
    for metric, rows in sorted(recording.ignored.items()):
        warn(f"{observations}: {rows:,} rows of {metric} ignored; no gate of the plan looks at it")
    if not recording.looks:
        raise InputError(
            f"{observations}: no observation of a metric with a gate; "
            f"the plan's are {', '.join(sorted(kinds)) or 'none'}"
        )
    shown: Callable[[float], object] = _number if recording.numeric else iso_time
    looks: list[ReplayedLook] = []
    for look in walk(gates, rules, stages, recording.looks, every=step):
        looks.append(look)
        if json:
            print_json(_document(look, stages, shown))
    if plot is not None:
        _draw(plot, looks, 1.0 / rules.alpha, rules.freeze_at)
    if not json:
        tell(looks, stages, recording.rows)
    if sentence := verdict_of(looks, stages):
        raise NegativeAnswer(sentence)


def _from(wanted: str, stages: Sequence[Stage]) -> tuple[ReplayStage, ...]:
    """The stages with traffic, from the wanted one."""
    walked = [stage for stage in stages if not stage.work and stage.kind != "complete"]
    if not walked:
        raise InputError("no stage of the plan has traffic, so there is nothing to judge")
    names = [stage.key for stage in walked]
    if wanted and wanted not in names:
        raise InputError(f"--stage: there is no {wanted!r}; one of {', '.join(names)}")
    canary = next((stage.key for stage in walked if stage.kind == "canary"), names[0])
    begin = names.index(wanted or canary)
    return tuple(ReplayStage(stage.title, stage.kind, stage.bake) for stage in walked[begin:])


def _document(
    look: ReplayedLook, stages: Sequence[ReplayStage], shown: Callable[[float], object]
) -> dict[str, object]:
    return {
        "at": shown(look.at),
        "verdict": look.reading.verdict.value,
        "stage": stages[look.stage].title,
        "gates": [
            {
                "gate": gate.gate,
                "verdict": gate.verdict.value,
                "estimate": gate.estimate,
                "n": gate.n,
                "rollback_evidence": gate.rollback_evidence,
                "promote_evidence": gate.promote_evidence,
                "need": gate.need,
            }
            for gate in look.reading.gates
        ],
    }


def _number(at: float) -> float | int:
    return int(at) if at == int(at) else at


def _drawable(plot: Path) -> None:
    """Refuse before the work what can't be written after it."""
    if plot.suffix.lower() != ".png":
        raise InputError(f"--plot: {plot} is not a PNG file; let its name end in .png")
    if not plot.absolute().parent.is_dir():
        raise InputError(f"--plot: there is no folder {plot.absolute().parent}; make it first")


def _draw(plot: Path, looks: Sequence[ReplayedLook], rollback_at: float, freeze_at: float) -> None:
    from switchover.reporting.plots import evidence_plot

    series: dict[str, list[tuple[float, float]]] = {}
    for look in looks:
        for gate in look.reading.gates:
            series.setdefault(gate.gate, []).append((look.at, gate.rollback_evidence))
    try:
        plot.write_bytes(evidence_plot(series, rollback_at=rollback_at, freeze_at=freeze_at))
    except OSError as error:
        raise InputError(f"--plot: {plot} can't be written ({error.strerror})") from error
