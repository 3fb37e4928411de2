"""The `switchover` command: verbs by name, errors in one line, exit codes by contract."""

from __future__ import annotations

import difflib
import importlib
import os
import sys
import traceback
from io import TextIOWrapper
from typing import Any

import typer

from switchover.errors import NoLedger, SwitchoverError

#: Verb -> what it does, in one line. A verb's module is `switchover.cli.<verb>`, loaded when
#: it is called, so that `--help` stays fast.
VERBS = {
    "plan": "Lint, explain, forecast a plan; write its runbook or schema.",
    "start": "Accept a plan: legacy serves everything, the first stage begins.",
    "list": "List all migrations.",
    "status": "Show where a migration stands, with its evidence.",
    "compare": "Compare legacy and candidate, per stage and overall.",
    "why": "Say in one sentence what a migration waits for.",
    "advance": "Run the step that is due, on Prefect.",
    "history": "Show every entry of a migration's ledger.",
    "checklist": "Show what must be done before the candidate gets traffic.",
    "sign": "Sign off an item of a migration's checklist.",
    "approve": "Approve the step that is waiting.",
    "reject": "Reject the step that is waiting; the migration is held.",
    "approvers": "Issue, list and revoke approvers' personal codes.",
    "hold": "Hold a migration: no step forward until it is resumed.",
    "resume": "Let a held migration go on.",
    "freeze": "Stop steps forward, of one migration or of all.",
    "unfreeze": "Lift the stop of one migration, or the one of all.",
    "abort": "End a migration that has not completed; legacy serves everything.",
    "rollback": "Send all traffic back to legacy, now.",
    "drill": "Rehearse the way back, and measure it.",
    "spool": "List orders to roll back that wait for Redis or the database.",
    "steps": "Show or take the steps of a rollback.",
    "flags": "List, show and change feature flags.",
    "proxy": "Stand between callers and both systems, as a reverse proxy.",
    "follow": "Keep the plan's proxies in step with the routing document.",
    "items": "List work items on which both systems disagree, and repair them.",
    "mismatches": "Show in which fields the two systems disagree.",
    "incident": "List, show, analyse and close incidents.",
    "audit": "Verify or export the ledger's hash chain.",
    "judge": "Judge recorded observations by a plan's gates.",
    "serve": "Serve the HTTP API: status, approvals, rollback, health.",
    "watch": "Look at every migration each second; roll back what is bad.",
    "deploy": "Deploy flows, and schedules of plans, to the Prefect server.",
    "up": "Start everything embedded, and keep it running.",
    "demo": "Watch one migration succeed and one roll back.",
}


#: Exit code of a fault of our own, which is none of the contract's answers.
INTERNAL = 70


def main() -> None:
    """Run the command line and end the process with the contract's exit code."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, TextIOWrapper):
            # A terminal without UTF-8 shows a question mark rather than nothing at all.
            stream.reconfigure(errors="replace")
    try:
        code = run(sys.argv[1:])
        sys.stdout.flush()
    except BrokenPipeError:
        # The reader of our output has gone; there is nobody left to tell.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        code = 0
    sys.exit(code)


def run(arguments: list[str]) -> int:
    """Run one command; gives the exit code. Errors are one line on standard error."""
    if arguments[:1] == ["help"] and len(arguments) > 1:
        arguments = [*arguments[1:], "--help"]
    if not arguments or arguments[0] in ("-h", "--help", "help"):
        print(usage())
        return 0 if arguments else 2
    verb, *rest = arguments
    if verb == "--version":
        from switchover import __version__

        print(__version__)
        return 0
    if verb not in VERBS:
        close = difflib.get_close_matches(verb, VERBS, n=1)
        advice = f"did you mean {close[0]!r}?" if close else "`switchover --help` lists all"
        return _tell(f"switchover: there is no verb {verb!r}; {advice}", 2)
    return _call(verb, rest)


def usage() -> str:
    """What `--help` prints, without importing any verb."""
    width = max(map(len, VERBS))
    lines = [f"  {verb:<{width}}  {line}" for verb, line in VERBS.items()]
    return (
        "Usage: switchover VERB [ARGUMENTS] [--json]\n\n"
        "Move a live service from legacy to candidate, on evidence, with a way back.\n\n"
        + "\n".join(lines)
        + "\n\n`switchover VERB --help` tells more about one."
    )


def _call(verb: str, arguments: list[str]) -> int:
    module = importlib.import_module(f"switchover.cli.{verb}")
    command = typer.main.get_command(module.app)
    try:
        # Not `main`: it has messages of several lines and exit codes of its own.
        with command.make_context(f"switchover {verb}", arguments) as context:
            command.invoke(context)
        return 0
    except typer.Exit as end:
        return end.exit_code
    except BrokenPipeError:
        raise
    except SwitchoverError as error:
        return _tell(*_explained(error))
    except (KeyboardInterrupt, typer.Abort):
        return _tell("interrupted", 130)
    except OSError as error:
        place = f"{error.filename}: " if error.filename else ""
        return _tell(f"{place}{error.strerror or error}; check the path and its permissions", 3)
    except Exception as error:
        # The parser's errors share no public class: what they have in common is this method.
        if hasattr(error, "format_message"):
            return _tell(_usage_fault(verb, error), 2)
        if os.environ.get("SWITCHOVER_TRACEBACK"):
            traceback.print_exc()
        return _tell(
            f"switchover {verb}: a fault of Switchover itself: {type(error).__name__}: "
            f"{' '.join(str(error).split())[:500]}; SWITCHOVER_TRACEBACK=1 tells where, "
            "please report it",
            INTERNAL,
        )


def _tell(message: str, code: int) -> int:
    print(message, file=sys.stderr)
    return code


def _explained(error: SwitchoverError) -> tuple[str, int]:
    """What to print, and the exit code."""
    for cause in (error, error.__cause__):
        if isinstance(cause, NoLedger):
            # Not a database that is down: nothing was started, so every name is a wrong one.
            return "no migration yet; begin one with: switchover start PLAN", 2
    return str(error), error.exit_code


def _usage_fault(verb: str, error: Any) -> str:
    """A fault of the arguments in one line; the help itself where a command was left out."""
    message = str(error.format_message()).strip()
    if "\n" in message:
        return message
    context = getattr(error, "ctx", None)
    path = context.command_path if context is not None else f"switchover {verb}"
    message = message[:1].lower() + message[1:].rstrip(".")
    return f"{path}: {message}; see {path} --help"
