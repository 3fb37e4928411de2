"""The way back: what a rollback does beyond turning the traffic, and what proves that it worked."""

from __future__ import annotations

from pydantic import Field, field_validator

from switchover.plan.criteria import DEFAULT_CRITERIA, Criterion
from switchover.plan.form import Model
from switchover.plan.rollback_steps import Levels
from switchover.plan.units import Seconds
from switchover.plan.validation import Validation


class Rollback(Model):
    """The way back."""

    automatic: bool = Field(True, description="the judge may roll back by itself")
    flags: list[str] = Field([], description="candidate flags that a rollback switches off")
    target: Seconds = Field(60.0, description="promised time until every router has turned")
    criteria: list[Criterion] = Field(
        [*DEFAULT_CRITERIA], description="what people tick before another attempt may begin"
    )
    levels: Levels = Field(Levels(), description="steps besides the traffic, by level")
    validation: Validation = Field(
        Validation(), description="what proves afterwards that it worked, in three waves"
    )

    @field_validator("criteria")
    @classmethod
    def _told_apart(cls, value: list[Criterion]) -> list[Criterion]:
        names = [criterion.id for criterion in value]
        twice = sorted({name for name in names if names.count(name) > 1})
        if twice:
            raise ValueError(f"{', '.join(twice)} stands there twice; give each an id of its own")
        return value
