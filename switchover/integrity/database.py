"""The database of a data check: found, reached read-only, and its table looked up first."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import sqlalchemy as sa
from sqlalchemy.exc import ArgumentError, DBAPIError, SQLAlchemyError

from switchover.errors import DependencyUnavailable, InputError
from switchover.plan.spec import DataCheck

#: Seconds for opening a connection.
CONNECT_TIMEOUT = 5
#: Seconds that one statement of a suite may take.
STATEMENT_TIMEOUT = 300


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
    schema, _, name = check.table.rpartition(".")
    url = _read_only(_address(check, environ), check, schema)
    with reaching(check, url) as connection:
        inspector = sa.inspect(connection)
        exists = inspector.has_table(name, schema=schema or None)
        columns = inspector.get_columns(name, schema=schema or None) if exists else []
        others = [] if exists else inspector.get_table_names(schema=schema or None)
    if not exists:
        known = f"it has {', '.join(sorted(others)[:10])}" if others else "it has no tables"
        raise InputError(
            f"data check {check.name!r}: no table {check.table} in {printable(url)}; {known}; "
            "correct the plan, or create the table"
        )
    return Table(url, name, tuple(column["name"] for column in columns))


@contextmanager
def reaching(check: DataCheck, url: sa.URL) -> Iterator[sa.Connection]:
    """A connection for a moment; every failure inside is ``DependencyUnavailable``."""
    engine = sa.create_engine(url, poolclass=sa.NullPool)
    try:
        with engine.connect() as connection:
            yield connection
    except SQLAlchemyError as error:
        cause = error.orig if isinstance(error, DBAPIError) else error
        lines = str(cause or error).strip().splitlines() or [type(error).__name__]
        raise DependencyUnavailable(
            f"the database of data check {check.name!r}",
            f"{printable(url)}: {lines[0]}; start it, or correct the address",
        ) from error
    finally:
        engine.dispose()


def printable(url: sa.URL) -> str:
    """The address without password and settings, fit for messages."""
    if url.get_backend_name() == "sqlite":
        return f"sqlite:///{(url.database or '').removeprefix('file:')}"
    return url.set(query={}).render_as_string(hide_password=True)


def _address(check: DataCheck, environ: Mapping[str, str]) -> sa.URL:
    text, source = check.database, "database"
    if text.startswith("env:"):
        variable = text.removeprefix("env:")
        source, text = f"variable {variable}", environ.get(variable, "")
        if not text:
            raise InputError(
                f"data check {check.name!r}: the environment variable {variable} is not set; set "
                "it to a SQLAlchemy URL, like postgresql+psycopg://user:password@host/name"
            )
    try:
        url = sa.make_url(text)
    except (ArgumentError, ValueError) as error:  # its text may hold the password
        raise InputError(
            f"data check {check.name!r}: {source} is not a SQLAlchemy URL; write it like "
            "postgresql+psycopg://user:password@host/name or sqlite:////path/to/file"
        ) from error
    if url.drivername in ("postgres", "postgresql"):
        url = url.set(drivername="postgresql+psycopg")
    if url.drivername not in ("postgresql+psycopg", "sqlite", "sqlite+pysqlite"):
        raise InputError(
            f"data check {check.name!r}: {source} names {url.drivername}; PostgreSQL "
            "(postgresql+psycopg) and SQLite (sqlite) are supported"
        )
    return url


def _read_only(url: sa.URL, check: DataCheck, schema: str) -> sa.URL:
    if url.get_backend_name() == "sqlite":
        name = (url.database or "").removeprefix("file:")
        if name in ("", ":memory:"):
            raise InputError(f"data check {check.name!r}: an SQLite database in memory is always "
                             "empty; name a file")  # fmt: skip
        if schema not in ("", "main"):
            raise InputError(f"data check {check.name!r}: SQLite has no schema {schema}; "
                             "write the table's name alone")  # fmt: skip
        path = Path(name).absolute()
        if not path.is_file():  # SQLite would create it, and an empty file proves nothing
            raise DependencyUnavailable(
                f"the database of data check {check.name!r}",
                f"no file {path}; start the service that writes it, or correct the address",
            )
        quoted = path.as_uri().removeprefix("file://")
        return url.set(database=f"file:{quoted}", query={"mode": "ro", "uri": "true"})
    settings = [
        "-c default_transaction_read_only=on",
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
