"""The register of approvers in SQL (see :class:`switchover.ports.Approvers`)."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

from sqlalchemy import Connection, Row, select, update
from sqlalchemy.dialects import postgresql, sqlite

from switchover.clock import Clock, SystemClock
from switchover.ledger.approval_code import (
    NOBODY,
    check_name,
    check_slack_user,
    hash_code,
    lock_after,
    new_code,
    same_code,
)
from switchover.ledger.chain import stamp
from switchover.ledger.database import is_postgres, reading, writing
from switchover.ledger.refusal import has_no_code, is_taken, locked, wrong
from switchover.ledger.schema import check_schema
from switchover.ledger.tables import approvers as table
from switchover.ports import Approver

if TYPE_CHECKING:
    from switchover.ledger.repository import SqlLedger


class SqlApprovers:
    """Approvers in the ledger's database. Nothing is connected before the first call."""

    def __init__(self, ledger: SqlLedger, clock: Clock | None = None) -> None:
        self._ledger = ledger
        self._clock = clock or SystemClock()
        self._checked = False

    def issue(self, name: str, slack_user: str = "") -> str:
        """A new code; see :class:`switchover.ports.Approvers`."""
        check_name(name)
        check_slack_user(slack_user)
        code = new_code()
        fresh: dict[str, Any] = {
            "code": hash_code(code), "created_at": stamp(self._clock.now()), "revoked_at": None,
            "failures": 0, "failed_at": None, "locked_until": None,
        }  # fmt: skip
        if slack_user:
            fresh["slack_user"] = slack_user
        with self._writing() as connection:
            taken = _by_slack(connection, slack_user) if slack_user else None
            if taken is not None and taken != name:
                raise is_taken(slack_user, taken)
            dialect = postgresql if is_postgres(connection) else sqlite
            row = dialect.insert(table).values(name=name, **fresh)
            connection.execute(row.on_conflict_do_update(index_elements=["name"], set_=fresh))
        return code

    def revoke(self, name: str) -> None:
        """End a code and the Slack user's standing."""
        with self._writing() as connection:
            row = _row(connection, name)
            if row is None:
                raise has_no_code(name)
            if row.revoked_at is None:
                _set(connection, name, revoked_at=stamp(self._clock.now()), slack_user=None)

    def verify(self, name: str, code: str) -> None:
        """Compare in the transaction that holds the name's row: of many at the same time each
        sees the failures before it."""
        now = self._clock.now()
        with self._writing() as connection:
            row = _row(connection, name)
            if row is not None and row.revoked_at is None:
                until = _moment(row.locked_until)
                if until is not None and until > now:
                    raise locked(name, row.failures, until)
                if same_code(code, row.code):
                    if row.failures:
                        _set(connection, name, failures=0, failed_at=None, locked_until=None)
                    return
                refusal = _fail(connection, row, now)
            else:
                same_code(code, NOBODY)
                refusal = wrong(name)
        raise refusal

    def by_slack(self, user: str) -> str | None:
        """The name of a Slack user."""
        with self._reading() as connection:
            return _by_slack(connection, user)

    def list(self) -> tuple[Approver, ...]:
        """All who ever had a code, by name."""
        with self._reading() as connection:
            rows = connection.execute(select(table)).all()
        return tuple(sorted(map(_approver, rows), key=lambda approver: approver.name))

    @contextmanager
    def _reading(self) -> Iterator[Connection]:
        self._check()
        with reading(self._ledger.engine) as connection:
            yield connection

    @contextmanager
    def _writing(self) -> Iterator[Connection]:
        self._check()
        with writing(self._ledger.engine) as connection:
            yield connection

    def _check(self) -> None:
        if not self._checked:
            check_schema(self._ledger.engine)
            self._checked = True


def _row(connection: Connection, name: str) -> Row[Any] | None:
    """The row, locked until the transaction ends."""
    # SQLite has no row locks; its one writer is alone anyway.
    return connection.execute(
        select(table).where(table.c.name == name).with_for_update()
    ).one_or_none()


def _fail(connection: Connection, row: Row[Any], now: datetime) -> Exception:
    failures = row.failures + 1
    seconds = lock_after(failures)
    until = now + timedelta(seconds=seconds) if seconds else None
    _set(connection, row.name, failures=failures, failed_at=stamp(now),
         locked_until=until and stamp(until))  # fmt: skip
    return wrong(row.name, failures, until)


def _set(connection: Connection, name: str, **values: Any) -> None:
    connection.execute(update(table).where(table.c.name == name).values(**values))


def _by_slack(connection: Connection, user: str) -> str | None:
    query = select(table.c.name).where(table.c.slack_user == user, table.c.revoked_at.is_(None))
    return connection.execute(query).scalar_one_or_none()


def _approver(row: Row[Any]) -> Approver:
    return Approver(
        name=row.name,
        created_at=datetime.fromisoformat(row.created_at),
        slack_user=row.slack_user or "",
        revoked_at=_moment(row.revoked_at),
        failures=row.failures,
        failed_at=_moment(row.failed_at),
        locked_until=_moment(row.locked_until),
    )


def _moment(text: str | None) -> datetime | None:
    return datetime.fromisoformat(text) if text else None
