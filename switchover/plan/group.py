"""Migrations that move together: what one waits for, and where all meet."""

from __future__ import annotations

import re
from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field, WithJsonSchema

from switchover.plan.form import Form, Model, Slug
from switchover.plan.units import percent

_KEY = re.compile(r"[a-z][a-z0-9.-]{0,62}")


def place(value: Any) -> str:
    """A place in a rollout: ``50%`` or a stage's key such as ``shadow``, ``canary-50`` or
    ``complete``; raises ``ValueError``."""
    number = isinstance(value, int | float) and not isinstance(value, bool)
    if number or isinstance(value, str):
        text = f"{value:g}%" if number else value.strip()
        if text.endswith("%"):
            share = percent(text)
            if 0 < share <= 100:
                return f"{share:g}%"
        elif _KEY.fullmatch(text):
            return text
    shown = f"'{value}'" if isinstance(value, str) else repr(value)
    raise ValueError(
        f"{shown} is no place in a rollout; write a share above 0 like 50%, or a stage like shadow"
    )


Place = Annotated[
    str,
    BeforeValidator(place),
    WithJsonSchema({"type": "string", "examples": ["50%", "complete", "canary-50"]}),
]


class Dependency(Model):
    """A migration that must have come somewhere before this one goes on."""

    migration: Slug = Field(description="the one that goes first")
    reached: Place = Field("100%", description="where it must stand, or be past: a share, a stage")
    before: Place = Field(description="what of this one waits: from this share, or stage, on")


class Group(Model):
    """What it shares with others."""

    name: Annotated[
        str,
        Field(pattern=r"^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$"),
        Form("a short name of lower-case letters, digits and hyphens", "checkout"),
    ] = Field(description="all plans with this name are one group")
    depends_on: list[Dependency] = Field([], description="who goes first")
    barrier: list[Place] = Field(
        [], description="stages that begin only when every member is ready for them"
    )
    on_failure: Literal["hold", "abort", "rollback"] = Field(
        "hold", description="what follows when one that a begun stage rests on has gone back"
    )

    def words(self) -> tuple[str, ...]:
        """What it shares, in lines."""
        lines = [self.name]
        lines += [f"{need.before} waits for {need.reached} of {need.migration}"
                  for need in self.depends_on]  # fmt: skip
        lines += [f"all meet before {place}" for place in self.barrier]
        if self.depends_on:
            what = {"hold": "holds", "abort": "is aborted", "rollback": "is rolled back"}
            lines.append(f"when one of them goes back, it {what[self.on_failure]}")
        return tuple(lines)
