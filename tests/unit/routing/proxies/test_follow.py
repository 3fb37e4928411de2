from __future__ import annotations

import threading
from dataclasses import dataclass, field

import pytest

from switchover.errors import DependencyUnavailable, Refused, StaleEpoch
from switchover.machine.snapshot import Snapshot
from switchover.routing.proxies.fence import Standing, fence
from switchover.routing.proxies.follow import Follower
from switchover.testing.routing import InMemoryRoutingStore

pytestmark = pytest.mark.req("T11")


def document(epoch: int, split: int) -> Snapshot:
    return Snapshot("mood", epoch, "gradual", split, salt="s")


@dataclass
class Proxy:
    """A proxy in memory with the fence of the real ones."""

    name: str = "proxy"
    held: Standing | None = None
    fault: Exception | None = None
    told: list[int] = field(default_factory=list)

    def apply(self, snapshot: Snapshot) -> None:
        if self.fault:
            raise self.fault
        fence("mood", Standing.of(snapshot), self.held, self.name)
        self.held = Standing.of(snapshot)
        self.told.append(snapshot.epoch)

    def read(self) -> float | None:
        return self.held.share if self.held else None


def test_follower_applies_each_document_once() -> None:
    """Nothing stored, nothing told; then every change, and no repetition in between."""
    store, proxy = InMemoryRoutingStore(), Proxy()
    follower = Follower(store, proxy, "mood", mend_every=1e9)
    assert follower.step()
    for epoch in (1, 2):
        store.write(document(epoch, epoch * 1_000))
        assert follower.step()
        assert follower.step()
    assert (proxy.told, follower.epoch, proxy.read()) == ([1, 2], 2, 0.2)


@pytest.mark.req("R8")
def test_emergency_rollback_reaches_the_proxy_through_redis_alone() -> None:
    """A halt needs neither the ledger nor anybody else."""
    store, proxy = InMemoryRoutingStore(), Proxy()
    follower = Follower(store, proxy, "mood")
    store.write(document(5, 5_000))
    follower.step()
    store.halt("mood", halt_id="h", actor="ada", reason="drift", at=1.0)
    assert follower.step()
    assert (proxy.read(), follower.epoch) == (0, 6)


def test_proxy_that_forgot_is_mended() -> None:
    """The same document is applied again from time to time."""
    store, proxy = InMemoryRoutingStore(), Proxy()
    follower = Follower(store, proxy, "mood", mend_every=0)
    store.write(document(1, 1_000))
    follower.step()
    proxy.held = None
    follower.step()
    assert proxy.read() == 0.1


@pytest.mark.parametrize("fault", [DependencyUnavailable("proxy", "gone"), Refused("no lines")])
def test_fault_of_the_proxy_is_kept_until_it_is_over(
    fault: Exception, caplog: pytest.LogCaptureFixture
) -> None:
    """It is logged once, tried again at every look, and forgotten when it passes."""
    store, proxy = InMemoryRoutingStore(), Proxy(fault=fault)
    follower = Follower(store, proxy, "mood")
    store.write(document(1, 1_000))
    assert [follower.step() for _ in range(3)] == [False] * 3
    assert follower.fault == str(fault)
    assert len(caplog.records) == 1
    proxy.fault = None
    assert follower.step()
    assert (follower.fault, proxy.read()) == ("", 0.1)


def test_proxy_that_is_ahead_of_redis_is_a_fault() -> None:
    """Redis lost its data: the proxy keeps what it has until the ledger writes anew."""
    store, proxy = InMemoryRoutingStore(), Proxy(held=Standing(9, 0))
    follower = Follower(store, proxy, "mood")
    store.write(document(3, 1_000))
    assert not follower.step()
    assert "epoch 3 refused, the store holds 9" in follower.fault
    assert proxy.read() == 0


def test_document_that_was_overtaken_is_no_fault() -> None:
    """Another writer brought the newer one first; the next look finds it too."""
    store, proxy = InMemoryRoutingStore(), Proxy(held=Standing(4, 500))
    store.write(document(3, 1_000))
    overtaken = Proxy.apply

    def apply(snapshot: Snapshot) -> None:
        if snapshot.epoch == 3:
            store.write(document(4, 500))
        overtaken(proxy, snapshot)

    proxy.apply = apply  # type: ignore[method-assign]
    follower = Follower(store, proxy, "mood")
    assert follower.step()
    assert follower.step()
    assert (follower.epoch, proxy.told) == (4, [4])


def test_follower_ends_when_it_is_told_to() -> None:
    """``run`` follows in a thread until the event is set."""
    store, proxy, stop = InMemoryRoutingStore(), Proxy(), threading.Event()
    told = threading.Event()
    original = proxy.apply

    def apply(snapshot: Snapshot) -> None:
        original(snapshot)
        told.set()

    proxy.apply = apply  # type: ignore[method-assign]
    follower = Follower(store, proxy, "mood", every=0.001)
    thread = threading.Thread(target=follower.run, args=(stop,))
    thread.start()
    store.write(document(1, 1_000))
    assert told.wait(5)
    stop.set()
    thread.join(5)
    assert not thread.is_alive()


def test_stale_document_is_a_refusal_of_the_fence() -> None:
    """The fake of these tests keeps the rule of the real proxies."""
    with pytest.raises(StaleEpoch):
        Proxy(held=Standing(2, 0)).apply(document(1, 10))
