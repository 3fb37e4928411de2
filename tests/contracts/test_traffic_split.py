from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from switchover.errors import StaleEpoch
from switchover.ports import TrafficSplit
from switchover.routing.proxies.gateway_api import GatewayApiSplit
from switchover.routing.proxies.traefik import TraefikSplit
from switchover.testing.gateway_api import GatewayApiServer
from switchover.testing.proxies import InMemoryTrafficSplit
from tests.integration.proxies.running import MIGRATION, document, running_haproxy, running_nginx

pytestmark = pytest.mark.req("T11")

SPEC: dict[str, Any] = {
    "parentRefs": [{"name": "edge"}],
    "rules": [
        {
            "backendRefs": [
                {"name": "legacy", "port": 8020},
                {"name": "candidate", "port": 8030, "weight": 0},
            ]
        }
    ],
}


@pytest.fixture(params=["memory", "haproxy", "nginx", "traefik", "gateway_api"])
def split(request: pytest.FixtureRequest) -> Iterator[TrafficSplit]:
    """The fake, two real proxies, Traefik's keys in a real Redis, and the route stand-in."""
    sides = {"legacy": "legacy", "candidate": "candidate"}
    if request.param == "memory":
        yield InMemoryTrafficSplit(MIGRATION)
    elif request.param == "traefik":
        url = request.getfixturevalue("fresh_redis_url")
        yield TraefikSplit(MIGRATION, url, service="mood", **sides)
    elif request.param == "gateway_api":
        with GatewayApiServer() as server:
            server.add("clinic", "mood", SPEC)
            yield GatewayApiSplit(
                MIGRATION, server.url, namespace="clinic", route="mood",
                token=lambda: "stand-in-token", **sides,
            )  # fmt: skip
    else:
        running = {"haproxy": running_haproxy, "nginx": running_nginx}[request.param]
        with running(request.getfixturevalue("program")(request.param)) as proxy:
            yield proxy.split


@pytest.mark.req("INV3")
def test_newer_documents_are_taken_and_older_ones_refused(split: TrafficSplit) -> None:
    """Its share is that of the newest document, however often and late others arrive."""
    for epoch, percent in ((3, 12.5), (3, 12.5), (5, 50)):
        split.apply(document(epoch, percent))
        assert split.read() == percent / 100
    for epoch, percent in ((3, 12.5), (4, 99), (5, 60)):
        with pytest.raises(StaleEpoch):
            split.apply(document(epoch, percent), lift=True)
    assert split.read() == 0.5


@pytest.mark.req("INV7")
def test_fallback_is_ended_by_a_newer_document_and_by_no_older_one(split: TrafficSplit) -> None:
    """All is on legacy, also for a writer that read the same document before and comes late."""
    split.apply(document(4, 50))
    split.fall_back()
    split.fall_back()
    assert split.read() == 0
    with pytest.raises(StaleEpoch, match="until its follower reaches Redis again"):
        split.apply(document(4, 50))
    with pytest.raises(StaleEpoch):
        split.apply(document(3, 99), lift=True)
    assert split.read() == 0
    split.apply(document(5, 60))
    assert split.read() == 0.6


@pytest.mark.req("INV7")
def test_follower_that_is_back_lifts_the_fallback_again_and_again(split: TrafficSplit) -> None:
    """The same document is in force after each outage, and anybody may then mend with it."""
    split.apply(document(4, 50))
    for _ in range(2):
        split.fall_back()
        assert split.read() == 0
        split.apply(document(4, 50), lift=True)
        split.apply(document(4, 50))
        assert split.read() == 0.5


@pytest.mark.req("INV7")
def test_fallback_of_a_proxy_on_legacy_changes_nothing(split: TrafficSplit) -> None:
    """Neither before the first document nor later does it stand in the way of one."""
    split.fall_back()
    split.apply(document(1, 0))
    split.fall_back()
    split.apply(document(1, 0))
    split.apply(document(2, 10))
    assert split.read() == 0.1
