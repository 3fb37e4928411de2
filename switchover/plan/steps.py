"""The kinds of stage that a plan may list, and the ones it gets without a list."""

from __future__ import annotations

from typing import Annotated, Any, Literal, Self

from pydantic import Field, model_validator

from switchover.plan.form import Model, at_key
from switchover.plan.units import Percent, Seconds

#: What it takes to go back from a stage, from the moment it begins.
Reversibility = Literal["reversible", "compensable", "point_of_no_return"]


class ChecksStage(Model):
    """Run the development-phase checks of both systems."""

    kind: Literal["checks"] = Field(description="always checks")


class ShadowStage(Model):
    """Legacy serves, the candidate answers too, answers are compared."""

    kind: Literal["shadow"] = Field(description="always shadow")
    bake: Seconds = Field(86400.0, description="shortest stay")
    sample: Percent = Field(100.0, description="share of requests that are shadowed")


class AdaptersStage(Model):
    """Every consumer's adapter over recorded candidate output, against its contract."""

    kind: Literal["adapters"] = Field(description="always adapters")


class CanaryStage(Model):
    """The candidate serves a share of the keys."""

    kind: Literal["canary"] = Field(description="always canary")
    percent: Percent = Field(gt=0, description="share of the keys that the candidate serves")
    bake: Seconds = Field(86400.0, description="shortest stay")
    approval: bool = Field(False, description="a person must approve before this stage begins")
    shadow: Percent = Field(10.0, description="share of requests also sent to the other side")
    reversibility: Reversibility = Field(
        "reversible", description="what a rollback from this stage on costs"
    )
    compensation: str | None = Field(
        None, min_length=1, description="what people do after a rollback of a compensable stage"
    )

    @model_validator(mode="after")
    def _says_what_it_costs(self) -> Self:
        if self.reversibility == "compensable" and self.compensation is None:
            raise at_key(
                "reversibility",
                "nobody would know what a rollback leaves to do; add compensation: with a sentence",
            )
        if self.reversibility != "compensable" and self.compensation is not None:
            raise at_key(
                "compensation",
                f"a {self.reversibility.replace('_', ' ')} stage has nothing to compensate; "
                "write reversibility: compensable, or remove this",
            )
        if self.reversibility == "point_of_no_return" and not self.approval:
            raise at_key(
                "reversibility",
                "nobody would be asked before the point of no return; add approval: true",
            )
        return self


Stage = Annotated[
    ChecksStage | ShadowStage | AdaptersStage | CanaryStage, Field(discriminator="kind")
]


def default_stages() -> list[Any]:
    """What a plan without a list of stages gets: 10, 25, 50 and 100 percent after the checks."""
    return [
        ChecksStage(kind="checks"),
        ShadowStage(kind="shadow"),
        AdaptersStage(kind="adapters"),
        *(CanaryStage(kind="canary", percent=percent) for percent in (10, 25, 50, 100)),
    ]
