"""The ledgers that have to keep the same promises."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from switchover.ledger import SqlLedger, upgrade
from switchover.ports import Ledger
from switchover.testing.ledger import InMemoryLedger


@pytest.fixture(params=["memory", "sqlite", "postgres"])
def ledger(request: pytest.FixtureRequest) -> Iterator[Ledger]:
    if request.param == "memory":
        yield InMemoryLedger()
        return
    fixture = {"sqlite": "sqlite_url", "postgres": "postgres_database"}[request.param]
    url = request.getfixturevalue(fixture)
    upgrade(url)
    ledger = SqlLedger(url)
    yield ledger
    ledger.close()
