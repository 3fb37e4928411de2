"""JSON Schema contracts: loaded once per content, formats checked, nothing ever fetched."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any, NoReturn

import jsonschema_rs

from switchover.errors import InputError

#: Stands in a fault for the value at fault: answers hold people's data, and faults are kept.
MASK = "the value"


@dataclass(frozen=True, slots=True)
class Schema:
    """A compiled contract; `load_schema` makes it."""

    document: Any
    validator: Any

    def faults(self, instance: Any, limit: int = 20) -> list[str]:
        """What is wrong with an answer, as ``$.path: message`` without the answer's values;
        empty when it keeps the contract. Raises ``ValueError`` for what is not JSON."""
        found = []
        for error in self.validator.iter_errors(instance):
            found.append(f"{json_path(error.instance_path)}: {error.message}")
            if len(found) >= limit:
                break
        return found

    def accepts(self, instance: Any) -> bool:
        """Whether an answer keeps the contract."""
        return bool(self.validator.is_valid(instance))


def load_schema(path: Path) -> Schema:
    """The contract in a file; raises ``InputError`` with the file and the place in it."""
    try:
        content = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        why = error.strerror if isinstance(error, OSError) else "it is not UTF-8"
        raise InputError(
            f"{path}: the contract can't be read: {why}; name a JSON Schema file"
        ) from error
    try:
        return compile_schema(content)
    except InputError as error:
        raise InputError(f"{path}{error}") from error


@lru_cache(maxsize=128)
def compile_schema(content: str) -> Schema:
    """The contract in a text; raises ``InputError`` that begins at the place in the text."""
    try:
        document = json.loads(content)
    except json.JSONDecodeError as error:
        raise InputError(f":{error.lineno}:{error.colno}: not JSON: {error.msg}") from error
    if not isinstance(document, dict | bool):
        raise InputError(": a JSON Schema is an object")
    try:
        validator = jsonschema_rs.validator_for(
            document,
            validate_formats=True,
            ignore_unknown_formats=False,
            retriever=_refuse_to_fetch,
            mask=MASK,
        )
    except (jsonschema_rs.ValidationError, jsonschema_rs.ReferencingError, ValueError) as error:
        pointer = "".join(f"/{_escaped(part)}" for part in getattr(error, "instance_path", ()))
        message = str(getattr(error, "message", error)).splitlines()[0]
        raise InputError(f"#{pointer}: not a valid JSON Schema: {message}") from error
    return Schema(document, validator)


def json_path(parts: Iterable[str | int]) -> str:
    """Keys and indexes as a JSON path: ``$.items[3].id``, ``$['a key']``."""
    path = "$"
    for part in parts:
        if isinstance(part, int):
            path += f"[{part}]"
        elif part.isidentifier():
            path += f".{part}"
        else:
            path += f"[{part!r}]"
    return path


def _escaped(part: str | int) -> str:
    return str(part).replace("~", "~0").replace("/", "~1")


def _refuse_to_fetch(uri: str) -> NoReturn:
    raise ValueError(f"{uri} lies outside this file, and contracts fetch nothing; "
                     "copy the definition into $defs")  # fmt: skip
