"""`switchover plan lint|explain|schema`: look at a plan before it is started."""

from __future__ import annotations

from switchover.cli.session import Json, Overlays, PlanFile, print_json, say, verb, warn
from switchover.errors import Fault, InputError, PlanError

app = verb(no_args_is_help=True)


@app.callback()
def plan() -> None:
    """Lint, explain or print the schema of a plan."""


@app.command()
def lint(file: PlanFile, overlay: Overlays = None, json: Json = False) -> None:
    """Find every fault of a plan, with line, column and what to do."""
    from switchover.plan.load import lint_plan

    for name in (file, *(overlay or ())):
        # Bad input, and no answer to the question.
        if not name.is_file():
            raise InputError(f"{name}: there is no such file; check the path")
    report = lint_plan(file, tuple(overlay or ()))
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


@app.command()
def schema(json: Json = False) -> None:
    """Print the JSON Schema of plans, for editors. It is JSON with or without --json."""
    from switchover.plan.schema import plan_schema

    print_json(plan_schema())


def _row(fault: Fault) -> dict[str, object]:
    return {name: getattr(fault, name) for name in Fault.__slots__}
