"""The plan's section ``flags``: the feature flags that a migration brings with it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any, Literal

from pydantic import Field

from switchover.machine.flag import NAME, ON, Flag
from switchover.machine.split import percent_to_split
from switchover.machine.targeting import Rule
from switchover.plan.form import Form, Model
from switchover.plan.units import Percent

if TYPE_CHECKING:
    from switchover.plan.spec import Plan

FlagName = Annotated[
    str,
    Field(pattern=NAME),
    Form("a flag's name of letters, digits, dots, hyphens and underscores", "new-panel"),
]


class FlagRule(Model):
    """A variant for the requests whose attributes meet every condition."""

    when: dict[str, Any] = Field(
        min_length=1,
        description="attribute to a value, a list of values, or above, at_least, below, at_most",
    )
    variant: str = Field(min_length=1, description="a variant, on or off")


class FeatureFlag(Model):
    """One feature flag; `switchover flags set` changes it while the migration runs."""

    name: FlagName = Field(description="what the application asks for")
    component: str = Field("", description="the part of the system that it belongs to")
    enabled: bool = Field(True, description="false switches it off for everybody")
    percent: Percent = Field(100.0, description="share of the keys for which it is on")
    variants: dict[str, Percent] = Field(
        {}, description="weights of its variants, together 100 %; without any it is on or off"
    )
    values: dict[str, Any] = Field({}, description="what a variant stands for; default: its name")
    off: str = Field("", description="variant that is given while the flag is off")
    requires: list[str] = Field(
        [], description="flags that must be on for the same key; name=variant asks for a variant"
    )
    overrides: dict[str, str] = Field({}, description="key to variant, on or off; for test users")
    rules: list[FlagRule] = Field([], description="the first that matches gives the variant")
    metadata: dict[str, str | int | float | bool] = Field(
        {}, description="for those who ask about the flag; decides nothing"
    )
    visibility: Literal["public", "authenticated", "admin", "internal"] = Field(
        "internal", description="who may be told of it; internal: nobody outside the services"
    )
    follows_split: bool = Field(
        True, description="on only where the candidate serves the key, so off with a rollback"
    )

    def compile(self) -> Flag:
        """The flag as routers know it; ``ValueError`` where its parts do not fit together."""
        variants = {name: percent_to_split(share) for name, share in self.variants.items()}
        same = self.model_dump(
            include={"name", "component", "enabled", "values", "off", "overrides", "metadata",
                     "visibility", "follows_split"}
        )  # fmt: skip
        return Flag(
            **same,
            split=percent_to_split(self.percent),
            variants=variants,
            requires=prerequisites(self.requires),
            rules=tuple(Rule(rule.when, rule.variant) for rule in self.rules),
        )


def prerequisites(written: list[str]) -> dict[str, str]:
    """``["panel", "layout=b"]`` as flag to variant."""
    parts = [item.partition("=") for item in written]
    return {name: variant or ON for name, _, variant in parts}


def candidate_flags(plan: Plan) -> list[str]:
    """The names of the flags that a rollback switches off."""
    return sorted(name for name, flag in compile_flags(plan).items() if flag.follows_split)


def compile_flags(plan: Plan) -> dict[str, Flag]:
    """Every flag of ``plan`` by name. Those that ``rollback.flags`` names without a definition
    are the candidate's, on wherever it serves."""
    named = {name: Flag(name, follows_split=True) for name in plan.rollback.flags}
    return named | {flag.name: flag.compile() for flag in plan.flags}
