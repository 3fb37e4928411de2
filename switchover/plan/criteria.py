"""What has to be true before a migration that was rolled back may be tried again."""

from __future__ import annotations

from pydantic import Field

from switchover.plan.form import Model, Slug


class Criterion(Model):
    """A condition of another attempt, which people tick when it is met."""

    id: Slug = Field(description="short name, for `switchover incident tick`")
    text: str = Field(min_length=1, description="what has to be true")


#: Where a plan says nothing of its own.
DEFAULT_CRITERIA = (
    Criterion(id="root-cause", text="the root cause is known, and written in the incident"),
    Criterion(id="fix-deployed", text="the fix is in the candidate, and a test fails without it"),
    Criterion(
        id="shadow-validated",
        text="the gates that failed hold on recorded or shadowed traffic",
    ),
    Criterion(id="prevention-owned", text="every action has an owner and a date"),
    Criterion(id="drill-done", text="a rollback drill has succeeded since"),
)
