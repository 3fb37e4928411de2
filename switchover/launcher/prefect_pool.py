"""The work pool that the flows are deployed to."""

from __future__ import annotations

from switchover.launcher.session import PrefectSession, UnknownToPrefect

POOL = "switchover"
#: Flow runs of the pool at the same time; each takes about 100 MB.
LIMIT = 4


def make_pool(session: PrefectSession, name: str = POOL) -> bool:
    """Make the process pool with its limit; False when there is one, which is left as it is.

    The limit is the pool's and not a worker's: see docs/decisions/0007.
    """
    try:
        session.get(f"/work_pools/{name}", what=f"the work pool {name}")
    except UnknownToPrefect:
        pool = {"name": name, "type": "process", "concurrency_limit": LIMIT}
        session.post("/work_pools/", pool, what=f"the work pool {name}")
        return True
    return False
