"""`switchover judge replay PLAN`: would this plan have stopped it, and when?"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Annotated

import typer

from switchover.cli.replay_report import (
    changes,
    iso_time,
    stage_changes,
    tell,
    tell_triggers,
    verdict_of,
)
from switchover.cli.session import Json, Overlays, PlanFile, connect, print_json, verb, warn
from switchover.errors import InputError, NegativeAnswer
from switchover.judge.replay import ReplayedLook, ReplayStage
from switchover.judge.trigger import TriggerReading
from switchover.judge.verdict import Verdict
from switchover.plan.stages import Stage, compile_gates, compile_rules, compile_stages

app = verb(no_args_is_help=True)


@app.callback()
def judge() -> None:
    """Judge recorded observations by a plan's gates."""


@app.command()
def replay(
    plan: PlanFile,
    observations: Annotated[
        Path | None,
        typer.Option(help="csv, jsonl or parquet with columns at, system, metric, value[, n]."),
    ] = None,
    migration: Annotated[
        str, typer.Option(help="Instead: a migration of the ledger, as it was recorded.")
    ] = "",
    attempt: Annotated[
        int | None, typer.Option(help="With --migration: which attempt. Default: the newest.")
    ] = None,
    overlay: Overlays = None,
    every: Annotated[
        str, typer.Option(help="Time between two looks, like 60s. Default: the plan's look_every.")
    ] = "",
    stage: Annotated[
        str, typer.Option(help="Where to begin: shadow, canary-10. Default: the first canary.")
    ] = "",
    plot: Annotated[
        Path | None, typer.Option(help="Draw evidence, split and verdicts to this SVG or PNG file.")
    ] = None,
    json: Json = False,
) -> None:
    """Replay a recording through a plan's gates, look by look.

    Walks from the first canary through the plan's stages: a look that promotes, once the bake
    time is over, ends its stage, as if approvals came at once. A rollout out of the ledger is
    judged in the stages that it had, when it had them. Where nothing was recorded for longer than
    the plan's no_data_after, the replay holds or rolls back as the engine does. The last line
    answers when the plan would have stopped it. Exit 1 if a look says rollback, or if a RED
    trigger on a metric would have fired; each that fires is told, AMBER too.

    at is in seconds or ISO 8601 (UTC without a zone), rows come in any order. system is legacy,
    candidate or pair. value of a yes/no metric is 1 or true for good, 0 or false for bad; of a
    count the number of events (or true for none); otherwise what was measured, times in seconds.
    n tells that a row stands for several: value is then the share of good ones. Rows of metrics
    without a gate are ignored and counted.
    """
    from switchover.cli.observations import read_observations
    from switchover.cli.recorded import read_recorded
    from switchover.judge.replay import NoData, kinds_by_metric, walk
    from switchover.judge.replay_triggers import fired, trigger_kinds
    from switchover.plan.load import load_plan
    from switchover.plan.usual_triggers import compile_triggers
    from switchover.reporting.canvas import drawable

    if (observations is None) == (not migration):
        raise InputError("name one recording: --observations FILE or --migration M")
    if attempt is not None and not migration:
        raise InputError("--attempt: belongs to --migration M; a file holds no attempts")
    if stage and migration:
        raise InputError("--stage: a recorded rollout is judged in the stages that it had")
    loaded = load_plan(plan, tuple(overlay or ())).plan
    step = _step(every, loaded.judgement.look_every)
    gates, rules = compile_gates(loaded), compile_rules(loaded)
    triggers, kinds = compile_triggers(loaded), kinds_by_metric(gates)
    for metric, read_as in trigger_kinds(triggers).items():
        kinds.setdefault(metric, set()).update(read_as)
    if plot is not None and (fault := drawable(plot)):
        raise InputError(f"--plot: {fault}")
    if observations is not None:
        stages = _from(stage, compile_stages(loaded))
        recording, source = read_observations(observations, kinds, step), str(observations)
    else:
        ledger = connect().ledger
        recording, stages = read_recorded(ledger, migration, attempt, kinds, step)
        source = migration
    for metric, rows in sorted(recording.ignored.items()):
        warn(f"{source}: {rows:,} rows of {metric} ignored; no gate of the plan looks at it")
    if not recording.looks:
        raise InputError(
            f"{source}: no observation of a metric with a gate; "
            f"the plan's are {', '.join(sorted(kinds)) or 'none'}"
        )
    shown: Callable[[float], object] = _number if recording.numeric else iso_time
    told = loaded.judgement
    no_data = NoData(told.no_data_after, told.no_data == "rollback")
    firings = list(fired(triggers, recording.looks, step))
    looks: list[ReplayedLook] = []
    for look in walk(gates, rules, stages, recording.looks, every=step, no_data=no_data):
        looks.append(look)
        if json:
            at_once = [reading for at, reading in firings if at == look.at]
            print_json(_document(look, at_once, stages, shown))
    began = recording.looks[0][0]
    if plot is not None:
        _draw(plot, looks, stage_changes(looks, stages, began), 1.0 / rules.alpha, rules.freeze_at)
    if not json:
        tell(looks, stages, recording.rows, began)
        tell_triggers(firings)
    if sentence := verdict_of(looks, stages, began, firings):
        raise NegativeAnswer(sentence)


def _step(every: str, default: float) -> float:
    from switchover.plan.units import seconds

    try:
        step = seconds(every) if every else default
    except ValueError as error:
        raise InputError(f"--every: {error}") from error
    if not step > 0:
        raise InputError(f"--every: {every} is no time between two looks; write one like 60s")
    return step


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
    return tuple(
        ReplayStage(stage.title, stage.kind, stage.bake, stage.split / 10_000)
        for stage in walked[begin:]
    )


def _document(
    look: ReplayedLook,
    fired: Sequence[TriggerReading],
    stages: Sequence[ReplayStage],
    shown: Callable[[float], object],
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
        **({"triggers": [reading.to_dict() for reading in fired]} if fired else {}),
    }


def _number(at: float) -> float | int:
    return int(at) if at == int(at) else at


def _draw(
    plot: Path,
    looks: Sequence[ReplayedLook],
    stages: Sequence[tuple[float, str, float]],
    rollback_at: float,
    freeze_at: float,
) -> None:
    from switchover.reporting.plots import evidence_plot

    series: dict[str, list[tuple[float, float]]] = {}
    for look in looks:
        for gate in look.reading.gates:
            series.setdefault(gate.gate, []).append((look.at, gate.rollback_evidence))
    pictured = evidence_plot(
        series,
        rollback_at=rollback_at,
        freeze_at=freeze_at,
        stages=stages,
        marks=[
            (look.at, look.reading.verdict.value)
            for look in changes(looks)
            if look.reading.verdict is not Verdict.INSUFFICIENT_EVIDENCE
        ],
        kind=plot.suffix[1:].lower(),
    )
    try:
        plot.write_bytes(pictured)
    except OSError as error:
        raise InputError(f"--plot: {plot} can't be written ({error.strerror})") from error
