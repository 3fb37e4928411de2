"""The work pool on a real Prefect server."""

from __future__ import annotations

from uuid import uuid4

import pytest

from switchover.launcher.prefect_pool import LIMIT, make_pool
from switchover.launcher.session import PrefectSession
from switchover.testing.embedded import PrefectServer


@pytest.mark.req("P12")
def test_a_pool_is_made_once_and_what_people_changed_stays(prefect_api: PrefectServer) -> None:
    """The first call makes it with a limit; later ones leave it alone."""
    session = PrefectSession(prefect_api.api_url, prefect_api.auth, 5.0)
    name = f"pool-{uuid4().hex[:8]}"
    assert make_pool(session, name)
    address = f"/work_pools/{name}"
    made = session.get(address, what="the pool")
    assert (made["type"], made["concurrency_limit"]) == ("process", LIMIT)
    session.patch(address, {"concurrency_limit": 9}, what="the pool")
    assert not make_pool(session, name)
    assert session.get(address, what="the pool")["concurrency_limit"] == 9
    session.close()
