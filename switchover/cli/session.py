"""What verbs share: options, the connected engine, and the two forms of output."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterable, Mapping
from typing import Annotated, Any

import typer

from switchover.engine.context import Context
from switchover.machine.state import State
from switchover.wiring import Settings, build_context, load_settings

Json = Annotated[bool, typer.Option("--json", help="Print one JSON document, or JSON lines.")]
Migration = Annotated[str, typer.Argument(help="The migration's short name.", metavar="M")]
Actor = Annotated[
    str, typer.Option("--as", help="Your name in the record. Default: the login name.")
]
Reason = Annotated[str, typer.Option("--reason", "-r", help="Why; it goes into the record.")]


def verb(*, no_args_is_help: bool = False) -> typer.Typer:
    """The application of one verb: plain errors, no shell completion to install."""
    return typer.Typer(add_completion=False, no_args_is_help=no_args_is_help, rich_markup_mode=None)


def connect() -> Context:
    """The engine, connected by the operator's settings."""
    return build_context(load_settings())


def actor_or_login(actor: str, settings: Settings | None = None) -> str:
    """The name given, else that of the settings."""
    return actor or (settings or load_settings()).actor


def print_json(document: Any) -> None:
    """One JSON document on one line of standard output."""
    sys.stdout.write(json.dumps(document, default=str) + "\n")


def say(text: str) -> None:
    """Plain text for people."""
    typer.echo(text)


def phase_name(state: State) -> str:
    """The phase in words: ``awaiting approval``."""
    return state.phase.value.replace("_", " ")


def table(title: str, columns: Iterable[str], rows: Iterable[Iterable[object]]) -> None:
    """A table for people; as wide as the terminal allows."""
    from rich.console import Console
    from rich.table import Table

    grid = Table(title=title or None, title_justify="left")
    for column in columns:
        grid.add_column(column, overflow="fold")
    for row in rows:
        grid.add_row(*(str(cell) for cell in row))
    Console().print(grid)


def facts_table(facts: Mapping[str, object]) -> None:
    """Names and values, one a line, for people."""
    width = max((len(name) for name in facts), default=0)
    for name, value in facts.items():
        if value not in (None, ""):
            say(f"{name:<{width}}  {value}")
