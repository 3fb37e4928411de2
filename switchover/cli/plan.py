"""`switchover plan lint|explain|schema`: look at a plan before it is started."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from switchover.cli.session import Json, print_json, say, verb
from switchover.errors import Fault, PlanError

app = verb(no_args_is_help=True)

_File = Annotated[Path, typer.Argument(help="The plan, a YAML file.", metavar="PLAN")]
_Overlays = Annotated[
    list[Path] | None,
    typer.Option("--overlay", "-o", help="A YAML file laid over the plan; may be repeated."),
]


@app.callback()
def plan() -> None:
    """Lint, explain or print the schema of a plan."""


@app.command()
def lint(file: _File, overlay: _Overlays = None, json: Json = False) -> None:
    """Find every fault of a plan, with line, column and what to do."""
    from switchover.plan.load import lint_plan

    report = lint_plan(file, tuple(overlay or ()))
    if json:
        print_json(
            {"ok": not report.faults, "faults": [_row(f) for f in report.faults],
             "warnings": [_row(f) for f in report.warnings]}
        )  # fmt: skip
    else:
        for warning in report.warnings:
            typer.echo(f"warning: {warning}", err=True)
    if report.faults:
        error = PlanError(report.faults)
        # The question was whether the plan is good: the answer is no, which is exit 1.
        error.exit_code = 1
        raise error
    if not json:
        say(f"{file}: no fault")


@app.command()
def explain(file: _File, overlay: _Overlays = None, json: Json = False) -> None:
    """Print the compiled stages: the very list that is executed."""
    from switchover.plan.explain import explain as explain_plan
    from switchover.plan.load import load_plan

    explanation = explain_plan(load_plan(file, tuple(overlay or ())))
    if json:
        print_json(explanation.to_dict())
        return
    for line in explanation.lines():
        say(line)


@app.command()
def schema() -> None:
    """Print the JSON Schema of plans, for editors."""
    from switchover.plan.schema import plan_schema

    print_json(plan_schema())


def _row(fault: Fault) -> dict[str, object]:
    return {name: getattr(fault, name) for name in Fault.__slots__}
