"""The webhook router on a real Valkey: duplicates at once, an incident, a pair in the evidence."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any
from uuid import uuid4

import pytest

from switchover.errors import DependencyUnavailable
from switchover.machine.snapshot import Snapshot
from switchover.observe.recorder import Recorder
from switchover.observe.stream import BEGINNING, RedisBlockStream
from switchover.routing.claims import Claims
from switchover.routing.fallback import halt_in
from switchover.routing.router import Router
from switchover.routing.store import RedisRoutingStore
from switchover.routing.webhook import WebhookRouter
from switchover.routing.webhook_outcome import Outcome
from switchover.testing.embedded import Valkey


class Site:
    """A migration with two webhook processes' worth of routers on one Redis."""

    def __init__(self, url: str, snapshot: Snapshot) -> None:
        self.name, self.url = snapshot.migration, url
        self.store = RedisRoutingStore(url)
        self.store.write(snapshot)
        self.called: Counter[tuple[str, str]] = Counter()
        self.broken = threading.Event()
        self.routers = [Router(self.name, url).start() for _ in range(2)]
        assert all(router.wait_ready() for router in self.routers)
        self.recorder = Recorder(self.name, url, epoch=lambda: self.routers[0].epoch)
        self.hooks = [self.make(router) for router in self.routers]

    def make(self, router: Router) -> WebhookRouter:
        return WebhookRouter(
            router,
            Claims(self.name, self.url),
            {"legacy": self.legacy, "candidate": self.candidate},
            {"opened"},
            lambda event: event["id"],
            recorder=self.recorder,
            on_candidate_failure=halt_in(self.store),
        )

    def legacy(self, event: dict[str, Any]) -> Any:
        self.called["legacy", event["id"]] += 1
        return {"label": event["id"]}

    def candidate(self, event: dict[str, Any]) -> Any:
        self.called["candidate", event["id"]] += 1
        if self.broken.is_set():
            raise RuntimeError
        return {"label": event["id"]}

    def deliver(self, count: int, times: int) -> list[Outcome]:
        """Each event ``times`` times, to both processes, from eight threads."""
        events = [(n, {"action": "opened", "id": f"e{n % count}"}) for n in range(count * times)]
        with ThreadPoolExecutor(8) as senders:
            return list(senders.map(lambda e: self.hooks[e[0] // count % 2].handle(e[1]), events))

    def close(self) -> None:
        for hooks in self.hooks:
            hooks.close()
        for router in self.routers:
            router.close()
        self.recorder.close()


@pytest.fixture
def name() -> str:
    return f"agents-{uuid4().hex}"


@pytest.fixture
def sites(redis_url: str) -> Iterator[list[Site]]:
    """What the test opens is closed."""
    opened: list[Site] = []
    yield opened
    for site in opened:
        site.close()


@pytest.mark.req("INV9")
@pytest.mark.req("T4")
def test_incident_under_load_serves_every_event_once_and_rolls_back_once(
    redis_url: str, name: str, sites: list[Site]
) -> None:
    """Duplicates at once, to two processes, while the candidate breaks: legacy takes over."""
    site = Site(redis_url, Snapshot(name, 3, "candidate_only"))
    sites.append(site)
    before = site.deliver(50, 3)
    assert {outcome.system for outcome in before if outcome.status == "served"} == {"candidate"}
    site.broken.set()
    events = [{"action": "opened", "id": f"late{n}"} for n in range(50)]
    with ThreadPoolExecutor(8) as senders:
        after = list(senders.map(lambda e: site.hooks[int(e["id"][4:]) % 2].handle(e), events))
    for outcomes, count in ((before, 50), (after, 50)):
        assert sum(outcome.status == "served" for outcome in outcomes) == count
    assert {outcome.system for outcome in after} == {"legacy"}
    for hooks in site.hooks:
        hooks.close()
    halt = site.store.halted(name)
    assert halt is not None
    assert (halt.id, halt.epoch) == (f"{name}-candidate-3", 4)
    assert site.store.wait_acknowledged(name, 4, 10).complete
    site.called.clear()
    assert site.hooks[0].handle({"action": "opened", "id": "last"}).reason == "emergency_rollback"
    assert site.called == {("legacy", "last"): 1}


@pytest.mark.req("INV9")
def test_shadowed_events_are_evidence_and_each_side_ran_once(
    redis_url: str, name: str, sites: list[Site]
) -> None:
    """Every event: one served result, one pair in Redis, one comparison in the blocks."""
    site = Site(redis_url, Snapshot(name, 3, "parallel", shadow=10_000))
    sites.append(site)
    outcomes = site.deliver(40, 2)
    for hooks in site.hooks:
        hooks.close()
    assert sum(outcome.status == "served" for outcome in outcomes) == 40
    assert set(site.called.values()) == {1}
    assert len(site.called) == 80
    claims = Claims(name, redis_url)
    for n in range(40):
        state = claims.state(f"e{n}")
        assert state.pair is not None
        assert state.served == state.pair[0]
    site.recorder.flush()
    blocks, _, malformed = RedisBlockStream(redis_url).read(name, BEGINNING, 1_000)
    pairs = [block for block in blocks if block.metric == "prediction_agreement_rate"]
    assert (sum(b.n for b in pairs), sum(b.bad for b in pairs), malformed) == (40, 0, 0)


@pytest.mark.req("INV9")
def test_event_is_not_served_while_redis_is_gone() -> None:
    """The sender is told so within the time limits of a command, and no side was called."""
    name = f"agents-{uuid4().hex}"
    with Valkey() as server:
        site = Site(server.url, Snapshot(name, 3))
    try:
        with pytest.raises(DependencyUnavailable, match="Redis"):
            site.hooks[0].handle({"action": "opened", "id": "a"})
        assert not site.called
    finally:
        site.close()
