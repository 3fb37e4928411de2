from __future__ import annotations

import logging
import threading
from collections.abc import Iterator
from typing import Any

import pytest
import redis

from switchover.errors import DependencyUnavailable, Refused, StaleEpoch
from switchover.machine.snapshot import Snapshot
from switchover.routing.proxies.traefik import TraefikSplit
from switchover.testing.embedded.ports import free_port

pytestmark = pytest.mark.req("T11")

BASE = "traefik/http/services/mood/weighted"


def document(epoch: int, percent: float, mode: str = "gradual") -> Snapshot:
    return Snapshot("mood-v3", epoch, mode, round(percent * 100), salt="s")


@pytest.fixture
def store(fresh_redis_url: str) -> Iterator[redis.Redis]:
    with redis.Redis.from_url(fresh_redis_url, decode_responses=True) as client:
        client.config_set("notify-keyspace-events", "KEA")
        yield client


@pytest.fixture
def split(fresh_redis_url: str) -> TraefikSplit:
    return opened(fresh_redis_url)


def opened(address: Any, **options: Any) -> TraefikSplit:
    return TraefikSplit(
        "mood-v3", address, service="mood", legacy="mood-v2@file", candidate="mood-v3", **options
    )


def test_keys_are_those_that_traefik_reads(store: redis.Redis, split: TraefikSplit) -> None:
    """Nothing lies under Traefik's root but the weighted service, in its documented form."""
    split.apply(document(1, 12.34))
    assert {key: store.get(key) for key in store.keys("traefik/*")} == {
        f"{BASE}/services/0/name": "mood-v2@file",
        f"{BASE}/services/0/weight": "8766",
        f"{BASE}/services/1/name": "mood-v3",
        f"{BASE}/services/1/weight": "1234",
    }
    assert split.read() == 0.1234


def test_cookie_keeps_visitors_where_it_is_asked_for(
    store: redis.Redis, fresh_redis_url: str
) -> None:
    """The cookie's name is one more key, under another root if Traefik has another."""
    opened(fresh_redis_url, cookie="mood_side", root="edge").apply(document(1, 10))
    assert store.get("edge/http/services/mood/weighted/sticky/cookie/name") == "mood_side"
    assert not store.keys("traefik/*")


def test_share_is_unknown_before_the_first_document(split: TraefikSplit) -> None:
    """Without keys Traefik has no such service."""
    assert split.read() is None


def test_readers_never_see_half_of_a_change(store: redis.Redis, split: TraefikSplit) -> None:
    """While the split changes three hundred times, both weights always add up to the whole."""
    split.apply(document(1, 0))
    names = [f"{BASE}/services/{side}/weight" for side in (0, 1)]
    seen: set[tuple[int, int]] = set()
    done = threading.Event()

    def look() -> None:
        while not done.is_set():
            legacy, candidate = store.mget(names)
            seen.add((int(legacy), int(candidate)))

    watcher = threading.Thread(target=look)
    watcher.start()
    for epoch in range(2, 302):
        split.apply(document(epoch, epoch % 101))
    done.set()
    watcher.join()
    assert len(seen) > 10
    assert {legacy + candidate for legacy, candidate in seen} == {10_000}


def test_one_change_is_one_transaction(store: redis.Redis, split: TraefikSplit) -> None:
    """Traefik is told by keyspace notifications; what it reads at the first is the whole."""
    split.apply(document(1, 10))
    with store.pubsub(ignore_subscribe_messages=True) as told:
        told.psubscribe(f"__keyspace@0__:{BASE}/*")
        told.get_message(timeout=1)
        split.apply(document(2, 50))
        first = None
        while first is None:
            first = told.get_message(timeout=5)
        assert first["data"] == "set"
        assert store.get(f"{BASE}/services/1/weight") == "5000"


def test_repeated_document_tells_traefik_nothing(store: redis.Redis, split: TraefikSplit) -> None:
    """What is there already is not written again, so Traefik does not load anew."""
    split.apply(document(1, 10))
    with store.pubsub(ignore_subscribe_messages=True) as told:
        told.psubscribe("__keyspace@0__:*")
        told.get_message(timeout=1)
        split.apply(document(1, 10))
        assert told.get_message(timeout=0.2) is None


