"""Recorded requests and answers as JSON lines: written, and read back with precise errors."""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any, NoReturn, Self

from switchover.errors import InputError
from switchover.ports import RecordedPart

#: Lines in a part: some seconds of work for a usual adapter, some megabytes of answers.
LINES = 10_000

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
    for part in part_lines(path, LINES):
        yield from read_part(part)


def part_lines(path: Path, lines: int) -> Iterator[RecordedPart]:
    """The file in parts of ``lines`` lines, the last one shorter; none of an empty file. Only the
    ends of lines are looked at. Raises ``InputError`` when it can't be read."""
    with _reading(path), path.open("rb") as file:
        known = os.fstat(file.fileno())
        begin, line = 0, 1
        while begin < known.st_size:
            count = sum(1 for _ in islice(file, lines))
            end = min(file.tell(), known.st_size)
            if end <= begin:
                break  # It was cut meanwhile; whoever reads the parts will say so.
            yield RecordedPart(str(path), begin, end, line, known.st_size, known.st_mtime_ns)
            begin, line = end, line + count


def read_part(part: RecordedPart) -> Iterator[Line]:
    """The lines of a part, with their numbers in the file; raises ``InputError`` when the file
    can't be read or is not what it was."""
    path = Path(part.path)
    with _reading(path), path.open("rb") as file:
        now = os.fstat(file.fileno())
        if (now.st_size, now.st_mtime_ns) != (part.size, part.changed_ns):
            raise InputError(
                f"{path} changed while it was read; run the validation again when it is complete"
            )
        file.seek(part.begin)
        number, left = part.line, part.end - part.begin
        while left > 0 and (raw := file.readline(left)):
            if raw.strip():
                yield _parsed(number, raw)
            number, left = number + 1, left - len(raw)


@contextmanager
def _reading(path: Path) -> Iterator[None]:
    try:
        yield
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
