"""Work items in a SQL table: read in the order of their keys, changed by compare-and-set."""

from __future__ import annotations

from collections.abc import Generator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import sqlalchemy as sa
from sqlalchemy.exc import DataError, IntegrityError, OperationalError, ProgrammingError
from sqlalchemy.sql.elements import quoted_name

from switchover.errors import InputError
from switchover.integrity.database import (
    address,
    environment,
    find_columns,
    first_line,
    limited,
    reaching,
)
from switchover.integrity.moment import timestamp
from switchover.plan.work_items import ItemTable
from switchover.ports import Item, ItemChange, ItemKey

#: Rows read at once, and keys looked for in one statement.
PAGE, BATCH = 5_000, 500
#: PostgreSQL's code for a lock that was not given in time.
_LOCKED = "55P03"


@dataclass(frozen=True, slots=True)
class _Columns:
    """The table and its columns as expressions. ``order`` sorts keys as Python does, whatever
    the database's language is."""

    table: sa.TableClause
    key: sa.ColumnElement[Any]
    order: sa.ColumnElement[Any]
    state: sa.ColumnElement[Any]
    updated: sa.ColumnElement[Any]
    kind: type[int] | type[str]


class SqlItemStore:
    """The items of one ``side``; implements :class:`switchover.ports.ItemStore`."""

    def __init__(
        self, table: ItemTable, side: str, environ: Mapping[str, str] | None = None
    ) -> None:
        self._spec, self._what = table, f"work items of {side}"
        self._environ = environment() if environ is None else environ

    def items(self) -> Generator[Item, None, None]:
        """All items, ascending by key, at most ``PAGE`` of them in memory.

        PostgreSQL sorts once and is read through a cursor; SQLite is read page by page, as an
        open statement would keep others from writing.
        """
        url, columns = self._url(), self._columns
        ordered = self._select().where(columns.key.is_not(None)).order_by(columns.order)
        with reaching(self._what, url) as connection:
            if url.get_backend_name() != "sqlite":
                streaming = connection.execution_options(yield_per=PAGE)
                yield from map(self._item, streaming.execute(ordered))
                return
            page = ordered.limit(PAGE)
            while rows := connection.execute(page).all():
                connection.rollback()
                yield from map(self._item, rows)
                page = ordered.where(columns.order > rows[-1][0]).limit(PAGE)

    def find(self, keys: Sequence[ItemKey]) -> dict[ItemKey, Item]:
        """Those of ``keys`` that are there."""
        found: dict[ItemKey, Item] = {}
        if not keys:
            return found
        with reaching(self._what, self._url()) as connection:
            for begin in range(0, len(keys), BATCH):
                some = list(keys[begin : begin + BATCH])
                for row in connection.execute(self._select().where(self._columns.key.in_(some))):
                    item = self._item(row)
                    found[item.key] = item
        return found

    def set_states(self, changes: Sequence[ItemChange]) -> list[str]:
        """Make each change in a transaction of its own; see the port."""
        if not changes:
            return []
        with reaching(self._what, self._url(writing=True)) as connection:
            return [self._set_state(connection, change) for change in changes]

    def _set_state(self, connection: sa.Connection, change: ItemChange) -> str:
        columns, item = self._columns, change.item
        update = (
            sa.update(columns.table)
            .where(columns.key == item.key)
            .where(columns.state.is_not_distinct_from(self._stored(item.state)))
            .values({self._spec.state: self._stored(change.state)})
        )
        if self._spec.updated:
            update = update.where(columns.updated.is_not_distinct_from(item.stamp))
        try:
            with connection.begin():
                return "" if connection.execute(update).rowcount == 1 else "changed"
        except (DataError, IntegrityError, ProgrammingError) as error:
            return first_line(error)
        except OperationalError as error:
            if getattr(error.orig, "sqlstate", "") == _LOCKED:
                return "changed"  # right now, by somebody else
            raise

    def _url(self, *, writing: bool = False) -> sa.URL:
        schema = self._spec.table.rpartition(".")[0]
        url = address(self._spec.database, self._environ, self._what)
        return limited(url, self._what, schema, writing=writing)

    def _select(self) -> sa.Select[Any]:
        columns = self._columns
        return sa.select(columns.key, columns.state, columns.updated)

    @cached_property
    def _columns(self) -> _Columns:
        url, spec = self._url(), self._spec
        there = {column["name"]: column["type"] for column in
                 find_columns(self._what, url, spec.table)}  # fmt: skip
        for name in filter(None, (spec.key, spec.state, spec.updated)):
            if name not in there:
                raise InputError(
                    f"{self._what}: no column {name} in {spec.table}; the columns are "
                    f"{', '.join(there)}; correct the plan"
                )
        schema, _, name = spec.table.rpartition(".")
        kind, collation = _key_type(there[spec.key], spec.key, self._what), "C"
        if url.get_backend_name() == "sqlite":
            collation = "BINARY"
        key = _column(spec.key, kind)
        state = _column(spec.state, there[spec.state])
        updated = _column(spec.updated) if spec.updated else None
        table = sa.table(quoted_name(name, True), key, state,
                         *([] if updated is None else [updated]),
                         schema=quoted_name(schema, True) if schema else None)  # fmt: skip
        return _Columns(
            table,
            key,
            sa.collate(key, collation) if isinstance(kind, sa.String) else key,
            state,
            sa.null() if updated is None else updated,
            int if isinstance(kind, sa.Integer) else str,
        )

    def _item(self, row: Sequence[Any]) -> Item:
        key, state, stamp = row
        if not isinstance(key, self._columns.kind):
            raise InputError(
                f"{self._what}: {self._spec.key} holds {type(key).__name__} where the table "
                f"declares {self._columns.kind.__name__}; name another column"
            )
        try:
            updated = timestamp(stamp)
        except ValueError as error:
            raise InputError(
                f"{self._what}: {self._spec.updated} is not a time ({error}); name a column of "
                "times, ISO texts or seconds since 1970, or leave it out"
            ) from error
        return Item(key, state if type(state) is str else _named(state), updated, stamp)

    def _stored(self, state: str) -> Any:
        """A state's name as the column keeps it."""
        if state == _named(None):
            return None
        kind = self._columns.state.type
        try:
            if isinstance(kind, sa.Boolean):
                return {"true": True, "false": False}[state]
            return int(state) if isinstance(kind, sa.Integer) else state
        except (KeyError, ValueError) as error:
            raise InputError(
                f"{self._what}: {self._spec.state} is of type {kind}, and {state!r} does not fit; "
                "translate it under states"
            ) from error


def _column(name: str, kind: Any = None) -> sa.ColumnClause[Any]:
    return sa.column(quoted_name(name, True), kind)


def _key_type(kind: Any, name: str, what: str) -> Any:
    if isinstance(kind, sa.Uuid):
        return sa.Uuid(as_uuid=False)  # as text it has the same order
    if isinstance(kind, sa.Integer):
        return sa.BigInteger()
    if isinstance(kind, sa.String) and not isinstance(kind, sa.Enum):
        return sa.String()
    raise InputError(
        f"{what}: keys of type {kind} can't be compared; name a column of text, whole numbers or "
        f"UUIDs instead of {name}"
    )


def _named(state: Any) -> str:
    """A stored state as plans call it."""
    if state is None:
        return "null"
    return str(state).lower() if isinstance(state, bool) else str(state)
