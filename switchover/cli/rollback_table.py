"""Tables of a rollback's levels, steps and waves, for `status` and `steps`."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from switchover.cli.session import say, table
from switchover.reporting.rollback import RollbackTable, headline, rollback_tables


def show_rollback(picture: Mapping[str, Any]) -> None:
    """How the rollback stands: a sentence, then what there is of levels, steps and waves."""
    say(headline(picture))
    for each in rollback_tables(picture):
        show_table(each)


def show_table(found: RollbackTable) -> None:
    """One of its tables."""
    table("", [name.lower() for name in found.head], found.rows)
