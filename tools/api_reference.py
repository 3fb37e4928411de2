"""Write docs/reference/api.md from the API's own OpenAPI document.

python -m tools.api_reference [--check]
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from switchover.api.app import describe_app
from tools.generated import keep

FILE = Path("docs/reference/api.md")

INTRODUCTION = """\
# HTTP API

*Written by `python -m tools.api_reference` from the API itself; don't edit.*

What `switchover serve` answers; how to run it and whom it lets in: [serve the
API](../how-to/serve-the-api.md). The same as OpenAPI: `GET /api/openapi.json`.

Everything below `/api` wants HTTP Basic with an approver's name and personal code, and a `POST`
there the header `Content-Type: application/json`. Keys that are not listed are refused. Every
answer has the header `X-Request-ID`: yours, or a new one; the log has it too.

## Errors

`application/problem+json`: `{error, what_to_do, request_id}`, with 422 also `fields`.

| status | when |
|---|---|
| 400 | bad input |
| 401 | name or code is missing or wrong, or the name is locked after too many wrong codes |
| 403 | this person may not decide this; a request that claims to be Slack's and is not |
| 404 | no migration of this name, no such path |
| 408, 413 | the body takes longer than 10 s, or is longer than 1 MiB |
| 409 | understood, and not allowed now: settled, expired, void, another was faster |
| 415 | not JSON |
| 422 | the body does not fit |
| 429 | too many requests from this address; `Retry-After` says for how long |
| 503 | a dependency is unavailable, and is named |
| 500 | a fault of Switchover's own; please report it |
"""


def main(arguments: Sequence[str] = ()) -> int:
    """Write the file, or with ``--check`` say whether it is current (0) or not (1)."""
    return keep(FILE, reference(), arguments, "tools.api_reference")


def reference() -> str:
    """The document, in Markdown."""
    document = describe_app().openapi()
    schemas = document["components"]["schemas"]
    routes = [
        (path, method, route)
        for path, methods in document["paths"].items()
        for method, route in methods.items()
    ]
    parts = [INTRODUCTION, "## Paths", "", "| | |", "|---|---|"]
    parts += [
        f"| `{method.upper()} {path}` | {route['summary']} |" for path, method, route in routes
    ]
    for path, method, route in routes:
        parts += _route(path, method, route, schemas)
    return "\n".join(parts).rstrip() + "\n"


def _route(path: str, method: str, route: Any, schemas: Any) -> Iterator[str]:
    yield from ("", f"### {method.upper()} {path}", "")
    yield f"{route['summary']}. {' '.join(route.get('description', '').split())}".strip()
    contents = route.get("requestBody", {}).get("content", {})
    for kind, content in contents.items():
        model = _resolved(content["schema"], schemas)
        yield from ("", f"Body (`{kind}`):", "")
        yield from _table(model, schemas)
        for example in model.get("examples", ()):
            yield from ("", "```json", json.dumps(example), "```")
    for kind, content in route["responses"].get("200", {}).get("content", {}).items():
        schema = content.get("schema", {})
        several = schema.get("anyOf", [])
        for each in several or [schema]:
            model = _resolved(each, schemas)
            if model.get("properties"):
                said = " ".join(model.get("description", "").split())
                yield from ("", f"Answer (`{kind}`)" + (f": {said}" if several else ":"), "")
                yield from _table(model, schemas)
        if "example" in content:
            yield from ("", "Answer:", "", "```json", json.dumps(content["example"]), "```")
    errors = [status for status in route["responses"] if status != "200"]
    if errors:
        yield from ("", f"Errors: {', '.join(errors)}.")


def _table(model: Any, schemas: Any, prefix: str = "") -> Iterator[str]:
    if not prefix:
        yield from ("| key | type | meaning |", "|---|---|---|")
    for key, value in model.get("properties", {}).items():
        found = _resolved(value, schemas)
        meaning = str(value.get("description", "" if found is value else found.get("description")))
        if key in model.get("required", ()) and "additionalProperties" in model:
            meaning = f"{meaning} (required)".strip()
        name = f"{prefix}{key}"
        yield f"| `{name}` | {_type(value, schemas)} | {meaning} |".replace("|  |", "| |")
        inner = _resolved(found.get("items", {}), schemas) if "items" in found else found
        if inner.get("properties"):
            yield from _table(inner, schemas, f"{name}{'[]' if 'items' in found else ''}.")


def _type(value: Any, schemas: Any) -> str:
    if "anyOf" in value:
        return " or ".join(_type(item, schemas) for item in value["anyOf"])
    if "enum" in value:
        return " or ".join(f"`{item}`" for item in value["enum"])
    found = _resolved(value, schemas)
    if found.get("type") == "array":
        return f"list of {_type(found['items'], schemas)}"
    words = {"string": "text", "integer": "whole number", "boolean": "true or false",
             "object": "object"}  # fmt: skip
    kind = str(found.get("type", "any"))
    return words.get(kind, kind)


def _resolved(value: Any, schemas: Any) -> Any:
    """The model that a schema names, or the one that is not null of several."""
    if "anyOf" in value:
        some = [item for item in value["anyOf"] if item.get("type") != "null"]
        return _resolved(some[0], schemas)
    if "$ref" in value:
        return schemas[value["$ref"].rsplit("/", 1)[-1]]
    return value


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
