"""The plan's section ``work_items``: where both systems keep the state of their work."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from switchover.plan.form import Column, Model, TableName
from switchover.plan.units import Seconds

#: What a rule calls a key that one side does not have, and any state that a side may have.
MISSING, ANY = "missing", "*"

StateName = Annotated[str, Field(min_length=1)]


class ItemTable(Model):
    """The table in which one system keeps its work items."""

    database: str = Field(description="SQLAlchemy URL, or env:NAME of a variable that holds it")
    table: TableName = Field(description="table or schema.table")
    key: Column = Field(description="column that names an item, the same on both sides; unique")
    state: Column = Field(description="column that holds its state")
    updated: Column | None = Field(
        None, description="column with the time of its last change, in UTC or seconds since 1970"
    )


class ItemRule(Model):
    """What is done where both systems hold these states; the first rule that fits counts."""

    legacy: StateName = Field(description='state in legacy, "*" for any, missing for no such key')
    candidate: StateName = Field(description="the same in the candidate")
    repair: Literal["use_legacy", "use_candidate", "report"] = Field(
        description="whose state the other side gets; report: a person decides"
    )


class WorkItems(Model):
    """Where legacy and candidate disagree on the state of an item, it is found and reported;
    where a rule says so, it is repaired."""

    legacy: ItemTable = Field(description="legacy's table")
    candidate: ItemTable = Field(description="the candidate's table")
    states: dict[StateName, StateName] = Field(
        {}, description="the candidate's names of states that legacy calls otherwise"
    )
    rules: list[ItemRule] = Field([], description="what is done; without a rule: report")
    settle: Seconds = Field(
        300.0, gt=0, description="what changed within this time is no disagreement yet"
    )
    every: Seconds = Field(300.0, description="shortest time between two looks of monitor")
    limit: int = Field(100, ge=1, le=1000, description="repairs in one look")
    at_most: int = Field(0, ge=0, description="disagreements with which a step may be taken")
