"""The ledger: the append-only, hash-chained record in SQL; the single source of truth."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from switchover.ledger.repository import SqlLedger
    from switchover.ledger.schema import upgrade
    from switchover.ledger.transcript import anchors_of, export, verify_export
    from switchover.ledger.verification import verify

__all__ = ["SqlLedger", "anchors_of", "export", "upgrade", "verify", "verify_export"]

_HOMES = {
    "SqlLedger": "repository",
    "anchors_of": "transcript",
    "export": "transcript",
    "upgrade": "schema",
    "verify": "verification",
    "verify_export": "transcript",
}


def __getattr__(name: str) -> Any:
    """Import a part when it is first asked for: verifying an export needs no SQLAlchemy."""
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)
