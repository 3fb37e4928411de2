"""Read a file of observations into looks, ready for the judge.

Rows are counted per look, metric and system while they are read, so that a million of them
take about a second. They need not be sorted: a row's own time decides which look it is in.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from math import isfinite
from pathlib import Path
from typing import Any

from switchover.cli.rows import Rows, rows_of
from switchover.errors import InputError
from switchover.judge.block import SYSTEMS, Look, Tally
from switchover.judge.replay import SHARES, tally_share, tally_values

#: Faults that are told one by one; more are only counted.
_TOLD = 20
#: Rows after which the waiting values are counted and let go.
_BATCH = 500_000
#: The last second of the year 9999; what lies beyond is no time in seconds.
_LATEST = 253_402_300_799.0
_MOST = 10**12
_BITS = frozenset((0.0, 1.0))
_SYSTEMS = frozenset(SYSTEMS)
_WORDS = {"true": True, "false": False}

#: (number of the look, metric, system)
_Key = tuple[float, Any, Any]


@dataclass(frozen=True, slots=True)
class Recording:
    """``looks`` in order of time, each with the second it began; ``rows`` of the file;
    ``numeric`` when it tells time in seconds; ``ignored`` rows by metric nobody asked for."""

    looks: Sequence[tuple[float, Look]]
    rows: int
    numeric: bool
    ignored: dict[str, int]


def read_observations(path: Path, kinds: Mapping[str, Collection[str]], every: float) -> Recording:
    """The observations of the metrics in ``kinds`` (metric: kinds of its gates), in looks.

    Raises ``InputError`` with a line ``FILE:LINE: fault`` for every bad row.
    """
    return _Reader(path, kinds, every).read()


class _Reader:
    def __init__(self, path: Path, kinds: Mapping[str, Collection[str]], every: float) -> None:
        self._path, self._kinds, self._every = path, kinds, every
        self._shares = {metric for metric, seen in kinds.items() if not SHARES.isdisjoint(seen)}
        self._counts = {m for m, seen in kinds.items() if "count" in seen} - self._shares
        self._gauges = {metric for metric, seen in kinds.items() if "memory" in seen}
        self._strict = self._shares | self._counts | self._gauges
        self._lists: defaultdict[_Key, list[float]] = defaultdict(list)
        self._tallies: dict[_Key, Tally] = {}
        self._faults: list[str] = []
        self._faulty = 0
        self._ignored: dict[str, int] = {}

    def read(self) -> Recording:
        total, numeric = 0, None
        for rows in rows_of(self._path, self._fault):
            if numeric is None:
                numeric = _number(rows.at[0]) is not None
            if not self._at_once(rows, float if numeric else _iso):
                self._one_by_one(rows)
            total += len(rows.lines)
            if total // _BATCH != (total - len(rows.lines)) // _BATCH:
                self._fold()
        if self._faulty:
            more = self._faulty - len(self._faults)
            told = [*self._faults, f"{self._path}: and {more} more"] if more else self._faults
            raise InputError("\n".join(told))
        self._fold()
        looks: dict[float, dict[str, dict[str, Tally]]] = {}
        for (number, metric, system), tally in self._tallies.items():
            looks.setdefault(number, {}).setdefault(metric, {})[system] = tally
        ordered = [(number * self._every, looks[number]) for number in sorted(looks)]
        return Recording(ordered, total, bool(numeric), self._ignored)

    def _at_once(self, rows: Rows, moment: Callable[[Any], float]) -> bool:
        """Take ordinary rows, many at once; False, and nothing taken, when one is not."""
        every = self._every
        try:
            if not (set(rows.metric) <= self._kinds.keys() and set(rows.system) <= _SYSTEMS):
                return False
            if rows.n is not None or not {bool}.isdisjoint(map(type, (*rows.value, *rows.at))):
                return False
            numbers = [at // every for at in map(moment, rows.at)]
            values = list(map(float, rows.value))
        except (TypeError, ValueError, OverflowError):
            return False
        if not (min(numbers) >= 0.0 and max(numbers) * every <= _LATEST):
            return False
        lists: defaultdict[_Key, list[float]] = defaultdict(list)
        for key, value in zip(
            zip(numbers, rows.metric, rows.system, strict=True), values, strict=True
        ):
            lists[key].append(value)
        if any(key[1] in self._strict and not _BITS.issuperset(lists[key]) for key in lists):
            return False
        for key, fresh in lists.items():
            self._lists[key] += fresh
        return True

    def _one_by_one(self, rows: Rows) -> None:
        counts = rows.n or [None] * len(rows.lines)
        columns = (rows.lines, rows.at, rows.system, rows.metric, rows.value, counts)
        for line, at, system, metric, value, n in zip(*columns, strict=True):
            if isinstance(metric, str) and metric and metric not in self._kinds:
                self._ignored[metric] = self._ignored.get(metric, 0) + 1
            else:
                self._look_closely(line, at, system, metric, value, n)

    def _look_closely(
        self, line: int, at: Any, system: Any, metric: Any, value: Any, n: Any
    ) -> None:
        """Take one row of any sort, or tell what is wrong with it."""
        try:
            key = (_time(at) // self._every, self._metric(metric), _system(system))
            count = _whole(n)
            number = self._value(metric, value, count)
        except ValueError as error:
            self._fault(line, str(error))
            return
        if count == 1:
            self._lists[key].append(number)
        else:
            tally = tally_share(self._kinds[metric], number, count)
            self._tallies.setdefault(key, Tally()).add(tally)

    def _metric(self, metric: Any) -> str:
        if not isinstance(metric, str) or metric not in self._kinds:
            raise ValueError(f"metric {metric!r} is no name; name a metric of the plan")
        return metric

    def _value(self, metric: str, value: Any, n: int) -> float:
        """The value as the judge counts it; raises ``ValueError`` where it makes no sense."""
        text = value.strip().lower() if isinstance(value, str) else value
        good = _WORDS.get(text) if isinstance(text, str) else text
        if isinstance(good, bool):
            # As the recorder has it: True is good, so for a count of events it is none.
            return float(n * (not good)) if metric in self._counts else float(good)
        number = _number(value)
        if number is None:
            raise ValueError(f"value {value!r} is not a number; write one, or true or false")
        if metric in self._shares:
            if not 0.0 <= number <= 1.0:
                raise ValueError(f"value {value} of {metric}: 1 is good and 0 is bad")
            if n == 1 and number not in (0.0, 1.0):
                raise ValueError(
                    f"value {value} of {metric} is a share of good ones; say in n of how many"
                )
        elif metric in self._counts and not (0.0 <= number < _MOST and number == int(number)):
            raise ValueError(f"value {value} of {metric}: a number of events, from 0")
        elif metric in self._gauges and not isfinite(number):
            raise ValueError(f"value {value} of {metric} is not a finite number")
        return number

    def _fold(self) -> None:
        """Count the values that wait."""
        for key, values in self._lists.items():
            if values:
                tally = tally_values(self._kinds[key[1]], values)
                self._tallies.setdefault(key, Tally()).add(tally)
                values.clear()

    def _fault(self, line: int, what: str) -> None:
        self._faulty += 1
        if self._faulty <= _TOLD:
            self._faults.append(f"{self._path}:{line}: {what}")


def _system(system: Any) -> str:
    if system not in SYSTEMS:
        raise ValueError(f"system {system!r} is unknown; one of {', '.join(SYSTEMS)}")
    return str(system)


def _number(value: Any) -> float | None:
    if isinstance(value, bool) or not isinstance(value, str | int | float):
        return None
    try:
        return float(value)
    except (ValueError, OverflowError):
        return None


def _whole(n: Any) -> int:
    number = 1.0 if n is None else _number(n)
    if number is None or not 1.0 <= number <= _MOST or number != int(number):
        raise ValueError(f"n {n!r} is not a count from 1")
    return int(number)


def _iso(text: Any) -> float:
    """Seconds of an ISO 8601 time; one without a zone is UTC."""
    moment = datetime.fromisoformat(text)
    return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp()


def _time(at: Any) -> float:
    seconds = _number(at)
    if seconds is None:
        try:
            seconds = _iso(at.strip())
        except (ValueError, AttributeError, OverflowError):
            raise ValueError(
                f"at {at!r} is no time; write seconds or ISO 8601, like 2026-01-31T09:00:00Z"
            ) from None
    if not 0.0 <= seconds <= _LATEST:
        raise ValueError(f"at {at} lies outside the years 1970 to 9999; write seconds")
    return seconds
