from __future__ import annotations

from collections.abc import Iterable

import pytest

from switchover.observe.outbox import Outbox
from switchover.testing.routing import InMemoryBlockStream


class BusyStream(InMemoryBlockStream):
    """While the first shipment is under way, ``meanwhile`` is put into the outbox."""

    def __init__(self, meanwhile: list[str]) -> None:
        super().__init__()
        self.meanwhile = meanwhile
        self.received: list[str] = []
        self.outbox: Outbox

    def append(self, migration: str, payloads: Iterable[str]) -> None:
        self.received.extend(payloads)
        new, self.meanwhile = self.meanwhile, []
        self.outbox.put(new, [])


def box(keep: int, first: list[str], meanwhile: list[str]) -> tuple[Outbox, BusyStream]:
    stream = BusyStream(meanwhile)
    stream.outbox = outbox = Outbox("mood", stream, keep)
    outbox.put(first, [])
    return outbox, stream


@pytest.mark.req("O1")
def test_block_that_comes_during_a_shipment_is_not_taken_for_a_shipped_one() -> None:
    """When the full outbox drops what was just sent, the newcomers stay until they are sent."""
    outbox, stream = box(3, ["a", "b", "c"], ["d", "e"])
    assert outbox.ship()
    assert stream.received == ["a", "b", "c", "d", "e"]
    assert len(outbox) == 0


@pytest.mark.req("O1")
def test_long_queue_goes_in_several_batches_in_order() -> None:
    """After a long outage everything arrives, each once."""
    payloads = [f"block {number}" for number in range(1_234)]
    outbox, stream = box(2_000, payloads, [])
    assert outbox.ship()
    assert stream.received == payloads
    assert (outbox.shipped, outbox.lost) == (1_234, 0)
