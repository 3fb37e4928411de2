"""The flow that everything is held against: it does nothing."""

from __future__ import annotations

from prefect import State, flow
from prefect.states import Completed


@flow(name="empty", flow_run_name="empty {migration}")
def empty(migration: str, actor: str = "bench") -> State[None]:
    """Complete at once, with the form and the final state of ``advance``."""
    return Completed(message=f"{migration}: nothing to do for {actor}")
