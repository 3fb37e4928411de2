"""The `switchover` command: verbs by name, errors in one line, exit codes by contract."""

from __future__ import annotations

import importlib
import os
import sys

import click
import typer
from typer.core import TyperGroup

from switchover.errors import SwitchoverError

#: Verb -> what it does, in one line. Modules are `switchover.cli.<verb>`, loaded when called,
#: so that `--help` stays fast.
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
    "incident": "List or show incidents.",
    "audit": "Verify or export the ledger's hash chain.",
    "deploy": "Deploy all flows to the Prefect server.",
    "up": "Start everything embedded, and keep it running.",
    "demo": "Watch one migration succeed and one roll back.",
}


class Verbs(TyperGroup):
    """A group that imports a verb's module when the verb is used."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Every verb, in the order people need them."""
        return list(VERBS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """The verb's command; None for an unknown one."""
        if cmd_name not in VERBS:
            return None
        module = importlib.import_module(f"switchover.cli.{cmd_name}")
        command = typer.main.get_command(module.app)
        command.name = cmd_name
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """The verbs and their lines, without importing any of them."""
        with formatter.section("Verbs"):
            formatter.write_dl(list(VERBS.items()))


app = typer.Typer(cls=Verbs, no_args_is_help=True, add_completion=False, rich_markup_mode=None)


@app.callback()
def switchover() -> None:
    """Move a live service from legacy to candidate, on evidence, with a way back."""


def main() -> None:
    """Run the command line and end the process with the contract's exit code."""
    sys.exit(run(sys.argv[1:]))


def run(arguments: list[str]) -> int:
    """Run one command; gives the exit code. Errors are one line on standard error."""
    command = typer.main.get_command(app)
    try:
        code = command.main(arguments, prog_name="switchover", standalone_mode=False)
    except SwitchoverError as error:
        click.echo(str(error), err=True)
        return error.exit_code
    except click.ClickException as error:
        error.show()
        return 2
    except (click.Abort, KeyboardInterrupt):
        click.echo("interrupted", err=True)
        return 130
    except BrokenPipeError:
        # The reader of our output has gone; there is nobody left to tell.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    return code if isinstance(code, int) else 0
