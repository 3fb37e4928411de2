"""Recorded requests and answers as JSON lines: written, and read back with precise errors."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NoReturn, Self

from switchover.errors import InputError

_KEYS = frozenset({"request", "legacy", "candidate"})


@dataclass(frozen=True, slots=True)
class Line:
    """One line of a JSON-lines file: its number from 1, and its value or what is wrong with it."""

    number: int
    value: Any = None
    fault: str = ""


@dataclass(frozen=True, slots=True)
class Exchange:
    """One request and what each system answered; ``None`` where nothing was recorded."""

    request: Any
    legacy: Any
    candidate: Any

    @classmethod
    def of(cls, value: Any) -> Self:
        """The exchange that a recorded line holds.

        A line is an exchange when it has ``candidate``, at least one of ``request`` and
        ``legacy``, and no other key; any other line is the candidate's answer itself.
        """
        if (
            isinstance(value, dict)
            and "candidate" in value
            and len(value) > 1
            and value.keys() <= _KEYS
        ):
            return cls(value.get("request"), value.get("legacy"), value["candidate"])
        return cls(None, None, value)

    def to_json(self) -> str:
        """The exchange as one line, without the line's end; raises ``InputError`` for what JSON
        can't hold."""
        document = {"request": self.request, "legacy": self.legacy, "candidate": self.candidate}
        try:
            return json.dumps(document, allow_nan=False, ensure_ascii=False, separators=(",", ":"))
        except (TypeError, ValueError) as error:
            raise InputError(f"this exchange can't be recorded as JSON: {error}") from error


def write_exchanges(path: Path, exchanges: Iterable[Exchange]) -> int:
    """Append exchanges to a file, one line each; gives how many."""
    count = 0
    with path.open("a", encoding="utf-8", newline="\n") as file:
        for exchange in exchanges:
            file.write(exchange.to_json() + "\n")
            count += 1
    return count


def read_lines(path: Path) -> Iterator[Line]:
    """Every line that is not blank, the unreadable ones with their fault; raises ``InputError``
    when the file itself can't be read."""
    try:
        with path.open("rb") as file:
            for number, raw in enumerate(file, start=1):
                if raw.strip():
                    yield _parsed(number, raw)
    except OSError as error:
        raise InputError(f"{path}: can't be read: {error.strerror}; check the path") from error


def read_values(path: Path) -> list[tuple[int, Any]]:
    """Line numbers and values; raises ``InputError`` at the first bad line, or without any."""
    values = []
    for line in read_lines(path):
        if line.fault:
            raise InputError(f"{path}:{line.number}: {line.fault}; write one JSON value per line")
        values.append((line.number, line.value))
    if not values:
        raise InputError(f"{path}: no line to read; write one JSON value per line")
    return values


def read_exchanges(path: Path) -> list[tuple[int, Exchange]]:
    """Line numbers and exchanges; raises ``InputError`` as `read_values` does."""
    return [(number, Exchange.of(value)) for number, value in read_values(path)]


def _parsed(number: int, raw: bytes) -> Line:
    try:
        text = raw.decode("utf-8-sig" if number == 1 else "utf-8")
        return Line(number, json.loads(text, parse_constant=_refuse))
    except UnicodeDecodeError as error:
        return Line(number, fault=f"not UTF-8 at byte {error.start + 1}")
    except json.JSONDecodeError as error:
        return Line(number, fault=f"not JSON: {error.msg} at column {error.colno}")
    except (ValueError, RecursionError) as error:
        return Line(number, fault=f"not JSON: {error}")


def _refuse(constant: str) -> NoReturn:
    raise ValueError(f"{constant} is not a JSON number")