def test_lost_keys_are_written_again(store: redis.Redis, split: TraefikSplit) -> None:
    """The same document mends what somebody removed."""
    split.apply(document(1, 10))
    store.delete(f"{BASE}/services/1/weight")
    assert split.read() is None
    split.apply(document(1, 10))
    assert split.read() == 0.1


@pytest.mark.req("INV3")
def test_traefik_refuses_an_older_document(split: TraefikSplit) -> None:
    """Older, and equal with another split, are refused and change nothing."""
    split.apply(document(7, 50))
    for epoch, percent in ((6, 100), (7, 60)):
        with pytest.raises(StaleEpoch):
            split.apply(document(epoch, percent))
    assert split.read() == 0.5


@pytest.mark.req("INV3")
def test_newest_document_wins_among_concurrent_transactions(
    store: redis.Redis, fresh_redis_url: str
) -> None:
    """Four writers on connections of their own: at the end the newest document stands."""

    def write(first: int) -> None:
        split = opened(fresh_redis_url)
        for epoch in range(first, 41, 4):
            try:
                split.apply(document(epoch, epoch))
            except StaleEpoch:
                assert epoch != 40

    writers = [threading.Thread(target=write, args=(first,)) for first in (1, 2, 3, 4)]
    for writer in writers:
        writer.start()
    for writer in writers:
        writer.join()
    assert opened(fresh_redis_url).read() == 0.4


def test_rollback_gives_the_candidate_no_weight(split: TraefikSplit) -> None:
    """A server of weight 0 gets nobody, whatever a cookie says."""
    split.apply(document(1, 100, mode="candidate_only"))
    assert split.read() == 1
    split.apply(document(2, 0, mode="emergency_rollback"))
    assert split.read() == 0


def test_foreign_weights_are_refused(store: redis.Redis, split: TraefikSplit) -> None:
    """Weights that are no numbers come from somebody else."""
    store.mset({f"{BASE}/services/0/weight": "many", f"{BASE}/services/1/weight": "1"})
    with pytest.raises(Refused, match="somebody else writes its keys"):
        split.read()


def test_redis_without_notifications_is_logged(
    store: redis.Redis, split: TraefikSplit, caplog: pytest.LogCaptureFixture
) -> None:
    """The keys are written all the same, as a rollback must not wait for a setting."""
    store.config_set("notify-keyspace-events", "")
    with caplog.at_level(logging.WARNING, "switchover.proxies"):
        split.apply(document(1, 10))
    assert "Traefik will not notice" in caplog.text
    assert split.read() == 0.1


def test_redis_that_is_down_is_named_as_traefiks() -> None:
    """Two Redis servers may be in play: the message says which."""
    split = opened(f"redis://:secret@127.0.0.1:{free_port()}/0")
    for act in (split.read, lambda: split.apply(document(1, 10))):
        with pytest.raises(DependencyUnavailable, match=r"^Traefik service mood in ") as told:
            act()
        assert "secret" not in str(told.value)
        assert "SWITCHOVER_REDIS_URL" not in str(told.value)


@pytest.mark.req("INV5")
def test_rollback_that_comes_in_between_is_not_undone(
    store: redis.Redis, split: TraefikSplit, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A newer document lands after our look at the epoch: our transaction fails, and the second
    look refuses."""
    split.apply(document(1, 10))
    begin = redis.client.Pipeline.multi

    def overtaken(transaction: Any) -> None:
        monkeypatch.setattr(redis.client.Pipeline, "multi", begin)
        split.apply(document(9, 0, mode="emergency_rollback"))
        begin(transaction)

    monkeypatch.setattr(redis.client.Pipeline, "multi", overtaken)
    with pytest.raises(StaleEpoch, match="epoch 8 refused, the store holds 9"):
        split.apply(document(8, 50))
    assert split.read() == 0
