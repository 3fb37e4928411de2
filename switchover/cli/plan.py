"""`switchover plan lint|explain|forecast|runbook|schema`: look at a plan before it is started."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from switchover.cli.session import Json, Overlays, PlanFile, print_json, say, table, verb, warn
from switchover.errors import Fault, InputError, PlanError

if TYPE_CHECKING:
    from switchover.plan.spec import Plan
    from switchover.plan.traffic import Traffic

app = verb(no_args_is_help=True)


@app.callback()
def plan() -> None:
    """Lint, explain, forecast a plan; write its runbook or schema."""


@app.command()
def lint(
    file: PlanFile,
    overlay: Overlays = None,
    beside: Annotated[
        list[Path] | None,
        typer.Option("--with", help="Another plan of its group; may be repeated."),
    ] = None,
    json: Json = False,
) -> None:
    """Find every fault of a plan, with line, column and what to do.

    With other plans of the group it also finds who waits for an unknown migration, or in a circle.
    """
    from switchover.plan.load import lint_plan
    from switchover.plan.together import misfits

    for name in (file, *(overlay or ()), *(beside or ())):
        # Bad input, and no answer to the question.
        if not name.is_file():
            raise InputError(f"{name}: there is no such file; check the path")
    report = lint_plan(file, tuple(overlay or ()))
    if beside and report.plan is not None:
        others = [lint_plan(other) for other in beside]
        apart = [fault for other in others for fault in other.faults]
        plans = [report.plan.plan, *(o.plan.plan for o in others if o.plan is not None)]
        apart += [] if apart else [Fault(str(file), 0, 0, "group", *m) for m in misfits(plans)]
        report = replace(report, faults=tuple(apart))
    if json:
        print_json(
            {"ok": not report.faults, "faults": [_row(f) for f in report.faults],
             "warnings": [_row(f) for f in report.warnings]}
        )  # fmt: skip
    else:
        for warning in report.warnings:
            warn(str(warning))
    if report.faults:
        error = PlanError(report.faults)
        # The question was whether the plan is good: the answer is no, which is exit 1.
        error.exit_code = 1
        raise error
    if not json:
        say(f"{file}: no fault")


@app.command()
def explain(file: PlanFile, overlay: Overlays = None, json: Json = False) -> None:
    """Print the compiled stages: the very list that is executed."""
    from switchover.plan.explain import explain as explain_plan
    from switchover.plan.load import load_plan

    explanation = explain_plan(load_plan(file, tuple(overlay or ())))
    if json:
        print_json(explanation.to_dict())
        return
    for line in explanation.lines():
        say(line)
    if explanation.sources:
        say("")
        table(
            "",
            ["source", "kind", "where", "metrics", "limits"],
            (
                [row.name, row.kind, row.where, "\n".join(row.metrics), "\n".join(row.limits)]
                for row in explanation.sources
            ),
        )


@app.command()
def forecast(
    file: PlanFile,
    traffic: Annotated[
        str, typer.Option(help="Requests over both systems, like 5/s, 90/min or 20/h.")
    ],
    per: Annotated[
        str,
        typer.Option(
            help="Observations of a system that don't follow from the split, in every stage: "
            "legacy=4/s,candidate=1/s,pair=20/h; legacy=0/s if nobody records it."
        ),
    ] = "",
    rate: Annotated[
        list[str] | None,
        typer.Option(
            help="What to expect of a gate or metric of the candidate, NAME=VALUE, or of legacy, "
            "legacy.NAME=VALUE; may be repeated."
        ),
    ] = None,
    hours: Annotated[
        str, typer.Option(help="How traffic changes over a day, like 0=0.2,7=1.5,22=0.5.")
    ] = "",
    begin: Annotated[
        float, typer.Option(help="With --hours: the hour at which the first stage begins.")
    ] = 9.0,
    overlay: Overlays = None,
    plot: Annotated[Path | None, typer.Option(help="Draw it to this SVG or PNG file.")] = None,
    json: Json = False,
) -> None:
    """Say how long each stage takes to decide, and what it can find, before it is started.

    A warning names each gate that can't decide in its stage's bake time. Expected of the candidate
    is what lies halfway between perfect and the promote limit, unless --rate says otherwise:
    a share of good ones where the plan counts those, else of bad ones; for a quantile the share
    that is too slow; a difference for paired, a growth for memory, a distance for drift. Found is
    the smallest figure that the bake time shows with 80 % probability.
    """
    from switchover.cli.forecast_report import tell
    from switchover.plan.forecast import forecast as forecast_plan
    from switchover.plan.load import load_plan
    from switchover.reporting.canvas import drawable

    loaded = load_plan(file, tuple(overlay or ())).plan
    expected = _expected(loaded, rate or ())
    if plot is not None and (fault := drawable(plot)):
        raise InputError(f"--plot: {fault}")
    told = forecast_plan(
        loaded,
        _traffic(traffic, per, hours, begin),
        {name: value for name, value in expected.items() if not name.startswith("legacy.")},
        {name[7:]: value for name, value in expected.items() if name.startswith("legacy.")},
    )
    if plot is not None:
        from switchover.reporting.forecast_plot import forecast_plot

        _write(plot, forecast_plot(told, plot.suffix[1:].lower()))
    if json:
        print_json(told.to_dict())
    else:
        tell(told)


@app.command()
def runbook(
    file: PlanFile,
    output: Annotated[Path | None, typer.Option("--output", help="Write it to this file.")] = None,
    check: Annotated[
        Path | None,
        typer.Option("--check", help="Write nothing: end with 1 unless this file is current."),
    ] = None,
    overlay: Overlays = None,
    json: Json = False,
) -> None:
    """Write how this migration is rolled back: when, who decides, commands, validation lists."""
    from switchover.cli.plan_runbook import tell_runbook
    from switchover.plan.load import load_plan

    if output is not None and check is not None:
        raise InputError("--check writes nothing; leave out --output")
    tell_runbook(load_plan(file, tuple(overlay or ())), output, check, json)


@app.command()
def schema(json: Json = False) -> None:
    """Print the JSON Schema of plans, for editors. It is JSON with or without --json."""
    from switchover.plan.schema import plan_schema

    print_json(plan_schema())


def _row(fault: Fault) -> dict[str, object]:
    return {name: getattr(fault, name) for name in Fault.__slots__}


def _traffic(traffic: str, per: str, hours: str, begin: float) -> Traffic:
    from switchover.judge.block import SYSTEMS
    from switchover.plan import traffic as written

    option = "--traffic"
    try:
        average = written.rate(traffic)
        own: dict[str, float] = {}
        option = "--per"
        for part in filter(None, per.split(",")):
            system, _, text = part.partition("=")
            if system.strip() not in SYSTEMS:
                raise ValueError(f"unknown system {system!r}; one of {', '.join(SYSTEMS)}")
            own[system.strip()] = written.rate(text, none=True)
        option = "--hours"
        factors = written.hours(hours) if hours else ()
    except ValueError as error:
        raise InputError(f"{option}: {error}") from error
    if not 0.0 <= begin < 24.0:
        raise InputError(f"--begin: {begin:g} is no hour of the day; write 0 to 23")
    return written.Traffic(average, factors, begin, own)


def _expected(plan: Plan, given: Sequence[str]) -> Mapping[str, float]:
    """Figures by name, all of which the plan has to know."""
    from switchover.plan.forecast import impossible
    from switchover.plan.stages import compile_gates
    from switchover.plan.units import limit

    gates = compile_gates(plan)
    known = {name for gate in gates for name in (gate.name, gate.metric, gate.noise) if name}
    values = {}
    for text in given:
        name, _, value = text.rpartition("=")
        if name.removeprefix("legacy.") not in known:
            raise InputError(
                f"--rate: no gate looks at {(name or text)!r}; one of {', '.join(sorted(known))}"
            )
        try:
            values[name] = limit(float(value) if _plain(value) else value)
        except ValueError as error:
            raise InputError(f"--rate: {name}: {error}") from error
        if fault := impossible(gates, name, values[name]):
            raise InputError(f"--rate: {name}: {value} is impossible; {fault}")
    return values


def _plain(value: str) -> bool:
    return value.strip().lstrip("-").replace(".", "", 1).isdigit()


def _write(plot: Path, picture: bytes) -> None:
    try:
        plot.write_bytes(picture)
    except OSError as error:
        raise InputError(f"--plot: {plot} can't be written ({error.strerror})") from error
