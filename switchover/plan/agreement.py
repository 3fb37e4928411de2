"""The section of a plan that says when two answers agree."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import Field

from switchover.plan.form import Model
from switchover.plan.units import Day, Fraction, Seconds


class FieldRule(Model):
    """How one field of two answers is compared."""

    path: str = Field(min_length=1, description="like risk_score, current.risk or items[*].id")
    compare: Literal[
        "exact",
        "number",
        "category",
        "set",
        "order",
        "keyed",
        "text",
        "timestamp",
        "ignore",
    ] = Field("exact", description="see [compare answers](../how-to/compare-answers.md)")
    absolute: float | None = Field(
        None, ge=0, allow_inf_nan=False, description="numbers may differ by so much"
    )
    relative: Fraction | None = Field(None, description="or by this share of legacy's value")
    categories: list[float] | None = Field(
        None, description="edges: two numbers agree when they fall between the same edges"
    )
    same: list[list[str]] | None = Field(
        None, description="of category: groups of labels that mean the same"
    )
    key: str | None = Field(
        None, min_length=1, description="of keyed and order: path inside an item that names it"
    )
    normalise: list[Literal["trim", "casefold", "whitespace", "unicode"]] = Field(
        [], description="of text: what does not count"
    )
    within: Seconds | None = Field(None, description="of timestamp: may be so far apart")
    owner: str | None = Field(None, min_length=1, description="of ignore: who answers for it")
    until: Day | None = Field(
        None, description="of ignore: its last day (UTC); the field counts again after it"
    )


class Agreement(Model):
    """When two answers agree."""

    default: Literal["exact", "ignore"] = Field(
        "ignore", description="what counts for fields without a rule"
    )
    fields: list[FieldRule] = Field(min_length=1, description="one rule per field")
    redact: list[str] = Field([], description="paths whose values never leave the application")
    noise: bool = Field(
        False, description="the agreement gate's limit stands on top of legacy's noise_rate"
    )

    def document(self) -> dict[str, Any]:
        """The rules for those who compare, without what is left at its default: an older reader
        knows no newer option."""
        fields = [field.model_dump(mode="json", exclude_defaults=True) for field in self.fields]
        return {"default": self.default, "fields": fields, "redact": self.redact}
