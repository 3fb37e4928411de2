"""Write docs/reference/cli.md from the commands themselves.

python -m tools.cli_reference [--check]
"""

from __future__ import annotations

import importlib
import inspect
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import typer

from switchover.cli.main import VERBS
from tools.generated import keep

FILE = Path("docs/reference/cli.md")

INTRODUCTION = """\
# Command line

*Written by `python -m tools.cli_reference` from the commands themselves; don't edit.*

`switchover VERB … [--json]`. Commands find their servers by [settings](settings.md). Results go
to standard output, errors in one line to standard error: what is wrong, and what to do.

| exit | meaning | examples |
|---|---|---|
| 0 | done; also when there was nothing to do | |
| 1 | the answer is no | lint found faults, the ledger does not verify, a flow run failed |
| 2 | bad input | an unknown verb, migration or option; a plan with faults |
| 3 | a dependency is unavailable, and is named | Redis, the database, Prefect |
| 4 | refused | not an approver, nothing to approve, another plan under way |
| 70 | a fault of Switchover's own; please report it | |
| 130 | interrupted | Ctrl-C |

With `--json`, output is one JSON document on one line, or one per line where there are several.
Times inside a *state* are seconds since 1970; everywhere else they are ISO 8601 in UTC.
"""

#: What `--json` prints, by verb; the command itself can't say it.
DOCUMENTS = {
    "plan lint": "`{ok, faults: [{file, line, column, field, message, suggestion}], warnings}`",
    "plan explain": "`{migration, title, move, digest, stages: [{index, key, title, mode, "
    "meaning, split, shadow, bake, before, needs}], schedule, minimum, rollback}`",
    "plan forecast": "`{migration, rate, stages: [{key, title, kind, split, shadow, bake, begins, "
    "seconds, slowest, gates: [{gate, kind, metric, unit, expected, need, seconds, available, "
    "in_bake, detectable, report_only, note}]}], seconds, warnings}`; null is never",
    "start": "the state: `{migration, revision, phase, stage, mode, split, epoch, attempt, …}`; "
    "`split` and `shadow` in hundredths of a percent",
    "list": "a state per line, as for `start`",
    "status": "`{migration, title, phase, stage, mode, split, revision, epoch, attempt, "
    "entered_at, not_before, approval, incident, reason, reading, evidence_until, routers, "
    "stages, why}`; `reading` holds verdict, sentence and a document per gate",
    "why": "`{migration, waiting_for, until, sentence}`",
    "advance": "`{run, before, after, sentence}` with two states; with `--no-wait` `{run}`",
    "history": "an entry per line: `{revision, at, actor, kind, payload, digest}`",
    "approve": "`{migration, approval, status, approver, later}`",
    "reject": "`{migration, approval, status, approver, later}`",
    "checklist": "`{migration, complete, items: [{id, text, done, found, advice}]}`",
    "sign": "the state",
    "hold": "the state", "resume": "the state",
    "abort": "the state; with `--group` or `--all` a migration per line: `{migration, outcome, "
    "sentence}`, where outcome is done, already or failed",
    "rollback": "`{migration, incident, seconds, routers, complete, recorded, pending}`; "
    "`seconds` is null, and the exit code 3, when routing did not confirm; with `--dry-run` "
    "`{migration, level, component, traffic, steps, warnings}`, with `--validate` `{migration, "
    "incident, next_at, waves: [{wave, ok, deadline, sentence, results}], sentence}`",
    "drill": "`{migration, drill, at, actor, ok, reason, real, detection, decision, propagation, "
    "validation, routers, own, total, trend}`, figures in seconds, null where it did not get so "
    "far; with `--history` `{drills, trend}`, the newest first",
    "steps": "`{migration, incident, level, rows: [{step, level, method, does, state, summary, "
    "began, ended, seconds, reversed}], left, frozen, waiting, over, sentence}`",
    "spool": "an order per line: `{migration, order, at, actor, reason, trigger, turned}`; "
    "`turned` says whether Redis has it",
    "watch": "an event per line: `{at, guard, event, migration, action, text}`, see "
    "[the guard](../how-to/watch-with-a-guard.md#supervise-it)",
    "items": "`{ok, left, sentence, made: [{key, outcome}], findings: {at, compared, "
    "disagreements, settling, in_flight, waiting, counts, listed: [{key, legacy, candidate, since, "
    "rule, repair, refused}]}}`; `left` may be more than the 1,000 that are listed",
    "incident list": "an incident per line: `{migration, incident, at, actor, trigger, reason, …, "
    "state, severity, acknowledged_by, closed_by, open, criteria, findings, recovery}`",
    "incident show": "the same with `impact` (what the candidate served) and `report` (Markdown)",
    **dict.fromkeys(
        ("incident acknowledge", "incident analyse", "incident tick", "incident untick",
         "incident close"),
        "`{migration, incident, state, severity, acknowledged_by, closed_by, open, criteria, "
        "findings, recovery, later}`; `open` says what another attempt waits for",
    ),
    "audit verify": "`{verified, faults}`",
    "mismatches": "`{migration, attempt, samples, fields: [{path, why, samples, share, last_at}], "
                  "mismatches: [{sample, at, epoch, path, legacy, candidate, why}]}`",
    "judge replay": '`{at, verdict, stage, gates: [{gate, verdict, estimate, n, '
    'rollback_evidence, promote_evidence, need}]}` per look',
    "serve": "`{listening}`, the URL",
    "deploy": "`{deployed}`", "up": "`{prefect_ui, login, environment}`",
    "demo": "an event per line: `{kind, seconds, …}`",
}  # fmt: skip


