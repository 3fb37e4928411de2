"""Write docs/reference/plan.md: ``python -m switchover.plan.reference [--check]``."""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from switchover.plan.catalogue import METRICS, Metric
from switchover.plan.schema import plan_schema
from switchover.plan.units import spoken

FILE = Path("docs/reference/plan.md")

_INTRODUCTION = """\
# Plan reference

*Written by `python -m switchover.plan.reference` from the models that read plans; don't edit.*

Every key of a plan. How to write one, step by step: [write a plan](../how-to/write-a-plan.md).
A key that is not listed is refused, and so is one that is there twice. `switchover plan lint
PLAN` tells every fault with file, line and column; `switchover plan schema` prints this
reference as a JSON Schema for editors.

## Units

| type | written like | notes |
|---|---|---|
| duration | `24h`, `90s`, `200ms`, `1h30m` | units us, ms, s, min, h, d, w; always with unit |
| share | `20%`, `0.2` | from 0 to 1 |
| percent | `25`, `25%` | from 0 to 100; `0.25` is a quarter of one percent |
| limit | `200ms`, `20%`, `1.5x`, `0.85` | depends on the [gate's kind](#gate-kinds) |
| moment | `2026-12-21T09:00`, `2026-12-21T09:00+01:00` | without offset: in the schedule's zone |
| day | `2026-12-31` | all of it, in UTC |
| true or false | `true`, `false` | `yes` and `on` are text in YAML 1.2, and refused |
| text | `mood`, `"0.20"` | what looks like a number needs quotes |
| file | `contracts/v1.schema.json` | relative to the plan |
| module:function | `clinic.adapters:to_v1` | imported where the flows run |
"""

_KINDS = """\
## Gate kinds

The limit is where the gate rolls back. A `promote_` limit is where it lets the migration go
on; between the two it holds. Both must be of the gate's unit.

| kind | the metric is | limit | limits |
|---|---|---|---|
| proportion | yes or no, true is good | `at_least: 0.85`, `at_most: 1%` | good or bad share |
| quantile | seconds | `at_most: 200ms` | the quantile, like 99 of 100 |
| mean | seconds or a value of your own | `at_most: 600s` | the average |
| relative_rate | yes or no, of both systems | `at_most: 1.5x` | failures against legacy's |
| relative_quantile | seconds, of both systems | `at_most: 1.5x` | quantile against legacy's |
| paired | the outcome of both on one request | `at_most: 2%` | more failures than legacy, points |
| drift | a value, of both systems | `at_most: 10%` | distance of the two distributions |
| memory | bytes, of both systems | `at_most: 20%` | growth against legacy |
| count | yes or no, true is good | `at_most: 0` | bad events in the whole rollout |
| sample_ratio | anything, once per served request | `at_most: 2%` | measured split off the wanted |

Which one to take: [choose gates](../how-to/choose-gates.md).
"""


def main(arguments: Sequence[str] = ()) -> int:
    """Write the file, or with ``--check`` say whether it is current (0) or not (1)."""
    text = reference()
    if "--check" in arguments:
        if FILE.is_file() and FILE.read_text("utf-8") == text:
            return 0
        print(f"{FILE}: not current; run python -m switchover.plan.reference", file=sys.stderr)
        return 1
    FILE.parent.mkdir(parents=True, exist_ok=True)
    FILE.write_text(text, "utf-8")
    return 0


def reference() -> str:
    """The document, in Markdown."""
    schema = plan_schema()
    parts = [_INTRODUCTION, "## Plan\n", f"{schema['description']}\n", *_table(schema)]
    for name in _order(schema, schema, []):
        model = schema["$defs"][name]
        parts += ["", f"## {_heading(name)}\n", f"{model['description']}\n", *_table(model)]
    parts += ["", _KINDS, *_catalogue()]
    return "\n".join(parts).rstrip() + "\n"


def _order(node: Any, schema: dict[str, Any], seen: list[str]) -> list[str]:
    """The definitions in the order in which a reader meets them."""
    for name in _names(node):
        if name not in seen:
            seen.append(name)
            _order(schema["$defs"][name], schema, seen)
    return seen


