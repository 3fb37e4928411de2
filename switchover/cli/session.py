"""What verbs share: options, the connected engine, and the two forms of output."""

from __future__ import annotations

import json
import os
import re
import shutil
import sys
import textwrap
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Annotated, Any

import typer

from switchover.canonical import finite
from switchover.engine.context import Context
from switchover.errors import InputError
from switchover.machine.state import State
from switchover.wiring import Settings, build_context, load_settings

_WIDEST = 10_000
#: Words that stand out in a table, on a terminal only.
_STYLES = {"rollback": "bold red", "rolled back": "bold red", "hold": "yellow", "held": "yellow",
           "awaiting approval": "yellow", "promote": "green", "now": "bold", "alert": "bold red",
           "beyond": "yellow", "no data": "yellow", "✗ worse": "red",
           "✓ better": "green"}  # fmt: skip
#: Control characters but tab and line feed, and those that turn the direction of writing.
_STEERS = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]")
#: As plans may name a migration; see ``switchover.plan.form.Slug``.
_SLUG = re.compile(r"[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?")

Json = Annotated[bool, typer.Option("--json", help="Print one JSON document, or JSON lines.")]


def _slug(name: str) -> str:
    if not _SLUG.fullmatch(name):
        raise InputError(
            f"{name!r} is no migration's name: lower-case letters, digits and hyphens; "
            "`switchover list` shows all"
        )
    return name


def slug_or_none(name: str) -> str:
    """A migration's name, or the empty one; raises ``InputError``."""
    return _slug(name) if name else ""


Migration = Annotated[
    str, typer.Argument(help="The migration's short name.", metavar="M", callback=_slug)
]
#: The empty name stands for all migrations.
AnyMigration = Annotated[
    str,
    typer.Argument(help="One migration; default: all.", metavar="[M]", callback=slug_or_none),
]
PlanFile = Annotated[Path, typer.Argument(help="The plan, a YAML file.", metavar="PLAN")]
Overlays = Annotated[
    list[Path] | None,
    typer.Option("--overlay", "-o", help="A YAML file laid over the plan; may be repeated."),
]
Actor = Annotated[
    str, typer.Option("--as", help="Your name in the record. Default: the login name.")
]
Reason = Annotated[str, typer.Option("--reason", "-r", help="Why; it goes into the record.")]


def verb(*, no_args_is_help: bool = False) -> typer.Typer:
    """The application of one verb: plain errors, no shell completion to install."""
    return typer.Typer(add_completion=False, no_args_is_help=no_args_is_help, rich_markup_mode=None)


def connect() -> Context:
    """The engine, connected by the operator's settings. Orders to roll back that wait in the spool
    are carried out first."""
    context = build_context(load_settings())
    carry_out_waiting(context)
    return context


def carry_out_waiting(context: Context) -> None:
    """Carry out what waits in the spool, and say so on standard error."""
    if context.spool is None or not context.spool.orders():
        return
    from switchover.engine.reconcile import reconcile_waiting

    done, faults = reconcile_waiting(context)
    for line in done:
        print(line, file=sys.stderr)
    for migration, fault in faults.items():
        warn(f"a rollback of {migration} waits in the spool: {fault}")


def actor_or_login(actor: str, settings: Settings | None = None) -> str:
    """The name given, else that of the settings."""
    return actor or (settings or load_settings()).actor


def print_json(document: Any) -> None:
    """One JSON document on one line of standard output, at once: a pipe may wait for it."""
    print(json.dumps(finite(document), default=str), flush=True)


def say(text: str) -> None:
    """Plain text for people, at once: `make up > log` stays for hours."""
    print(visible(text), flush=True)


def visible(text: str) -> str:
    """Text in which nothing steers the terminal or turns the order of letters: whoever gives a
    reason by Slack or HTTP must not write on an operator's screen what the ledger does not say."""
    return _STEERS.sub(lambda found: found[0].encode("unicode_escape").decode("ascii"), text)


def warn(text: str) -> None:
    """A remark for people that is no part of the answer: to standard error."""
    print(f"warning: {text}", file=sys.stderr)


def phase_name(state: State) -> str:
    """The phase in words: ``awaiting approval``."""
    return state.phase.value.replace("_", " ")


def table(title: str, columns: Iterable[str], rows: Iterable[Iterable[object]]) -> None:
    """A table for people: as wide as the terminal allows, as wide as it needs when piped."""
    from rich import box
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    console = Console(highlight=False)
    grid = Table(
        title=title or None, title_justify="left", box=box.SIMPLE_HEAD, pad_edge=False,
        show_edge=False,
    )  # fmt: skip
    for column in columns:
        grid.add_column(column, overflow="fold")
    for row in rows:
        # Text, not markup: a reason in [brackets] is to be seen.
        grid.add_row(*(Text(visible(str(cell)), style=_STYLES.get(str(cell), "")) for cell in row))
    if not console.is_terminal and "COLUMNS" not in os.environ:
        # Into a file or a pipe: whole cells rather than the 80 columns of no terminal.
        wide = console.options.update(max_width=_WIDEST)
        console.width = max(80, console.measure(grid, options=wide).maximum)
    console.print(grid)


def facts_table(facts: Mapping[str, object]) -> None:
    """Names and values for people; on a terminal a long value goes on below its beginning."""
    width = max((len(name) for name in facts), default=0)
    terminal = sys.stdout.isatty() or "COLUMNS" in os.environ
    room = shutil.get_terminal_size().columns if terminal else _WIDEST
    for name, value in facts.items():
        if value not in (None, ""):
            lines = textwrap.wrap(str(value), max(20, room - width - 2)) or [""]
            say(f"{name:<{width}}  " + f"\n{'':<{width}}  ".join(lines))
