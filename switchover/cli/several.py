"""End several migrations at once; shared by `abort` and `rollback`."""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import Annotated

import typer

from switchover.cli.session import print_json, say, slug_or_none
from switchover.engine.context import Context
from switchover.engine.end_each import Ended, end_each, members
from switchover.errors import InputError, SwitchoverError
from switchover.machine.state import Phase

#: Of many so many are named in the question.
NAMED = 10

#: A migration's name, or none where a group or all are meant.
OneOrMany = Annotated[
    str,
    typer.Argument(
        help="The migration's short name, unless it is several.", metavar="[M]",
        callback=slug_or_none,
    ),
]  # fmt: skip
GroupName = Annotated[str, typer.Option("--group", help="Every migration of this group.")]
Yes = Annotated[bool, typer.Option("--yes", "-y", help="Don't ask, when it is several.")]


def check_choice(migration: str, group: str, everything: bool = False) -> None:
    """Raise ``InputError`` unless exactly one of the three is given."""
    if sum(map(bool, (migration, group, everything))) != 1:
        raise InputError("name one migration, or several by one option, and not both")


def chosen(context: Context, group: str) -> list[str]:
    """The migrations of ``group``; of an empty one, all."""
    if group:
        return members(context, group)
    return [state.migration for state in context.ledger.migrations()]


def end_several(
    context: Context, names: list[str], what: str, end: Callable[[str], str], *,
    ended: frozenset[Phase], yes: bool, json: bool,
) -> None:  # fmt: skip
    """Ask, end each and tell; those in a phase of ``ended`` stay as they are. Raises with the
    highest exit code when some could not be ended."""
    if not yes:
        more = f" and {len(names) - NAMED:,} more" if len(names) > NAMED else ""
        whom = ", ".join(names[:NAMED]) + more
        if not sys.stdin.isatty():
            raise InputError(f"{what} {whom}: say --yes to do it without a question")
        typer.confirm(f"{what} {whom}?", abort=True, err=True)
    failed: list[Ended] = []
    for each in end_each(context, names, end, ended):
        failed += [each] if each.outcome == "failed" else []
        print_json(each.to_dict()) if json else say(f"{each.migration}: {each.sentence}")
    if failed:
        # Each was told above; what follows is for the exit code.
        error = SwitchoverError(
            f"{len(failed)} of {len(names)} could not be ended: "
            f"{', '.join(each.migration for each in failed)}"
        )
        error.exit_code = max(each.exit_code for each in failed)
        raise error
