from __future__ import annotations

from collections.abc import Iterable

import pytest

from switchover.errors import DependencyUnavailable
from switchover.judge.block import Block
from switchover.judge.heartbeat import Heartbeat
from switchover.observe.outbox import Outbox
from switchover.testing.routing import InMemoryBlockStream


class BusyStream(InMemoryBlockStream):
    """While the first shipment is under way, ``meanwhile`` is put into the outbox."""

    def __init__(self, meanwhile: list[Block]) -> None:
        super().__init__()
        self.meanwhile = meanwhile
        self.received: list[str] = []
        self.outbox: Outbox
        self.down = False

    def append(self, migration: str, payloads: Iterable[str]) -> None:
        if self.down:
            raise DependencyUnavailable("Redis", "gone")
        self.received.extend(Block.from_json(payload).metric for payload in payloads)
        new, self.meanwhile = self.meanwhile, []
        self.outbox.put(new, [])


def blocks(*metrics: str, n: int = 10) -> list[Block]:
    return [Block("", "mood", metric, "legacy", 0.0, 5.0, n) for metric in metrics]


def box(keep: int, first: list[Block], meanwhile: list[Block]) -> tuple[Outbox, BusyStream]:
    stream = BusyStream(meanwhile)
    stream.outbox = outbox = Outbox("mood", stream, keep, 5.0)
    outbox.put(first, [])
    return outbox, stream


def said(stream: BusyStream) -> Heartbeat:
    (heartbeat,) = stream.heartbeats("mood")
    return heartbeat


@pytest.mark.req("O1")
def test_block_that_comes_during_a_shipment_is_not_taken_for_a_shipped_one() -> None:
    """When the full outbox drops what was just sent, the newcomers stay until they are sent."""
    outbox, stream = box(3, blocks("a", "b", "c"), blocks("d", "e"))
    assert outbox.ship()
    assert stream.received == ["a", "b", "c", "d", "e"]
    assert len(outbox) == 0
    # Each left once: dropped after it was sent, or sent.
    assert said(stream).upto == 50


@pytest.mark.req("O1")
def test_long_queue_goes_in_several_batches_in_order() -> None:
    """After a long outage everything arrives, each once."""
    metrics = [f"metric {number}" for number in range(1_234)]
    outbox, stream = box(2_000, blocks(*metrics), [])
    assert outbox.ship()
    assert stream.received == metrics
    assert (outbox.shipped, outbox.lost) == (1_234, 0)


@pytest.mark.req("O1")
def test_heartbeat_counts_what_left_the_outbox_dropped_or_not() -> None:
    """Reported is what can arrive no more or has arrived; what still waits is not missed."""
    outbox, stream = box(2, blocks("a", "b", "c"), [])
    assert outbox.ship()
    assert (said(stream).upto, said(stream).dropped) == (30, 10)
    stream.down = True
    outbox.put(blocks("d", n=7), [])
    assert not outbox.ship()
    assert said(stream).upto == 30
    stream.down = False
    assert outbox.ship()
    assert (said(stream).upto, said(stream).ended) == (37, False)


@pytest.mark.req("O1")
def test_last_shipment_signs_off_and_what_follows_has_another_name() -> None:
    """A recorder that is used again after it signed off is not the one that did."""
    outbox, stream = box(9, blocks("a"), [])
    assert outbox.ship(last=True)
    first = said(stream)
    assert (first.upto, first.ended) == (10, True)
    outbox.put(blocks("b", n=4), [])
    assert outbox.ship(last=True)
    second = next(h for h in stream.heartbeats("mood") if h.recorder != first.recorder)
    assert (second.upto, second.ended) == (4, True)


@pytest.mark.req("O1")
def test_sign_off_waits_for_blocks_that_came_while_the_last_ones_were_sent() -> None:
    """Nobody signs off with something left to ship."""
    outbox, stream = box(9, blocks("a"), [])
    stream.say = lambda migration, heartbeat: None  # type: ignore[method-assign]
    outbox.ship(last=True)
    assert len(outbox) == 0

    class Late(BusyStream):
        def append_mismatches(self, migration: str, payloads: Iterable[str]) -> None:
            self.outbox.put(blocks("late"), [])

    late = Late([])
    late.outbox = outbox = Outbox("mood", late, 9, 5.0)
    outbox.put(blocks("a"), ["a sample"])
    outbox.ship(last=True)
    assert (said(late).upto, said(late).ended, len(outbox)) == (10, False, 1)


@pytest.mark.req("O1")
def test_outbox_that_never_had_anything_signs_nothing() -> None:
    """A recorder that was made and not used leaves no trace."""
    outbox, stream = box(9, [], [])
    assert outbox.ship(last=True)
    assert stream.heartbeats("mood") == []
