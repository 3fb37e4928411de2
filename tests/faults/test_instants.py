"""Each kind of fault once, at seeded random instants: processes, servers, clocks and replies."""

from __future__ import annotations

import pytest

from tests.faults.arena import Arena
from tests.faults.instants import KINDS, instant

#: A journey whose every part a fault of this kind can hit.
_JOURNEYS = {"reply-prefect": "rollback while asked", "redis-empty": "retry after a rollback",
             "stall": "rollback by the judge"}  # fmt: skip


@pytest.mark.req("INV4", "INV1", "INV3")
@pytest.mark.timeout(300)
@pytest.mark.parametrize("kind", KINDS)
def test_a_journey_survives(arena: Arena, kind: str) -> None:
    """Run again until nothing is due: the same steps, decisions and effects as undisturbed."""
    outcome = instant(kind, _JOURNEYS.get(kind, "complete"), 1).run(arena)
    assert outcome.faults == []
    assert outcome.kills >= 1, "the fault hit nothing"
    assert outcome.resumed == outcome.kills
