from __future__ import annotations

import asyncio
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from switchover.routing.asgi.replay import Replay


def delivering(parts: list[bytes]) -> Any:
    waiting = list(parts)

    async def receive() -> dict[str, Any]:
        if not waiting:
            return {"type": "http.disconnect"}
        return {"type": "http.request", "body": waiting.pop(0), "more_body": bool(waiting)}

    return receive


async def whole(receive: Any) -> bytes:
    body, more = b"", True
    while more:
        message = await receive()
        assert message["type"] == "http.request"
        body += message["body"]
        more = message["more_body"]
    return body


@pytest.mark.req("T4")
@given(st.lists(st.binary(max_size=20), min_size=1), st.integers(0, 120), st.booleans())
@settings(max_examples=100, deadline=None)
def test_the_first_reader_gets_the_body_and_a_second_unless_it_is_spent(
    parts: list[bytes], limit: int, peek: bool
) -> None:
    """Whatever the sizes, the limit, and whether the key was looked for in the body before."""

    async def run() -> None:
        replay, body = Replay(delivering(parts), limit), b"".join(parts)
        if peek:
            assert await replay.body() == (body if len(body) <= limit else None)
        assert await whole(replay.reader()) == body
        assert replay.spent == (len(body) > limit)
        if not replay.spent:
            assert await whole(replay.reader()) == body
            assert replay.kept() == body

    asyncio.run(run())


@pytest.mark.req("T4")
def test_a_client_that_left_has_left_for_every_reader() -> None:
    """The disconnect is remembered."""

    async def run() -> None:
        replay = Replay(delivering([b"a"]), 10)
        first = replay.reader()
        assert await whole(first) == b"a"
        assert (await first())["type"] == "http.disconnect"
        assert replay.gone
        second = replay.reader()
        assert await whole(second) == b"a"
        assert (await second())["type"] == "http.disconnect"

    asyncio.run(run())
