"""Real servers for tests, for the demo and for ``switchover up``: started, used, gone.

They listen on loopback, ask for a random password, and end with the process that started
them, whatever ends it. Use each as a context manager, or with ``start`` and ``stop``.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from switchover.testing.embedded.postgres import Postgres
    from switchover.testing.embedded.prefect import PrefectServer, PrefectWorker
    from switchover.testing.embedded.process import ServerProcess
    from switchover.testing.embedded.valkey import Valkey

__all__ = ["Postgres", "PrefectServer", "PrefectWorker", "ServerProcess", "Valkey"]

_HOMES = {
    "Postgres": "postgres",
    "PrefectServer": "prefect",
    "PrefectWorker": "prefect",
    "ServerProcess": "process",
    "Valkey": "valkey",
}


def __getattr__(name: str) -> Any:
    """Import a server's module when it is first asked for: each needs its own libraries."""
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)
