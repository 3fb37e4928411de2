"""Rows of a file of observations, as columns: csv, jsonl, and parquet where pandas reads it."""

from __future__ import annotations

import csv
import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from io import TextIOWrapper
from itertools import islice
from operator import itemgetter
from pathlib import Path
from typing import Any, BinaryIO, TextIO

from pydantic_core import from_json

from switchover.errors import DependencyUnavailable, InputError


@dataclass(frozen=True, slots=True)
class Rows:
    """Some rows as columns, as they were read; ``lines`` are their numbers in the file."""

    lines: Sequence[int]
    at: Sequence[Any]
    system: Sequence[Any]
    metric: Sequence[Any]
    value: Sequence[Any]
    n: Sequence[Any] | None


#: Told about what is no row at all: line and fault.
Fault = Callable[[int, str], None]

COLUMNS = ("at", "system", "metric", "value")
_NEEDS = f"needs the columns {', '.join(COLUMNS)}, and n where a row stands for several"
#: Rows at once: few enough that they stay in the processor's cache.
_BATCH = 128


def rows_of(path: Path, fault: Fault) -> Iterator[Rows]:
    """Every row of ``path``; the kind of file is told by its content.

    Raises ``InputError`` for a file that can't be read, ``DependencyUnavailable`` for parquet
    without the packages that read it.
    """
    try:
        with path.open("rb") as file:
            start = file.read(4096).removeprefix(b"\xef\xbb\xbf").lstrip()
            file.seek(0)
            if start.startswith(b"PAR1"):
                yield from _parquet(path, file)
                return
            with TextIOWrapper(file, encoding="utf-8-sig", newline="") as text:
                yield from (_jsonl if start[:1] in (b"{", b"[") else _csv)(path, text, fault)
    except OSError as error:
        raise InputError(
            f"{path}: can't be read ({error.strerror}); name a csv, jsonl or parquet file"
        ) from error
    except UnicodeDecodeError as error:
        raise InputError(f"{path}: is not UTF-8 text ({error.reason}); convert it") from error


def _csv(path: Path, text: TextIO, fault: Fault) -> Iterator[Rows]:
    reader = csv.reader(text)
    try:
        header = [name.strip().lower() for name in next(reader, [])]
        missing = [name for name in COLUMNS if name not in header]
        if missing:
            raise InputError(f"{path}:1: no column {', '.join(missing)} in the header; it {_NEEDS}")
        places = [header.index(name) for name in COLUMNS]
        n = header.index("n") if "n" in header else None
        before = reader.line_num
        while batch := list(islice(reader, _BATCH)):
            lines: Sequence[int] = range(before + 1, before + 1 + len(batch))
            if reader.line_num - before != len(batch) or set(map(len, batch)) != {len(header)}:
                batch, lines = _whole_rows(batch, before, len(header), fault)
            before = reader.line_num
            columns = list(zip(*batch, strict=True))
            if columns:
                at, system, metric, value = (columns[place] for place in places)
                counts = None if n is None else [count or None for count in columns[n]]
                yield Rows(lines, at, system, metric, value, counts)
    except csv.Error as error:
        raise InputError(f"{path}:{reader.line_num}: is not CSV ({error})") from error


def _whole_rows(
    batch: list[list[str]], before: int, width: int, fault: Fault
) -> tuple[list[list[str]], list[int]]:
    """The rows that have every field, with the line each begins in; the others are told."""
    kept, lines = [], []
    for row in batch:
        if len(row) == width:
            kept.append(row)
            lines.append(before + 1)
        elif row:
            fault(before + 1, f"{len(row)} fields where the header has {width}")
        before += 1 + sum(cell.count("\n") for cell in row)
    return kept, lines


def _jsonl(path: Path, text: TextIO, fault: Fault) -> Iterator[Rows]:
    before, fields = 0, itemgetter(*COLUMNS)
    while lines := list(islice(text, _BATCH)):
        numbers: Sequence[int] = range(before + 1, before + 1 + len(lines))
        documents = _parsed(lines)
        try:
            columns = list(zip(*map(fields, documents or ()), strict=True))
            counts = [document.get("n") for document in documents or ()]
        except (KeyError, TypeError, AttributeError):
            documents = None
        if documents is None:
            found = [(i, _one(line, i, fault)) for i, line in zip(numbers, lines, strict=True)]
            numbers = [i for i, document in found if document is not None]
            kept = [document for _, document in found if document is not None]
            columns = list(zip(*map(fields, kept), strict=True))
            counts = [document.get("n") for document in kept]
        before += len(lines)
        if columns:
            at, system, metric, value = columns
            yield Rows(
                numbers,
                at,
                system,
                metric,
                value,
                counts if counts.count(None) < len(counts) else None,
            )


def _parsed(lines: list[str]) -> list[Any] | None:
    """All lines at once, which is faster; None when they have to be looked at one by one."""
    try:
        documents: list[Any] = from_json(f"[{','.join(lines)}]")
    except ValueError:
        return None
    return documents if len(documents) == len(lines) else None


def _one(line: str, number: int, fault: Fault) -> dict[str, Any] | None:
    """The object of one line; None, and told, when it is none. A blank line is no fault."""
    if not line.strip():
        return None
    try:
        document = json.loads(line)
    except (ValueError, RecursionError) as error:
        detail = error.msg if isinstance(error, json.JSONDecodeError) else type(error).__name__
        fault(number, f"is not JSON ({detail}); write one object a line")
        return None
    if isinstance(document, dict) and all(name in document for name in COLUMNS):
        return document
    fault(number, f"is not an observation; it {_NEEDS}")
    return None


def _parquet(path: Path, file: BinaryIO) -> Iterator[Rows]:
    try:
        import pandas
        import pyarrow  # noqa: F401
    except ImportError as error:
        raise DependencyUnavailable(
            "pyarrow", f"{path} is parquet, which pandas reads with it ({error}); "
            "install switchover[parquet], or convert the file to csv or jsonl",
        ) from error  # fmt: skip
    try:
        frame = pandas.read_parquet(file)
    except Exception as error:  # pyarrow has a tree of errors of its own
        raise InputError(f"{path}: is not readable parquet ({error})") from error
    missing = [name for name in COLUMNS if name not in frame.columns]
    if missing:
        raise InputError(f"{path}:1: no column {', '.join(missing)}; it {_NEEDS}")
    times = frame["at"]
    if str(times.dtype).startswith("datetime64"):
        times = times.astype(str)
    system, metric, value = (frame[name].tolist() for name in COLUMNS[1:])
    counts = None
    if "n" in frame.columns:
        counts = [None if count != count else count for count in frame["n"].tolist()]
    yield Rows(range(1, len(frame) + 1), times.tolist(), system, metric, value, counts)
