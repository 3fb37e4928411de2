"""What `status` and `flags set` say of the routers that are behind."""

from __future__ import annotations

import pytest

from switchover.cli.flags import _reach
from switchover.cli.status import _routers
from switchover.ports import Propagation


@pytest.mark.req("R1")
@pytest.mark.parametrize(
    ("epochs", "said"),
    [
        ([], "0 live, epoch 7"),
        ([7, 8], "2 live, epoch 7"),
        ([5, 7, 6], "3 live, epoch 7; 2 behind it"),
    ],
)
def test_status_tells_routers_that_go_by_an_older_document(epochs: list[int], said: str) -> None:
    """Such as after a rollback that the ledger knows and Redis does not yet."""
    document = {"epoch": 7, "routers": [{"router": "r", "epoch": epoch} for epoch in epochs]}
    assert _routers(document) == said


@pytest.mark.req("T5")
@pytest.mark.parametrize(
    ("spread", "said"),
    [
        (Propagation(0, True, 0.0), "no router is live"),
        (Propagation(2, True, 1.0), "all 2 live routers have it"),
        (Propagation(1, False, 1.0, ("b",)), "1 of 2 live routers have it"),
        (Propagation(0, False, 0.0, ("a",)), "0 of 1 live routers have it"),
    ],
)
def test_a_router_that_does_not_follow_is_counted(spread: Propagation, said: str) -> None:
    """One that hangs is no reason to say that none is there."""
    assert _reach(spread) == said
