"""The `switchover` command: verbs by name, errors in one line, exit codes by contract."""

from __future__ import annotations

import difflib
import importlib
import os
import sys

import typer

from switchover.errors import SwitchoverError

#: Verb -> what it does, in one line. A verb's module is `switchover.cli.<verb>`, loaded when
#: it is called, so that `--help` stays fast.
VERBS = {
    "plan": "Lint, explain or print the schema of a plan.",
    "start": "Accept a plan: legacy serves everything, the first stage begins.",
    "list": "List all migrations.",
    "status": "Show where a migration stands, with its evidence.",
    "why": "Say in one sentence what a migration waits for.",
    "advance": "Run the step that is due, on Prefect.",
    "history": "Show every entry of a migration's ledger.",
    "approve": "Approve the step that is waiting.",
    "reject": "Reject the step that is waiting; the migration is held.",
    "hold": "Hold a migration: no step forward until it is resumed.",
    "resume": "Let a held migration go on.",
    "abort": "End a migration that has not completed; legacy serves everything.",
    "rollback": "Send all traffic back to legacy, now.",
    "proxy": "Stand between callers and both systems, and route each request.",
    "incident": "List or show incidents.",
    "audit": "Verify or export the ledger's hash chain.",
    "deploy": "Deploy all flows to the Prefect server.",
    "up": "Start everything embedded, and keep it running.",
    "demo": "Watch one migration succeed and one roll back.",
}


def main() -> None:
    """Run the command line and end the process with the contract's exit code."""
    sys.exit(run(sys.argv[1:]))


def run(arguments: list[str]) -> int:
    """Run one command; gives the exit code. Errors are one line on standard error."""
    if not arguments or arguments[0] in ("-h", "--help", "help"):
        typer.echo(usage())
        return 0 if arguments else 2
    verb, *rest = arguments
    if verb == "--version":
        from switchover import __version__

        typer.echo(__version__)
        return 0
    if verb not in VERBS:
        close = difflib.get_close_matches(verb, VERBS, n=1)
        advice = f"did you mean {close[0]!r}?" if close else "`switchover --help` lists all"
        typer.echo(f"switchover: there is no verb {verb!r}; {advice}", err=True)
        return 2
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
        command.main(arguments, prog_name=f"switchover {verb}")
    except SwitchoverError as error:
        typer.echo(str(error), err=True)
        return error.exit_code
    except SystemExit as end:
        return end.code if isinstance(end.code, int) else 1
    except KeyboardInterrupt:
        typer.echo("interrupted", err=True)
        return 130
    except BrokenPipeError:
        # The reader of our output has gone; there is nobody left to tell.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    return 0
