"""A plan that may have faults, as the rules see it: the sections that are whole, with places."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from pydantic import TypeAdapter

from switchover.errors import Fault
from switchover.plan.faults import nearest
from switchover.plan.spec import Plan
from switchover.plan.tree import Mapping
from switchover.plan.units import WRITTEN


@dataclass(frozen=True, slots=True)
class Draft:
    """``plan`` has every section named in ``whole``; others must not be read."""

    plan: Plan
    whole: frozenset[str]
    tree: Mapping
    directory: Path
    now: datetime

    @classmethod
    def of(cls, plan: Plan | None, tree: Mapping, document: dict[str, Any],
           faults: Sequence[Fault], directory: Path, now: datetime) -> Draft:  # fmt: skip
        """The draft of a document; without a ``plan``, of those sections that have no fault."""
        if plan is not None:
            return cls(plan, frozenset(Plan.model_fields), tree, directory, now)
        touched = _touched(fault.field for fault in faults)
        whole = frozenset(
            name
            for name, field in Plan.model_fields.items()
            if name not in touched and (name in document or not field.is_required())
        )
        sections = {name: _section(name, document) for name in whole}
        return cls(Plan.model_construct(None, **sections), whole, tree, directory, now)


def _touched(fields: Iterable[str]) -> frozenset[str]:
    touched: set[str] = set()
    for field in fields:
        section = field.split(".")[0].split("[")[0]
        # A misspelt section is there, under another name: nobody knows what it says.
        touched.add(section if section in Plan.model_fields
                    else nearest(section, Plan.model_fields) or section)  # fmt: skip
    return frozenset(touched)


def _section(name: str, document: dict[str, Any]) -> Any:
    field = Plan.model_fields[name]
    if name not in document:
        return field.get_default(call_default_factory=True)
    annotation: Any = field.annotation
    adapter: TypeAdapter[Any] = TypeAdapter(annotation)
    return adapter.validate_python(document[name], context=WRITTEN)
