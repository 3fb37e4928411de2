"""`switchover incident …`: recorded rollbacks, and what people do about them."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from switchover.cli.session import (
    Actor,
    Json,
    actor_or_login,
    connect,
    print_json,
    say,
    table,
    verb,
)
from switchover.clock import iso
from switchover.engine.context import Case, Context
from switchover.errors import InputError, NoLedger

if TYPE_CHECKING:
    from switchover.incidents.record import Incident

app = verb(no_args_is_help=True)

Id = Annotated[str, typer.Argument(help="The incident's id.", metavar="INCIDENT")]
CriterionId = Annotated[
    str, typer.Argument(help="The criterion's id; `incident show` has them.", metavar="CRITERION")
]


@app.callback()
def incident() -> None:
    """List, show, analyse and close incidents."""


@app.command(name="list")
def list_incidents(
    unclosed: Annotated[
        bool, typer.Option("--open", help="Only those that nobody has closed.")
    ] = False,
    json: Json = False,
) -> None:
    """List every incident of every migration."""
    try:
        context = connect()
        found = [(row, _told(context, row)) for row in _opening_entries(context)]
    except NoLedger:
        found = []
    if unclosed:
        found = [(row, told) for row, told in found if told.state != "closed"]
    if json:
        for row, told in found:
            print_json({**row, "at": iso(row["at"]), **_standing(told)})
        return
    from switchover.incidents.wording import spell_moment

    if not found:
        say("no incident" + " is open" * unclosed)
        return
    table(
        "",
        ["incident", "at (UTC)", "state", "trigger", "reason"],
        (
            [told.id, spell_moment(told.opened_at), _word(told), told.trigger, told.reason]
            for _, told in found
        ),
    )


def _word(told: Incident) -> str:
    """The state, and that it is critical."""
    return "critical" if told.severity == "critical" else told.state


@app.command()
def show(incident: Id, json: Json = False) -> None:
    """Show one incident in full, and what is open about it."""
    from switchover.incidents.markdown import render

    context = connect()
    row = _row(context, incident)
    found = _told(context, row)
    if json:
        print_json({**row, "at": iso(row["at"]), **_standing(found), "impact": found.reach,
                    "report": render(found)})  # fmt: skip
    else:
        say(render(found))


@app.command()
def acknowledge(incident: Id, actor: Actor = "", json: Json = False) -> None:
    """Say that you look after it."""
    from switchover.engine.incident import acknowledge as record

    context = connect()
    _tell(context, incident, record(context, incident, actor=actor_or_login(actor), via="cli"),
          json)  # fmt: skip


@app.command()
def analyse(
    incident: Id,
    summary: Annotated[str, typer.Option("--summary", help="What happened, in a sentence.")] = "",
    root_cause: Annotated[str, typer.Option("--root-cause", help="Why it happened.")] = "",
    impact: Annotated[str, typer.Option("--impact", help="What it meant for people.")] = "",
    action: Annotated[
        list[str] | None,
        typer.Option(
            "--action",
            help="What is to be done: 'TEXT (owner: NAME, due: YYYY-MM-DD)'; may be repeated. "
            "All of them together replace those on record.",
        ),
    ] = None,
    prevention: Annotated[
        str, typer.Option("--prevention", help="What keeps it from happening again.")
    ] = "",
    mitigated: Annotated[
        str,
        typer.Option("--mitigated", help="Why the harm has ended, where nothing could measure it."),
    ] = "",
    file: Annotated[
        Path | None,
        typer.Option("--from", help="Read the sections of this file.", metavar="FILE"),
    ] = None,
    actor: Actor = "",
    json: Json = False,
) -> None:
    """Write down what was found out.

    What is left out stays as it is. Without any option the sections are read from the incident's
    own file. An incident is analysed when it is mitigated, and root cause, impact, actions and
    prevention are on record.
    """
    from switchover.engine.incident import Findings
    from switchover.engine.incident import analyse as record
    from switchover.incidents.findings import read_action

    context = connect()
    typed = {
        "summary": summary, "root_cause": root_cause, "impact": impact, "prevention": prevention,
        "mitigated": mitigated, "actions": tuple(read_action(line) for line in action or ()),
    }  # fmt: skip
    typed = {name: value for name, value in typed.items() if value}
    read = _read(file, incident) if file is not None or not typed else {}
    case = record(
        context, incident, Findings(**{**read, **typed}), actor=actor_or_login(actor), via="cli"
    )
    _tell(context, incident, case, json)


@app.command()
def tick(
    incident: Id,
    criterion: CriterionId,
    note: Annotated[str, typer.Option("--note", "-n", help="What it rests on.")] = "",
    actor: Actor = "",
    json: Json = False,
) -> None:
    """Say that a criterion for another attempt is met."""
    from switchover.engine.incident import tick as record

    context, who = connect(), actor_or_login(actor)
    case = record(context, incident, criterion, actor=who, note=note, via="cli")
    _tell(context, incident, case, json)


@app.command()
def untick(
    incident: Id,
    criterion: CriterionId,
    reason: Annotated[str, typer.Option("--reason", "-r", help="Why it is open again.")] = "",
    actor: Actor = "",
    json: Json = False,
) -> None:
    """Say that a criterion is open again."""
    from switchover.engine.incident import untick as record

    context, who = connect(), actor_or_login(actor)
    case = record(context, incident, criterion, actor=who, reason=reason, via="cli")
    _tell(context, incident, case, json)


@app.command()
def close(
    incident: Id,
    note: Annotated[str, typer.Option("--note", "-n", help="A last word.")] = "",
    actor: Actor = "",
    json: Json = False,
) -> None:
    """Close an incident that is analysed."""
    from switchover.engine.incident import close as record

    context, who = connect(), actor_or_login(actor)
    _tell(context, incident, record(context, incident, actor=who, note=note, via="cli"), json)


def _read(file: Path | None, incident: str) -> dict[str, Any]:
    """The sections of a report: the one that is named, or the incident's own."""
    from switchover.incidents.findings import read_sections
    from switchover.incidents.report import report_path
    from switchover.wiring import load_settings

    folder = load_settings().incidents_dir
    path = file or report_path(folder, incident)
    if path is None:
        raise InputError(
            f"no file of incident {incident} is in {folder}; name it with --from FILE, or give "
            "--root-cause, --impact, --action and --prevention"
        )
    try:
        found = read_sections(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise InputError(f"{path}: can't be read ({error.strerror}); name a text file") from error
    except UnicodeDecodeError as error:
        raise InputError(f"{path}: this is no text in UTF-8: {error}") from error
    except InputError as error:
        raise InputError(f"{path}: {error}") from error
    if not found:
        raise InputError(f"{path}: nobody has filled in a section; write below its headings first")
    return found


def _tell(context: Context, incident: str, case: Case, json: bool) -> None:
    """Bring report and thread up to date, and say how the incident stands."""
    from switchover.engine.drain import drain

    later = drain(context).failed
    found = _told(context, _row(context, incident))
    if json:
        print_json({"migration": case.state.migration, "incident": incident, **_standing(found),
                    "later": list(later)})  # fmt: skip
        return
    say(f"{incident} is {found.state}, {found.severity}.")
    for point in found.inquiry.open_points():
        say(f"open: {point}")
    for failure in later:
        say(f"tried again later: {failure}")


def _standing(found: Incident) -> dict[str, Any]:
    from switchover.incidents.follow_up import findings_json

    inquiry = found.inquiry
    return {
        "state": found.state,
        "severity": found.severity,
        "acknowledged_by": inquiry.acknowledged_by or None,
        "closed_by": inquiry.closed_by or None,
        "open": list(inquiry.open_points()),
        "criteria": [
            {"id": name, "text": text, "ticked_by": found.ticks[name].by if name in found.ticks
             else None}
            for name, text in inquiry.criteria
        ],
        "findings": findings_json(found),
        "recovery": [
            {"step": step.name.lower(), "from": step.since.isoformat(),
             "to": step.until.isoformat() if step.until else None}
            for step in found.recovery
        ],
    }  # fmt: skip


def _told(context: Context, row: dict[str, Any]) -> Incident:
    from switchover.incidents.record import incident_of

    migration = row["migration"]
    plan = context.ledger.read(migration).plan.document
    return incident_of(context.ledger.entries(migration), plan, row["incident"])


def _row(context: Context, incident: str) -> dict[str, Any]:
    row = next((r for r in _opening_entries(context) if r["incident"] == incident), None)
    if row is None:
        raise InputError(f"no incident {incident!r}; `switchover incident list` shows all")
    return row


def _opening_entries(context: Context) -> list[dict[str, Any]]:
    from switchover.incidents.record import OPENING

    return [
        {"migration": state.migration, **entry.payload}
        for state in context.ledger.migrations()
        for entry in context.ledger.entries(state.migration)
        if entry.kind in OPENING
    ]
