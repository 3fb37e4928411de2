"""What must be done before the candidate gets traffic: items of the engine, and people's word."""

from __future__ import annotations

from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from switchover.plan.form import Model, Slug, at_key
from switchover.plan.units import Seconds

#: Items that the engine looks after.
Item = Literal["checks", "latency", "adapters", "rollback_drilled", "monitoring"]

#: What each of them says, and what brings it about.
ITEMS: dict[str, tuple[str, str]] = {
    "checks": ("the checks of both systems pass", "`switchover advance` runs the checks stage"),
    "latency": (
        "the latency checks keep their limits",
        "`switchover advance` runs the checks stage",
    ),
    "adapters": (
        "every adapter keeps its contract on recorded answers",
        "`switchover advance` runs the adapters stage",
    ),
    "rollback_drilled": (
        "a rollback was rehearsed, and reached every router",
        "roll a rehearsal migration back while routers are live",
    ),
    "monitoring": (
        "the monitor looks, and evidence comes in",
        "check that the deployment monitor runs and recorders ship",
    ),
}


class SignOffItem(Model):
    """An item that a person answers for."""

    id: Slug = Field(description="short name, for `switchover sign`")
    text: str = Field(min_length=1, description="what they answer for")
    who: str | None = Field(None, min_length=1, description="the one person who may sign")
    role: str | None = Field(
        None, min_length=1, description="a role of approvals.roles; anybody of it may sign"
    )
    instead_of: Literal["rollback_drilled"] | None = Field(
        None, description="the item that it may stand in for; not asked where that one is done"
    )

    @property
    def by(self) -> str:
        """Who signs, in words."""
        return self.who if self.who is not None else f"somebody of the role {self.role}"

    @model_validator(mode="after")
    def _is_somebodys(self) -> Self:
        if (self.who is None) == (self.role is None):
            raise at_key(
                "id", f"'{self.id}' is to be signed by one person or one role; write who: or role:"
            )
        return self


class Checklist(Model):
    """It has to be complete before the first canary stage begins."""

    items: Annotated[list[Item], Field(min_length=0)] = Field(
        [*ITEMS],  # type: ignore[list-item]
        description="what the engine checks by itself",
    )
    drilled_within: Seconds = Field(
        2592000.0, gt=0, description="a measured rollback counts as a rehearsal for so long"
    )
    monitored_within: Seconds = Field(
        900.0, gt=0, description="the monitor's last look and the last evidence are at most so old"
    )
    sign_offs: list[SignOffItem] = Field([], description="what people answer for")

    def words(self) -> tuple[str, ...]:
        """Every item in a line."""
        stand_ins = {str(item.instead_of): item for item in self.sign_offs}
        lines = []
        for name in self.items:
            item = stand_ins.get(name)
            lines.append(ITEMS[name][0] + (f", or {item.by} signs: {item.text}" if item else ""))
        own = [item for item in self.sign_offs if not item.instead_of]
        return (*lines, *(f"{item.by} signs: {item.text}" for item in own))
