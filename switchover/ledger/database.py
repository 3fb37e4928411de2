"""How the ledger's database is reached: engine, time limits, transactions, one error."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, Engine, create_engine, event, make_url
from sqlalchemy.engine import URL
from sqlalchemy.exc import (
    ArgumentError,
    DataError,
    DBAPIError,
    IntegrityError,
    NoSuchModuleError,
)
from sqlalchemy.exc import TimeoutError as PoolTimeout

from switchover.errors import DependencyUnavailable, InputError

#: Seconds for opening a connection, for a lock, and for one statement.
CONNECT_TIMEOUT = 3
LOCK_TIMEOUT = 5
STATEMENT_TIMEOUT = 30

_WRITES = "switchover_writes"
_EXAMPLES = "for example sqlite:///ledger.sqlite or postgresql://user@host/database"


def open_engine(address: str | URL | Engine) -> Engine:
    """An engine for a URL, without connecting yet; a ready engine is taken as it is.

    Raises ``InputError`` for anything but an SQLite file or PostgreSQL.
    """
    if isinstance(address, Engine):
        engine = address
        _check_kind(engine.url)
    else:
        url = _url(address)
        engine = create_engine(url, pool_pre_ping=True, pool_timeout=10, **_arguments(url))
    set_up = _set_up_sqlite if engine.dialect.name == "sqlite" else _set_up_postgres
    if not event.contains(engine, "connect", set_up):
        event.listen(engine, "connect", set_up)
        if engine.dialect.name == "sqlite":
            event.listen(engine, "begin", _begin_sqlite)
            event.listen(engine, "do_connect", _make_folder)
        else:
            event.listen(engine, "do_connect", _connect_patiently)
    return engine


def is_postgres(connection: Connection) -> bool:
    """True on PostgreSQL, False on SQLite."""
    return connection.dialect.name == "postgresql"


def printable(engine: Engine) -> str:
    """The address without its password or other options."""
    return engine.url.set(query={}).render_as_string(hide_password=True)


def is_new_file(engine: Engine) -> bool:
    """True for an SQLite file that connecting would make."""
    file = engine.url.database if engine.dialect.name == "sqlite" else None
    return file is not None and not file.startswith("file:") and not Path(file).exists()


@contextmanager
def reading(engine: Engine) -> Iterator[Connection]:
    """A connection whose reads all see one moment; every failure of the database is named."""
    with reaching(engine), engine.connect() as connection:
        if is_postgres(connection):
            connection = connection.execution_options(isolation_level="REPEATABLE READ")
        with connection.begin():
            yield connection


@contextmanager
def writing(engine: Engine) -> Iterator[Connection]:
    """One transaction, committed at the end; SQLite takes its one write lock at the beginning."""
    with reaching(engine), engine.connect() as connection:
        connection = connection.execution_options(**{_WRITES: True})
        with connection.begin():
            yield connection


@contextmanager
def reaching(engine: Engine) -> Iterator[None]:
    """Turn a failure of the database into ``DependencyUnavailable``, values it can't hold into
    ``InputError``. A broken constraint passes through: it is a fault of our own."""
    try:
        yield
    except PoolTimeout as error:
        raise DependencyUnavailable(
            "database", f"no connection to {printable(engine)} became free"
        ) from error
    except DataError as error:
        raise InputError(f"the database can't store this: {_words(error)}") from error
    except IntegrityError:
        raise
    except DBAPIError as error:
        raise DependencyUnavailable(
            "database",
            f"{_words(error)} at {printable(engine)}; "
            "check that it runs and that SWITCHOVER_DATABASE_URL is right",
        ) from error


def _url(address: str | URL) -> URL:
    try:
        url = make_url(address)
        if url.drivername in ("postgresql", "postgres"):
            url = url.set(drivername="postgresql+psycopg")
        _check_kind(url)
        url.get_dialect()
    except (ArgumentError, NoSuchModuleError) as error:
        raise InputError(f"not a database address; {_EXAMPLES}") from error
    if url.get_backend_name() == "sqlite" and (not url.database or url.database == ":memory:"):
        raise InputError(
            "an SQLite ledger needs a file, such as sqlite:///ledger.sqlite; "
            "switchover.testing.ledger.InMemoryLedger needs none"
        )
    return url


def _check_kind(url: URL) -> None:
    if url.get_backend_name() not in ("sqlite", "postgresql"):
        raise InputError(f"the ledger needs SQLite or PostgreSQL, not {url.get_backend_name()}")


def _arguments(url: URL) -> dict[str, Any]:
    if url.get_backend_name() == "sqlite":
        return {"connect_args": {"timeout": LOCK_TIMEOUT}}
    return {
        "connect_args": {
            "connect_timeout": CONNECT_TIMEOUT,
            "tcp_user_timeout": int(1000 * LOCK_TIMEOUT),  # a host that is gone sends no reset
            "application_name": "switchover",
        }
    }


def _make_folder(_dialect: Any, _record: Any, arguments: list[Any], _options: Any) -> None:
    # Not before: a folder that can't be made must not keep a rollback from routing.
    try:
        Path(arguments[0]).parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise DependencyUnavailable(
            "database", f"no directory for {arguments[0]}: {error.strerror}"
        ) from error


def _connect_patiently(
    _dialect: Any, _record: Any, arguments: list[Any], options: dict[str, Any]
) -> Any:
    # Imported here: a ledger on SQLite has no need of it.
    from switchover.ledger.patience import PatientConnection

    return PatientConnection.connect(*arguments, **options)


def _set_up_sqlite(connection: Any, _record: Any) -> None:
    connection.isolation_level = None  # the begin event below begins, not the driver
    # Text that is not UTF-8 is somebody's tampering: the audit has to be able to read it.
    connection.text_factory = lambda data: data.decode("utf-8", "surrogateescape")
    cursor = connection.cursor()
    cursor.execute(f"PRAGMA busy_timeout = {int(1000 * LOCK_TIMEOUT)}")
    cursor.execute("PRAGMA journal_mode = WAL")
    cursor.execute("PRAGMA synchronous = FULL")  # a step that was answered is never lost
    cursor.close()


def _begin_sqlite(connection: Connection) -> None:
    # A transaction that reads first and writes later can't wait for the lock, it only fails.
    writes = connection.get_execution_options().get(_WRITES)
    connection.exec_driver_sql("BEGIN IMMEDIATE" if writes else "BEGIN")


def _set_up_postgres(connection: Any, _record: Any) -> None:
    settings = {
        "lock_timeout": f"{LOCK_TIMEOUT}s",
        "statement_timeout": f"{STATEMENT_TIMEOUT}s",
        "idle_in_transaction_session_timeout": f"{2 * STATEMENT_TIMEOUT}s",
    }
    autocommit, connection.autocommit = connection.autocommit, True
    with connection.cursor() as cursor:
        for name, value in settings.items():
            cursor.execute("SELECT set_config(%s, %s, false)", (name, value))
    connection.autocommit = autocommit


def _words(error: DBAPIError) -> str:
    return " ".join(str(error.orig).split())