def main(arguments: Sequence[str] = ()) -> int:
    """Write the file, or with ``--check`` say whether it is current (0) or not (1)."""
    return keep(FILE, reference(), arguments, "tools.cli_reference")


def reference() -> str:
    """The document, in Markdown."""
    parts = [INTRODUCTION, "| verb | does |", "|---|---|"]
    parts += [f"| [`{verb}`](#{verb}) | {line} |" for verb, line in VERBS.items()]
    for verb in VERBS:
        app = importlib.import_module(f"switchover.cli.{verb}").app
        command: Any = typer.main.get_command(app)
        parts += ["", f"## {verb}"]
        children = getattr(command, "commands", None)
        if children:
            parts += ["", VERBS[verb]]
            for name, child in children.items():
                parts += ["", f"### {verb} {name}", *_command(f"{verb} {name}", child)]
        else:
            parts += _command(verb, command)
    return "\n".join(parts).rstrip() + "\n"


def _command(name: str, command: Any) -> Iterator[str]:
    arguments = [p for p in command.params if p.param_type_name == "argument"]
    words = [f"{_metavar(p)}" if p.required else f"[{_metavar(p)}]" for p in arguments]
    yield from ("", "```text", " ".join(["switchover", name, *words, "[OPTIONS]"]), "```", "")
    yield from inspect.cleandoc(command.help or "").splitlines()
    rows = [(f"`{_metavar(p)}`", p.help or "") for p in arguments]
    for option in command.params:
        if option.param_type_name == "option":
            rows.append((_spelling(option), _meaning(option)))
    if rows:
        yield from ("", "| | |", "|---|---|")
        yield from (f"| {left} | {right} |" for left, right in rows)
    if name in DOCUMENTS:
        yield from ("", f"`--json`: {DOCUMENTS[name]}.")


def _metavar(argument: Any) -> str:
    return str(argument.metavar or argument.name).upper().replace("[", "").replace("]", "")


def _spelling(option: Any) -> str:
    names = [f"`{name}`" for name in (*option.opts, *option.secondary_opts)]
    return ", ".join(sorted(names, key=len))


def _meaning(option: Any) -> str:
    text = str(option.help or "").replace("|", "\\|")
    if option.default in (None, "", False, True) or "efault" in text:
        return text
    return f"{text} Default: `{option.default}`."


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
