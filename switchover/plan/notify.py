"""Who is told how a migration goes: incidents at once, stakeholders and reviews on a schedule."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, field_validator

from switchover.plan.cron import Cron
from switchover.plan.form import Form, Model, Slug

Channel = Annotated[
    str,
    Field(pattern=r"^[#CG][\w-]+$"),
    Form("a Slack channel in quotes", '"#mood-migration"'),
]


class Stakeholder(Model):
    """Somebody who is told regularly, in their own channel."""

    name: Slug = Field(description="short name, like clinical")
    slack_channel: Channel = Field(description="their Slack channel, in quotes because of the #")
    cron: str = Field("0 8 * * mon", description="when, in the schedule's time zone")
    during: Literal["migration", "traffic"] = Field(
        "migration",
        description="migration: from start to the month's report; traffic: while the candidate "
        "serves, and in the week after completion",
    )

    @field_validator("cron")
    @classmethod
    def _five_fields(cls, value: str) -> str:
        Cron.parse(value)
        return value


class Notify(Model):
    """Where incidents, notices and reviews go."""

    slack_channel: Channel | None = Field(
        None, description="Slack channel, in quotes because of the #"
    )
    stakeholders: list[Stakeholder] = Field([], description="who gets regular notices")
    review_cron: str = Field(
        "0 8 * * *",
        description="when the reviews after completion run: daily for a week, then the month's",
    )

    @field_validator("review_cron")
    @classmethod
    def _five_fields(cls, value: str) -> str:
        Cron.parse(value)
        return value
