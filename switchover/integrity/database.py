"""A database that a plan names: found, reached within limits, its table looked up first."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import sqlalchemy as sa
from sqlalchemy.engine.interfaces import ReflectedColumn
from sqlalchemy.exc import ArgumentError, DBAPIError, SQLAlchemyError

from switchover.errors import DependencyUnavailable, InputError
from switchover.plan.spec import DataCheck

#: Seconds for opening a connection.
CONNECT_TIMEOUT = 5
#: Seconds that one statement of a suite may take.
STATEMENT_TIMEOUT = 300
#: Seconds that a change may wait for a row that somebody else is changing.
LOCK_TIMEOUT = 2


@dataclass(frozen=True, slots=True)
class Table:
    """A table that exists; by ``url`` its bare ``name`` finds it, and nothing can be changed."""

    url: sa.URL
    name: str
    columns: tuple[str, ...]


def find_table(check: DataCheck, environ: Mapping[str, str]) -> Table:
    """The table of a check.

    Raises ``InputError`` when the plan or the variable it names is wrong or the table does
    not exist, ``DependencyUnavailable`` when the database does not answer.
    """
    what = f"data check {check.name!r}"
    schema, _, name = check.table.rpartition(".")
    url = limited(address(check.database, environ, what), what, schema)
    columns = find_columns(what, url, check.table)
    return Table(url, name, tuple(column["name"] for column in columns))


def find_columns(what: str, url: sa.URL, table: str) -> list[ReflectedColumn]:
    """The columns of a table, in order; raises as `find_table` does."""
    schema, _, name = table.rpartition(".")
    with reaching(what, url) as connection:
        inspector = sa.inspect(connection)
        exists = inspector.has_table(name, schema=schema or None)
        columns = inspector.get_columns(name, schema=schema or None) if exists else []
        others = [] if exists else inspector.get_table_names(schema=schema or None)
    if not exists:
        known = f"it has {', '.join(sorted(others)[:10])}" if others else "it has no tables"
        raise InputError(
            f"{what}: no table {table} in {printable(url)}; {known}; "
            "correct the plan, or create the table"
        )
    return columns


@contextmanager
def reaching(what: str, url: sa.URL) -> Iterator[sa.Connection]:
    """A connection for a moment; every failure inside is ``DependencyUnavailable``."""
    engine = sa.create_engine(url, poolclass=sa.NullPool)
    try:
        with engine.connect() as connection:
            yield connection
    except SQLAlchemyError as error:
        raise DependencyUnavailable(
            f"the database of {what}",
            f"{printable(url)}: {first_line(error)}; start it, or correct the address",
        ) from error
    finally:
        engine.dispose()


def first_line(error: SQLAlchemyError) -> str:
    """What the database said, without the statement."""
    cause = error.orig if isinstance(error, DBAPIError) else error
    lines = str(cause or error).strip().splitlines() or [type(error).__name__]
    return lines[0]


def printable(url: sa.URL) -> str:
    """The address without password and settings, fit for messages."""
    if url.get_backend_name() == "sqlite":
        return f"sqlite:///{(url.database or '').removeprefix('file:')}"
    return url.set(query={}).render_as_string(hide_password=True)


def address(text: str, environ: Mapping[str, str], what: str) -> sa.URL:
    """The URL that a plan's ``database`` stands for; ``InputError`` when it is none."""
    source = "database"
    if text.startswith("env:"):
        variable = text.removeprefix("env:")
        source, text = f"variable {variable}", environ.get(variable, "")
        if not text:
            raise InputError(
                f"{what}: the environment variable {variable} is not set; set "
                "it to a SQLAlchemy URL, like postgresql+psycopg://user:password@host/name"
            )
    try:
        url = sa.make_url(text)
    except (ArgumentError, ValueError) as error:  # its text may hold the password
        raise InputError(
            f"{what}: {source} is not a SQLAlchemy URL; write it like "
            "postgresql+psycopg://user:password@host/name or sqlite:////path/to/file"
        ) from error
    if url.drivername in ("postgres", "postgresql"):
        url = url.set(drivername="postgresql+psycopg")
    if url.drivername not in ("postgresql+psycopg", "sqlite", "sqlite+pysqlite"):
        raise InputError(
            f"{what}: {source} names {url.drivername}; PostgreSQL "
            "(postgresql+psycopg) and SQLite (sqlite) are supported"
        )
    return url


def limited(url: sa.URL, what: str, schema: str, *, writing: bool = False) -> sa.URL:
    """The address with limits on time; nothing can be changed there unless ``writing``."""
    if url.get_backend_name() == "sqlite":
        name = (url.database or "").removeprefix("file:")
        if name in ("", ":memory:"):
            raise InputError(f"{what}: an SQLite database in memory is always "
                             "empty; name a file")  # fmt: skip
        if schema not in ("", "main"):
            raise InputError(f"{what}: SQLite has no schema {schema}; "
                             "write the table's name alone")  # fmt: skip
        path = Path(name).absolute()
        if not path.is_file():  # SQLite would create it, and an empty file proves nothing
            raise DependencyUnavailable(
                f"the database of {what}",
                f"no file {path}; start the service that writes it, or correct the address",
            )
        quoted = path.as_uri().removeprefix("file://")
        mode = "rw" if writing else "ro"
        return url.set(database=f"file:{quoted}", query={"mode": mode, "uri": "true"})
    settings = [
        f"-c lock_timeout={LOCK_TIMEOUT}s" if writing else "-c default_transaction_read_only=on",
        f"-c statement_timeout={STATEMENT_TIMEOUT}s",
        *([f'-c search_path="{schema}"'] if schema else []),
    ]
    given = url.query.get("options", ())
    options = " ".join([*([given] if isinstance(given, str) else given), *settings])
    defaults = {"connect_timeout": str(CONNECT_TIMEOUT)}
    return url.set(query={**defaults, **url.query, "options": options})


def environment() -> Mapping[str, str]:
    """The process's variables."""
    return os.environ
