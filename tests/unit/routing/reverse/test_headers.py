from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from switchover.routing.reverse.headers import (
    HOP_BY_HOP,
    content_length,
    end_to_end,
    forwarded,
    loops,
)
from switchover.routing.reverse.websocket import sendable

TOKEN = st.text("abcdefghijklmnopqrstuvwxyz-", min_size=1, max_size=12).map(str.encode)
NAME = st.one_of(TOKEN, st.sampled_from(sorted(HOP_BY_HOP)), st.just(b"x-forwarded-for"))
HEADERS = st.lists(st.tuples(NAME.map(lambda n: n.title()), TOKEN), max_size=12)


def scope(*headers: tuple[bytes, bytes], **more: Any) -> dict[str, Any]:
    base = {"client": ("192.0.2.7", 1), "scheme": "http", "http_version": "1.1"}
    return {**base, **more, "headers": list(headers)}


@pytest.mark.req("T11")
@given(HEADERS, st.lists(TOKEN, max_size=3))
@settings(max_examples=200, deadline=None)
def test_nothing_of_the_connection_passes_and_everything_else_does(
    headers: list[tuple[bytes, bytes]], named: list[bytes]
) -> None:
    """Hop-by-hop fields go, with those ``connection`` names; the rest keeps value and order."""
    given_ = [*headers, (b"Connection", b" , ".join(named))]
    named_too = {
        option.strip()
        for name, value in given_
        if name.lower() == b"connection"
        for option in value.split(b",")
    }
    gone = (HOP_BY_HOP | named_too) - {b"x-forwarded-for"}
    passed = end_to_end(given_)
    assert passed == [(n.lower(), v) for n, v in headers if n.lower() not in gone]
    assert end_to_end(passed) == passed


@pytest.mark.req("T11")
@given(HEADERS)
@settings(max_examples=100, deadline=None)
def test_a_client_can_not_speak_for_the_proxy(headers: list[tuple[bytes, bytes]]) -> None:
    """Scheme and host are the proxy's finding; the client's address is last in the chain."""
    lies = [(b"x-forwarded-proto", b"https"), (b"x-forwarded-host", b"evil.test"),
            (b"forwarded", b"for=evil")]  # fmt: skip
    lowered = [(name.lower(), value) for name, value in headers]
    passed = forwarded(scope(*lowered, *lies, (b"host", b"a.test")), b"me", trusted=False)
    values: dict[bytes, list[bytes]] = {}
    for name, value in passed:
        values.setdefault(name, []).append(value)
    assert values[b"x-forwarded-proto"] == [b"http"]
    assert values[b"x-forwarded-host"] == [b"a.test"]
    assert b"forwarded" not in values
    assert len(values[b"x-forwarded-for"]) == 1
    assert values[b"x-forwarded-for"][0].split(b", ")[-1] == b"192.0.2.7"


@pytest.mark.req("T11")
def test_what_stands_in_front_is_believed_only_if_trusted() -> None:
    """Behind a load balancer that ends TLS, its word counts."""
    headers = [(b"host", b"in.test"), (b"x-forwarded-proto", b"https"),
               (b"x-forwarded-for", b"203.0.113.9")]  # fmt: skip
    passed = dict(forwarded(scope(*headers), b"me", trusted=True))
    assert passed[b"x-forwarded-proto"] == b"https"
    assert passed[b"x-forwarded-for"] == b"203.0.113.9, 192.0.2.7"
    assert passed[b"x-forwarded-host"] == b"in.test"


@pytest.mark.req("T11")
@pytest.mark.parametrize("name", [b"Host", b"authorization", b"Cookie", b"x-forwarded-for"])
def test_connection_can_not_remove_what_a_system_relies_on(name: bytes) -> None:
    """Naming a field there is an old way to have it dropped behind the proxy's checks."""
    passed = end_to_end([(name, b"1"), (b"connection", name)])
    assert passed == [(name.lower(), b"1")]


@pytest.mark.req("T11")
def test_expect_is_answered_here_and_via_finds_loops() -> None:
    """The proxy names itself, and knows its name again."""
    passed = forwarded(scope((b"expect", b"100-continue"), (b"via", b"1.0 fred")), b"me",
                       trusted=False)  # fmt: skip
    assert b"expect" not in dict(passed)
    assert dict(passed)[b"via"] == b"1.0 fred, 1.1 me"
    assert loops(passed, b"me")
    assert not loops([(b"via", b"1.1 someone")], b"me")


@pytest.mark.req("T11")
@pytest.mark.parametrize(
    ("values", "length"),
    [([b"7"], 7), ([b"7", b"7"], 7), ([b"7", b"8"], None), ([b"-1"], None), ([], None)],
)
def test_only_a_clear_length_is_a_length(values: list[bytes], length: int | None) -> None:
    """Contradictions are as good as no length."""
    assert content_length([(b"content-length", value) for value in values]) == length


@pytest.mark.req("T11")
@pytest.mark.parametrize(
    ("code", "sent"), [(None, 1000), (1005, 1000), (1006, 1011), (1015, 1011), (4001, 4001)]
)
def test_only_codes_that_may_be_sent_are_sent(code: int | None, sent: int) -> None:
    """1005, 1006 and 1015 describe a connection and never stand in a frame (RFC 6455, 7.4.1)."""
    assert sendable(code) == sent
