"""SQL: the rows of a time, in one read-only transaction with a time limit."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import sqlalchemy as sa
from sqlalchemy.exc import DBAPIError, SQLAlchemyError

from switchover.judge.block import Block
from switchover.observe.sources.counters import counts, number
from switchover.observe.sources.span import Span, answered, due, unreadable
from switchover.plan.sources import SqlMetric, feeds
from switchover.plan.sources import SqlSource as Spec
from switchover.ports import Mark, Reading

#: The most rows that one query may give.
MOST_ROWS = 100_000
#: Times in SQLite's text may lack their fraction, so that one on the edge belongs to the span
#: before; in seconds.
_BLUR = 0.002
#: SQLite looks at the clock after so many of its instructions.
_INSTRUCTIONS = 20_000

#: (``env:NAME``, what messages call it) -> a connection that can't write, for a moment. Raises
#: ``InputError`` for an address that is none, ``DependencyUnavailable`` for all other failures.
Connect = Callable[[str, str], AbstractContextManager[sa.Connection]]


class SqlRows:
    """One source of kind ``sql``."""

    def __init__(self, migration: str, spec: Spec, connect: Connect) -> None:
        self.name = spec.name
        self._migration, self._spec, self._connect = migration, spec, connect

    def read(self, marks: Mapping[str, Mark], *, since: float, now: float) -> list[Reading]:
        """Read what is due; see :class:`switchover.ports.MetricSource`."""
        spec = self._spec
        spans = due(
            self._migration, self.name, feeds(spec), marks,
            since=since, until=now - spec.delay, every=spec.every,
        )  # fmt: skip
        faults = (ValueError, OverflowError)
        return answered(spans, self._read, timeout=spec.timeout, what="queries", faults=faults)

    def _read(self, span: Span) -> Reading:
        way = span.feed.way
        assert isinstance(way, SqlMetric)  # the plan's model of this kind
        with (
            self._connect(self._spec.database, f"source {self.name!r}") as connection,
            reading_only(connection, self._spec.timeout),
        ):
            values = {"since": span.start, "until": span.end}
            if way.times == "timestamp":
                kind = connection.dialect.name
                bound: dict[str, Any] = {key: _moment(at, kind) for key, at in values.items()}
            else:
                bound = dict(values)
            names, rows = self._rows(connection, way.query, bound)
        if len(rows) > MOST_ROWS:
            raise ValueError(
                f"the query gives more than {MOST_ROWS:,} rows; group them, and give n and bad"
            )
        return span.reading(_blocks(span, way, names, rows))

    def _rows(
        self, connection: sa.Connection, query: str, bound: Mapping[str, Any]
    ) -> tuple[tuple[str, ...], list[tuple[Any, ...]]]:
        try:
            result = connection.execute(sa.text(query), bound)
            if not result.returns_rows:
                raise ValueError("the query gives no rows; write one SELECT")
            rows = [tuple(row) for row in result.fetchmany(MOST_ROWS + 1)]
            return tuple(result.keys()), rows
        except SQLAlchemyError as error:
            cause = error.orig if isinstance(error, DBAPIError) else error
            said = (str(cause or "").strip().splitlines() or [type(error).__name__])[0]
            if "interrupted" in said:  # SQLite's word for our time limit
                said = f"it took longer than {self._spec.timeout:g} s"
            raise unreadable(self.name, f"the query fails: {said}") from error


def _blocks(
    span: Span, way: SqlMetric, names: Sequence[str], rows: Sequence[Sequence[Any]]
) -> list[Block]:
    """One block for each system, also for one without rows: no other reading may tell of this
    time again."""
    counted = {"at", "system", "n", "bad"} <= set(names)
    if not counted and not {"at", "system", "value"} <= set(names):
        raise ValueError(
            f"the query gives {', '.join(names)}; name its columns at, system and value, or "
            "at, system, n and bad"
        )
    sums = {system: [0, 0] for system in way.systems}
    values: dict[str, list[float]] = {system: [] for system in way.systems}
    for row in rows:
        cells = dict(zip(names, row, strict=True))
        at, system = _seconds(cells["at"]), str(cells["system"])
        if not span.start - _BLUR <= at < span.end + _BLUR:
            raise ValueError(
                "the query gives rows from outside its time; write WHERE at >= :since AND "
                "at < :until"
            )
        if system not in sums:
            known = " or ".join(sums)
            raise ValueError(f"the column system says {system[:40]!r} and not {known}")
        if counted:
            n, bad = counts(_number(cells["n"], "n"), _number(cells["bad"], "bad"))
            if bad < 0:
                raise ValueError(f"the column bad says {bad}")
            sums[system][0] += n
            sums[system][1] += bad
        else:
            values[system].append(_number(cells["value"], "value"))
    if counted:
        return [span.block(system, n, bad) for system, (n, bad) in sums.items()]
    return [span.values(system, found) for system, found in values.items()]


@contextmanager
def reading_only(connection: sa.Connection, seconds: float) -> Iterator[None]:
    """A transaction in which nothing can be written and no statement takes longer."""
    if connection.dialect.name == "postgresql":
        connection.execute(sa.text("SET TRANSACTION READ ONLY"))
        limit = {"limit": f"{max(1, round(1000 * seconds))}ms"}
        connection.execute(sa.text("SELECT set_config('statement_timeout', :limit, true)"), limit)
        yield
        return
    driver: Any = connection.connection.driver_connection
    deadline = time.monotonic() + seconds
    driver.execute("PRAGMA query_only = ON")
    driver.execute(f"PRAGMA busy_timeout = {max(1, round(1000 * seconds))}")
    driver.set_progress_handler(lambda: time.monotonic() > deadline, _INSTRUCTIONS)
    try:
        yield
    finally:
        driver.set_progress_handler(None, 0)


def _moment(at: float, dialect: str) -> datetime | str:
    """A time as the database compares it; SQLite keeps text, as its ``datetime('now')`` does."""
    moment = datetime.fromtimestamp(at, UTC)
    if dialect == "postgresql":
        return moment
    return moment.replace(tzinfo=None).isoformat(" ", "milliseconds")


def _seconds(value: Any) -> float:
    """The time of a row; without an offset it is UTC."""
    if isinstance(value, str):
        try:
            value = datetime.fromisoformat(value)
        except ValueError:
            raise ValueError(f"the column at says {value[:40]!r}, which is no time") from None
    if isinstance(value, datetime):
        return (value if value.tzinfo else value.replace(tzinfo=UTC)).timestamp()
    return _number(value, "at")


def _number(value: Any, column: str) -> float:
    if isinstance(value, Decimal):
        value = float(value)
    try:
        return number(value)
    except ValueError as error:
        raise ValueError(f"the column {column} has {error}") from None
