"""Drills: how often the way back is rehearsed, and how old a rehearsal may be."""

from __future__ import annotations

from typing import Literal

from pydantic import Field, field_validator

from switchover.plan.cron import Cron
from switchover.plan.form import Model
from switchover.plan.units import Percent, Seconds, spoken


class Drill(Model):
    """Rehearse the way back by a clock. Steps past the first canary then need a fresh rehearsal."""

    target: Literal["synthetic", "real"] = Field(
        "synthetic",
        description="synthetic: a migration of its own beside this one; real: the candidate's own "
        "share goes back to legacy for a moment, too",
    )
    cron: str = Field("0 10 * * 1", description="when it runs, by the clock of schedule.timezone")
    max_age: Seconds = Field(2592000.0, gt=0, description="a successful drill counts for so long")
    at_most: Percent = Field(
        1.0, le=1, description="of target real: not while the candidate serves more than this"
    )
    required: bool = Field(
        True, description="no step past the first canary without a fresh successful drill"
    )

    def words(self) -> str:
        """When it is rehearsed, and what needs it."""
        text = f"rehearsed at '{self.cron}' ({self.target}), good for {spoken(self.max_age)}"
        return text + ", without which no step past the first canary is taken" * self.required

    @field_validator("cron")
    @classmethod
    def _five_fields(cls, value: str) -> str:
        Cron.parse(value)
        return value
