"""SQL probe: one query in a read-only transaction with a time limit, and what it has to give."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import date, datetime
from decimal import Decimal
from typing import Any

import sqlalchemy as sa
from sqlalchemy.exc import SQLAlchemyError

from switchover.checks.outcome import Outcome
from switchover.errors import DependencyUnavailable
from switchover.integrity.database import address, first_line, limited, printable, reaching
from switchover.judge.redaction import brief
from switchover.observe.sources.sql import reading_only
from switchover.plan.probes import ExpectedRows, SqlProbe

#: What would name a parameter.
_COLON = re.compile(r"(?<![:\w\\]):(?=\w)")
#: Rows that are fetched at most where they are counted.
MOST_ROWS = 100_000


def probe_sql(probe: SqlProbe, environ: Mapping[str, str]) -> Outcome:
    """Ask the database; one that does not answer, or refuses the query, is a failure. Raises
    ``InputError`` for a variable that is not set or holds no address."""
    what = f"probe {probe.name!r}"
    place = address(probe.database, environ, what)
    detail: dict[str, Any] = {"database": printable(place)}
    try:
        with (
            reaching(what, limited(place, what, "")) as connection,
            reading_only(connection, probe.timeout),
        ):
            try:
                rows, first = _ask(connection, probe)
            except SQLAlchemyError as error:
                said = first_line(error)
                if "interrupted" in said:  # SQLite's word for our time limit
                    said = f"it took longer than {probe.timeout:g} s"
                return Outcome(False, f"the query fails: {said}", detail)
    except DependencyUnavailable as error:
        return Outcome(False, str(error), detail)
    detail |= {"rows": rows, "value": brief(first)}
    fault = _fault(probe.expect, rows, first)
    seen = f"{rows} row{'s' * (rows != 1)}" + (f", first value {brief(first)!r}" if rows else "")
    return Outcome(not fault, f"the query gives {seen}{fault and f'; {fault}'}", detail)


def _ask(connection: sa.Connection, probe: SqlProbe) -> tuple[int, Any]:
    """How many rows there are, and the first value of the first one."""
    # Nothing is bound: a colon in the query is a colon.
    query = sa.text(_COLON.sub(r"\\:", probe.query))
    result = connection.execution_options(stream_results=True).execute(query)
    if not result.returns_rows:
        return 0, None
    rows = result.fetchmany(MOST_ROWS)
    return len(rows), _plain(rows[0][0]) if rows else None


def _plain(value: Any) -> Any:
    """A value as the ledger can keep it."""
    if isinstance(value, Decimal):
        return int(value) if value == value.to_integral_value() else float(value)
    if isinstance(value, datetime | date):
        return value.isoformat()
    return value if value is None or isinstance(value, bool | int | float) else str(value)


def _fault(expect: ExpectedRows, rows: int, first: Any) -> str:
    """What is not as expected; empty when everything is."""
    if expect.rows is not None and rows != expect.rows:
        return f"{expect.rows} expected"
    bounds = (expect.at_least, expect.at_most)
    if expect.value is not None and (not rows or not _same(first, expect.value)):
        return f"{expect.value!r} expected"
    if bounds != (None, None):
        if not rows or isinstance(first, bool) or not isinstance(first, int | float):
            return "a number expected"
        if expect.at_least is not None and not first >= expect.at_least:
            return f"at least {expect.at_least:g} expected"
        if expect.at_most is not None and not first <= expect.at_most:
            return f"at most {expect.at_most:g} expected"
    return ""


def _same(found: Any, wanted: str | bool | int | float) -> bool:
    """SQLite has no truth values and gives 0 and 1 for them."""
    if isinstance(wanted, bool):
        return found in (0, 1) and bool(found) is wanted
    return bool(found == wanted) and isinstance(found, bool) is isinstance(wanted, bool)
