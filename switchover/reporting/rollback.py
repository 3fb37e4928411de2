"""How a rollback stands, as rows of tables, and as Markdown for the Prefect UI.

The rows are those of ``switchover.engine.rollback_picture``.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from switchover.plan.units import spoken
from switchover.reporting.markdown import literal, markdown_table

Row = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class RollbackTable:
    """One table; times of day are in UTC."""

    head: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]


def rollback_tables(picture: Row) -> Iterator[RollbackTable]:
    """Levels where there is more than one, steps and waves where there are any."""
    if len(picture["levels"]) > 1:
        yield RollbackTable(
            ("Level", "State", "Began", "Ended", "Steps"), tuple(map(_level, picture["levels"]))
        )
    if picture["steps"]:
        yield step_table(picture["steps"])
    if picture["waves"]:
        yield RollbackTable(
            ("Wave", "State", "Begins", "Deadline", "What came of it"),
            tuple(map(_wave, picture["waves"])),
        )


def step_table(rows: Sequence[Row]) -> RollbackTable:
    """The steps, each with what came of it, or what it does."""
    head = ("Step", "Level", "State", "Began", "Took", "What came of it")
    return RollbackTable(head, tuple(map(_step, rows)))


def headline(picture: Row) -> str:
    """The whole of it in a sentence."""
    part = f"component {picture['component']}" if picture["component"] else picture["level"]
    day, time = picture["at"][:10], _time(picture["at"])
    return f"rollback of {day} {time} UTC, level {part}: {picture['sentence']}"


def rollback_markdown(picture: Row) -> str:
    """The sentence and the tables, each below its name."""
    said = literal(headline(picture))
    stands = f"Incident `{picture['incident']}`" + (
        f" is {picture['state']}." if picture["state"] else "."
    )
    tables = (
        f"**{each.head[0]}s**\n\n"
        + markdown_table(
            each.head, "l" * len(each.head), [[*map(literal, row)] for row in each.rows]
        )
        for each in rollback_tables(picture)
    )
    return "\n\n".join([f"{said[0].upper()}{said[1:]}. {stands}", *tables])


def _level(row: Row) -> tuple[str, ...]:
    done = f"{row['done']} of {row['steps']}"
    return row["level"], row["state"], _time(row["began"]), _time(row["ended"]), done


def _step(row: Row) -> tuple[str, ...]:
    state = f"{row['state']}, taken back" if row["reversed"] == "done" else row["state"]
    took = "" if row["seconds"] is None else spoken(round(row["seconds"], 3))
    came = row["summary"] or row["does"]
    return row["step"], row["level"], state, _time(row["began"]), took, came


def _wave(row: Row) -> tuple[str, ...]:
    times = _time(row["begins"]), _time(row["deadline"])
    return row["wave"], row["state"], *times, row["summary"]


def _time(moment: str | None) -> str:
    """The time of day; the day is the rollback's, which the sentence above has."""
    return moment[11:19] if moment else ""
