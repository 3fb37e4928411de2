from __future__ import annotations

from typing import Any

import pytest
from websockets.exceptions import ConnectionClosed, InvalidStatus
from websockets.sync.client import connect

from tests.eventually import eventually


def address(url: str, path: str = "/chat") -> str:
    return url.replace("http://", "ws://") + path


@pytest.mark.req("T11")
@pytest.mark.parametrize(("user", "served"), [("c", "candidate"), ("l", "legacy")])
def test_a_connection_goes_to_the_side_of_its_key(world: Any, user: str, served: str) -> None:
    """Text and bytes pass both ways; the handshake's headers and subprotocol too."""
    url = world.proxy()
    with connect(
        address(url, f"/chat?user={user}"),
        subprotocols=["v1", "v2"],  # type: ignore[list-item]
        additional_headers={"authorization": "Bearer t"},
        proxy=None,
    ) as link:
        assert link.subprotocol == "v2"
        link.send("hello")
        assert link.recv(10) == f"{served}:hello"
        link.send(b"\x00\x01")
        assert link.recv(10) == b"\x00\x01"
    system = getattr(world, served)
    headers = system.seen[0]["headers"]
    assert headers["authorization"] == "Bearer t"
    assert headers["x-forwarded-for"] == "127.0.0.1"
    assert headers["host"] == url.removeprefix("http://")


@pytest.mark.req("T11")
def test_a_connection_stays_where_it_began(world: Any) -> None:
    """A change of routing is for new connections; messages never change sides."""
    url = world.proxy()
    with connect(address(url, "/chat?user=c"), proxy=None) as link:
        link.send("1")
        assert link.recv(10) == "candidate:1"
        world.router.route = lambda key: world.router.__class__().route("l")
        link.send("2")
        assert link.recv(10) == "candidate:2"
    with connect(address(url, "/chat?user=c"), proxy=None) as link:
        link.send("3")
        assert link.recv(10) == "legacy:3"


@pytest.mark.req("T11")
def test_close_codes_pass_both_ways(world: Any) -> None:
    """Who closes, why and with which code reaches the other end."""
    url = world.proxy()
    with connect(address(url), proxy=None) as link:
        link.send("bye")
        with pytest.raises(ConnectionClosed):
            link.recv(10)
        assert (link.close_code, link.close_reason) == (4001, "told to")
    link = connect(address(url), proxy=None)
    link.close(4002, "enough")
    assert eventually(lambda: world.legacy.seen[-1] == {"closed": 4002, "reason": "enough"})


@pytest.mark.req("T11")
def test_a_refused_handshake_is_refused_with_the_systems_own_answer(world: Any) -> None:
    """401 stays 401."""
    url = world.proxy()
    with pytest.raises(InvalidStatus) as refused:
        connect(address(url, "/refused"), proxy=None)
    assert refused.value.response.status_code == 401
    assert refused.value.response.headers["x-why"] == "token"


@pytest.mark.req("T4")
def test_a_candidate_that_opens_no_connection_leaves_it_to_legacy(world: Any) -> None:
    """Before the handshake is answered, the other side can still take it."""
    world.urls["candidate"] = "http://127.0.0.1:1"
    url = world.proxy()
    with connect(address(url, "/chat?user=c"), proxy=None) as link:
        link.send("1")
        assert link.recv(10) == "legacy:1"


@pytest.mark.req("T11")
def test_without_any_system_the_handshake_says_so(world: Any) -> None:
    """502 in the answer to the handshake."""
    world.urls["legacy"] = "http://127.0.0.1:1"
    with pytest.raises(InvalidStatus) as refused:
        connect(address(world.proxy()), proxy=None)
    assert refused.value.response.status_code == 502
