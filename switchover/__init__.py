"""Switchover moves a live service from a legacy system to a candidate without an outage.

What an application imports is here; everything loads on first use, so that
``import switchover`` costs next to nothing and needs none of the engine's dependencies.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from switchover.observe.recorder import Recorder
    from switchover.plan.load import load_plan
    from switchover.routing.async_router import AsyncRouter
    from switchover.routing.flags import Evaluation
    from switchover.routing.router import Router
    from switchover.routing.snapshot import Decision

__version__ = "0.1.0"

__all__ = [
    "AsyncRouter",
    "Decision",
    "Evaluation",
    "Recorder",
    "Router",
    "__version__",
    "load_plan",
]

_HOMES = {
    "AsyncRouter": "switchover.routing.async_router",
    "Decision": "switchover.routing.snapshot",
    "Evaluation": "switchover.routing.flags",
    "Recorder": "switchover.observe.recorder",
    "Router": "switchover.routing.router",
    "load_plan": "switchover.plan.load",
}


def __getattr__(name: str) -> Any:
    home = _HOMES.get(name)
    if home is None:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    # Kept, so that the next access is an ordinary one.
    value = globals()[name] = getattr(import_module(home), name)
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
