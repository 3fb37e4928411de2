"""The table of the last drills, for `status` and `drill --history`."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from switchover.cli.session import say, table


def show_drills(found: Mapping[str, Any] | None) -> None:
    """The last ten, the newest first, with what they measured and the trend."""
    if found is None:
        say("no drill yet")
        return
    from switchover.engine.drills import DRILL_HEAD, drill_row

    table("", [name.lower() for name in DRILL_HEAD], map(drill_row, found["drills"]))
    say(found["trend"])
