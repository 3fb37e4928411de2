"""The spool of an operator's settings."""

from __future__ import annotations

from pathlib import Path

import pytest

from switchover.machine.propagation import Halt
from switchover.ports import Order
from switchover.wiring import build_context, build_spool, load_settings

pytestmark = pytest.mark.req("R8", "INV7")


def test_a_file_names_the_servers_and_no_password(tmp_path: Path) -> None:
    """Whatever the password looks like."""
    settings = load_settings({
        "SWITCHOVER_STATE_DIR": str(tmp_path),
        "SWITCHOVER_REDIS_URL": "redis://:se/cret@cache:6379/2?password=secret",
        "SWITCHOVER_DATABASE_URL": "postgresql://bo:se@cret@store/ledger",
    })  # fmt: skip
    where = build_spool(settings).put(Order("m", Halt("a", "bo", "r", 1.0, 0)))
    text = Path(where).read_text(encoding="utf-8")
    assert '["cache:6379/2", "store/ledger"]' in text
    assert "cret" not in text


def test_an_address_that_can_not_be_read_stops_nothing_yet(tmp_path: Path) -> None:
    """A rollback needs Redis: whether the database's address is right is asked later."""
    settings = load_settings({
        "SWITCHOVER_STATE_DIR": str(tmp_path), "SWITCHOVER_DATABASE_URL": "postgresql://[::1/x",
    })  # fmt: skip
    spool = build_context(settings).spool
    assert spool is not None
    assert spool.orders() == []
