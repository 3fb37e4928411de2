"""The JSON Schema of the plan format, for editors that complete and check while one types."""

from __future__ import annotations

from typing import Any

from switchover.plan.spec import Plan
from switchover.plan.units import spoken

DIALECT = "https://json-schema.org/draft/2020-12/schema"


def plan_schema() -> dict[str, Any]:
    """JSON Schema (2020-12) of a plan as people write it.

    Values with a unit carry the extra keyword ``unit``: duration, share, percent, limit or
    moment; validators ignore it.
    """
    return {
        "$schema": DIALECT,
        "$id": "urn:switchover:plan:1",
        **_readable(Plan.model_json_schema(mode="validation")),
        "title": "Switchover plan",
    }


def _readable(node: Any) -> Any:
    """Without titles that repeat the key, with defaults as people write them."""
    if isinstance(node, list):
        return [_readable(item) for item in node]
    if not isinstance(node, dict):
        return node
    result: dict[str, Any] = {}
    for key, value in node.items():
        if key in ("properties", "$defs"):
            result[key] = {name: _readable(item) for name, item in value.items()}
        elif key == "default":
            result[key] = _written(value, node.get("unit"))
        elif key == "description":
            result[key] = " ".join(str(value).replace("``", "").split())
        elif key != "title":
            result[key] = _readable(value)
    return result


def _written(value: Any, unit: Any) -> Any:
    if isinstance(value, dict):
        return {}  # a section that is left out: its own keys tell their defaults
    if not isinstance(value, float):
        return value
    if unit == "duration":
        return spoken(value).replace(" ", "")
    return {"percent": f"{value:g}%", "share": f"{value * 100:g}%"}.get(str(unit), value)
