from __future__ import annotations

import time

import pytest

from switchover.errors import DependencyUnavailable, InputError, Refused
from switchover.machine.snapshot import Snapshot
from switchover.routing.proxies.bring import Told
from switchover.routing.proxies.fence import Standing
from switchover.routing.proxies.follow import Follower
from switchover.testing.proxies import InMemoryTrafficSplit

pytestmark = pytest.mark.req("T11")

#: Nothing listens there, and these tests start no thread that would ask.
NOWHERE = "redis://127.0.0.1:1/0"


def text(epoch: int, split: int = 1_000, mode: str = "gradual", **fields: object) -> str:
    return Snapshot("mood", epoch, mode, split, salt="s", **fields).to_json()  # type: ignore[arg-type]


class Clock:
    """Time that passes when a test says so."""

    def __init__(self) -> None:
        self.now = 1_000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    clock = Clock()
    monkeypatch.setattr(time, "monotonic", clock)
    return clock


@pytest.fixture
def proxy() -> InMemoryTrafficSplit:
    return InMemoryTrafficSplit("mood")


@pytest.fixture
def said() -> list[Told]:
    return []


@pytest.fixture
def follower(clock: Clock, proxy: InMemoryTrafficSplit, said: list[Told]) -> Follower:
    return Follower(proxy, "mood", NOWHERE, max_staleness=30, mend_every=10, tell=said.append)


def test_each_document_is_brought_once_and_then_acknowledged(
    follower: Follower, proxy: InMemoryTrafficSplit, said: list[Told]
) -> None:
    """The epoch given is the one that the proxy follows; people hear of each change once."""
    for epoch in (1, 2):
        assert follower.take(text(epoch, epoch * 1_000))[0] == epoch
        assert follower.take(text(epoch, epoch * 1_000))[0] == epoch
    assert proxy.told == [Standing(1, 1_000), Standing(2, 2_000)]
    assert [told.to_dict() for told in said] == [
        {"proxy": "proxy", "what": "follows", "epoch": epoch, "share": epoch / 10,
         "detail": f"epoch {epoch}, {epoch * 10}.00% to the candidate"}
        for epoch in (1, 2)
    ]  # fmt: skip


@pytest.mark.req("R1")
def test_epoch_counts_only_once_the_proxy_has_it(
    follower: Follower, proxy: InMemoryTrafficSplit, clock: Clock
) -> None:
    """A rollback that the proxy did not take is not acknowledged, until it did."""
    follower.take(text(5, 5_000))
    proxy.fault = DependencyUnavailable("proxy", "gone")
    halt = text(6, 0, "emergency_rollback")
    assert follower.take(halt)[0] == 5
    proxy.fault = None
    clock.now += 5
    epoch, since = follower.take(halt)
    assert (epoch, proxy.read()) == (6, 0)
    assert since <= time.time()


@pytest.mark.parametrize(
    ("fault", "words"),
    [
        (DependencyUnavailable("proxy", "gone"), "proxy is unavailable: gone"),
        (Refused("no lines"), "proxy: no lines"),
    ],
)
def test_fault_is_told_once_and_tried_again_ever_more_rarely(
    follower: Follower, proxy: InMemoryTrafficSplit, said: list[Told], clock: Clock,
    fault: Exception, words: str,
) -> None:  # fmt: skip
    """A new document is tried at once, whatever became of the one before."""
    proxy.fault = fault
    for _ in range(100):
        follower.take(text(1))
        clock.now += 0.5
    assert [told.what for told in said] == ["failed"]
    assert str(said[0]) == words
    assert follower.fault == str(fault)
    proxy.fault = None
    follower.take(text(1))
    assert proxy.read() is None, "it waits up to five seconds by now"
    follower.take(text(2))
    assert (follower.fault, proxy.read(), said[-1].what) == ("", 0.1, "follows")


def test_unplanned_fault_does_not_end_the_following(
    follower: Follower, proxy: InMemoryTrafficSplit, said: list[Told]
) -> None:
    """Without the follower a rollback would not arrive."""
    proxy.fault = ZeroDivisionError()
    follower.take(text(1))
    assert said[-1].detail == "ZeroDivisionError()"
    proxy.fault = None
    assert follower.take(text(2))[0] == 2


def test_proxy_that_forgot_is_mended(
    follower: Follower, proxy: InMemoryTrafficSplit, clock: Clock, said: list[Told]
) -> None:
    """The same document is brought again every ten seconds, also while Redis is silent."""
    follower.take(text(1))
    proxy.held = None
    clock.now += 9
    follower.keep()
    assert proxy.read() is None
    clock.now += 1
    follower.keep()
    assert (proxy.read(), len(said)) == (0.1, 1)


@pytest.mark.req("INV7")
def test_proxy_goes_to_legacy_when_redis_is_silent_and_comes_back(
    follower: Follower, proxy: InMemoryTrafficSplit, clock: Clock, said: list[Told]
) -> None:
    """After ``max_staleness``, said so; the same document is in force when Redis is back."""
    follower.take(text(3, 5_000))
    clock.now += 30
    follower.keep()
    assert proxy.read() == 0.5
    clock.now += 1
    follower.keep()
    assert proxy.read() == 0
    assert (said[-1].what, said[-1].share) == ("fell_back", 0.0)
    assert "is Redis reachable?" in str(said[-1])
    assert follower.take(text(3, 5_000))[0] == 3
    assert (proxy.read(), said[-1].what, len(said)) == (0.5, "follows", 3)