def _names(node: Any) -> Iterator[str]:
    if isinstance(node, dict):
        if "$ref" in node:
            yield node["$ref"].rsplit("/", 1)[-1]
        for key, value in node.items():
            if key not in ("$defs", "discriminator"):
                yield from _names(value)
    elif isinstance(node, list):
        for item in node:
            yield from _names(item)


def _table(model: dict[str, Any]) -> Iterator[str]:
    yield "| key | type | default | meaning |"
    yield "|---|---|---|---|"
    for key, value in model["properties"].items():
        default = "**required**" if key in model.get("required", ()) else _default(key, value)
        meaning = str(value.get("description", "")).replace("|", "\\|")
        yield f"| `{key}` | {_type(value)} | {default} | {meaning}{_bounds(value)} |"


def _default(key: str, value: dict[str, Any]) -> str:
    default = value.get("default")
    if default == [] or default is None or default == {}:
        return "checks, shadow, adapters, 10, 25, 50, 100 %" if key == "stages" else "–"
    if isinstance(default, float):
        return f"`{default:g}`"
    return f"`{default if isinstance(default, str) else json.dumps(default)}`"


def _type(value: dict[str, Any]) -> str:
    if "anyOf" in value:
        return _type(next(item for item in value["anyOf"] if item.get("type") != "null"))
    if "$ref" in value:
        name = value["$ref"].rsplit("/", 1)[-1]
        return f"[{_heading(name)}](#{_anchor(name)})"
    if "oneOf" in value:
        return "one of " + ", ".join(_type(item) for item in value["oneOf"])
    if "enum" in value:
        return " or ".join(f"`{item}`" for item in value["enum"])
    if "const" in value:
        return f"`{value['const']}`"
    if "unit" in value:
        return str(value["unit"])
    kind = value.get("type", "any")
    if kind == "array":
        return f"list of {_type(value['items'])}"
    if ":[A-Za-z_]" in value.get("pattern", ""):
        return "module:function"
    words = {"string": "text", "integer": "whole number", "boolean": "true or false",
             "object": "keys and values"}  # fmt: skip
    return words.get(kind, str(kind))


def _bounds(value: dict[str, Any]) -> str:
    names = {"minimum": "from", "exclusiveMinimum": "above", "maximum": "to",
             "exclusiveMaximum": "below", "maxLength": "length to"}  # fmt: skip
    some = next((item for item in value.get("anyOf", ()) if item.get("type") != "null"), value)
    bounds = [f"{word} {some[key]:g}" for key, word in names.items() if key in some]
    return f" ({' '.join(bounds)})" if bounds else ""


def _heading(name: str) -> str:
    return re.sub(r"(?<=[a-z])(?=[A-Z])", " ", name).capitalize()


def _anchor(name: str) -> str:
    return _heading(name).lower().replace(" ", "-")


def _catalogue() -> Iterator[str]:
    yield "## Metrics catalogue\n"
    yield "Metrics that Switchover knows by name; a gate on one of them needs no `kind`, and no"
    yield "limit where a default is given. Any other name is a metric of your own.\n"
    yield "| metric | measured in | kind | default limit | meaning |"
    yield "|---|---|---|---|---|"
    for metric in METRICS.values():
        cells = (f"`{metric.name}`", metric.unit, metric.kind, _limit(metric), metric.meaning)
        yield f"| {' | '.join(cells)} |"


def _limit(metric: Metric) -> str:
    if metric.at_least is not None:
        return f"at least {metric.at_least * 100:g} %"
    if metric.at_most is None:
        return "–"
    if metric.unit == "seconds":
        within = "on average" if metric.kind == "mean" else f"{metric.quantile * 100:g} %"
        return f"{within} within {spoken(metric.at_most)}"
    share = metric.kind in ("proportion", "memory", "sample_ratio")
    return "at most " + (f"{metric.at_most * 100:g} %" if share else f"{metric.at_most:g}")


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