@pytest.mark.req("INV7")
def test_fallback_is_tried_until_the_proxy_takes_it(
    follower: Follower, proxy: InMemoryTrafficSplit, clock: Clock
) -> None:
    """A proxy that was out of reach too goes to legacy as soon as it is there."""
    follower.take(text(3, 5_000))
    proxy.fault = DependencyUnavailable("proxy", "gone")
    clock.now += 31
    follower.keep()
    proxy.fault = None
    clock.now += 1
    follower.keep()
    assert proxy.read() == 0


@pytest.mark.req("INV7")
def test_split_that_others_bring_without_redis_does_not_stay(
    follower: Follower, proxy: InMemoryTrafficSplit, clock: Clock
) -> None:
    """A worker that reaches Redis wrote a newer one; this proxy would miss the rollback."""
    follower.take(text(3, 5_000))
    clock.now += 31
    follower.keep()
    proxy.apply(Snapshot("mood", 4, "gradual", 6_000))
    clock.now += 10
    follower.keep()
    assert proxy.read() == 0
    assert follower.take(text(4, 6_000))[0] == 4
    assert proxy.read() == 0.6


@pytest.mark.req("INV7")
def test_follower_that_never_reached_redis_sends_its_proxy_to_legacy_too(
    clock: Clock, proxy: InMemoryTrafficSplit, follower: Follower
) -> None:
    """What the proxy has from before is confirmed by nobody."""
    proxy.held = Standing(9, 5_000)
    clock.now += 29
    follower.keep()
    assert proxy.read() == 0.5
    clock.now += 2
    follower.keep()
    assert proxy.read() == 0


@pytest.mark.req("INV7")
def test_follower_that_starts_anew_lifts_what_the_one_before_left(
    clock: Clock, proxy: InMemoryTrafficSplit, follower: Follower
) -> None:
    """A follower killed while Redis was away does not leave its proxy on legacy for ever."""
    proxy.held = Standing(9, 0, 1)
    assert follower.take(text(9))[0] == 9
    assert proxy.read() == 0.1


def test_redis_without_a_document_means_legacy(
    proxy: InMemoryTrafficSplit, follower: Follower, said: list[Told]
) -> None:
    """As in a router that starts: nothing says that the candidate may serve."""
    proxy.held = Standing(9, 5_000)
    assert follower.take(None)[0] == 0
    assert proxy.read() == 0
    assert said[-1].detail == "all on legacy: Redis holds no routing document"


@pytest.mark.req("INV3")
def test_proxy_ahead_of_redis_is_a_fault_and_ends_on_legacy(
    clock: Clock, proxy: InMemoryTrafficSplit, follower: Follower, said: list[Told]
) -> None:
    """Redis lost its data: nothing confirms what the proxy does, until the ledger writes anew."""
    proxy.held = Standing(9, 5_000)
    follower.take(text(3))
    assert said == [], "another writer may just have been faster"
    clock.now += 1
    follower.take(text(3))
    assert "epoch 3 refused, the store holds 9" in follower.fault
    assert proxy.read() == 0.5
    clock.now += 31
    follower.take(text(3))
    assert proxy.read() == 0
    assert follower.take(text(9, 5_000))[0] == 9
    assert proxy.read() == 0.5


def test_document_that_was_overtaken_is_no_fault(
    proxy: InMemoryTrafficSplit, follower: Follower, said: list[Told]
) -> None:
    """Another writer brought the newer one first; the next look finds it too."""
    proxy.held = Standing(4, 500)
    assert follower.take(text(3))[0] == 0
    assert follower.take(text(4, 500))[0] == 4
    assert [told.what for told in said] == ["follows"]


def test_fallback_of_another_follower_is_not_lifted(
    clock: Clock, proxy: InMemoryTrafficSplit, follower: Follower
) -> None:
    """Two at one proxy do not fight: it stays on legacy until the other is back."""
    follower.take(text(4))
    proxy.fall_back()
    for _ in range(10):
        clock.now += 10
        follower.take(text(4))
    assert proxy.read() == 0
    assert "until its follower reaches Redis again" in follower.fault


@pytest.mark.req("R8")
def test_malformed_document_is_no_confirmation(
    clock: Clock, proxy: InMemoryTrafficSplit, follower: Follower
) -> None:
    """The last good one stays, for ``max_staleness`` at most."""
    follower.take(text(1))
    for _ in range(31):
        clock.now += 1
        assert follower.take("{")[0] == 1
        follower.keep()
    assert proxy.read() == 0


def test_staleness_of_nothing_is_refused(proxy: InMemoryTrafficSplit) -> None:
    """It would never follow."""
    with pytest.raises(InputError, match="above 0"):
        Follower(proxy, "mood", NOWHERE, max_staleness=0)
