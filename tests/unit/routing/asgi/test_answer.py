from __future__ import annotations

import asyncio
import gzip
import zlib

import pytest

from switchover.routing.asgi.answer import Answer, Capture, HttpReading, unpacked
from switchover.routing.asgi.reply import Reply


def answer(body: bytes, status: int = 200, **headers: str) -> Answer:
    raw = tuple((n.replace("_", "-").encode(), v.encode()) for n, v in headers.items())
    return Answer(status, raw, body)


@pytest.mark.req("INV9")
@pytest.mark.parametrize(
    ("found", "document"),
    [
        (answer(b'{"a": 1}', content_type="application/json"), {"a": 1}),
        (answer(b'{"a": 1}', content_type="application/problem+json; charset=utf-8"), {"a": 1}),
        (answer(gzip.compress(b"[1]", mtime=0), content_type="application/json",
                content_encoding="gzip"), [1]),
        (answer(zlib.compress(b"[1]"), content_type="application/json",
                content_encoding="deflate"), [1]),
        (answer(b"{broken", content_type="application/json"), "{broken"),
        (answer(b"caf\xff", content_type="text/plain"), "caf\ufffd"),
    ],
)  # fmt: skip
def test_an_answer_is_read_as_what_it_says_it_is(found: Answer, document: object) -> None:
    """JSON as its value, packed or not, everything else as text."""
    assert found.document() == document


@pytest.mark.req("INV9")
def test_unpacking_is_bounded_and_never_fails() -> None:
    """A bomb is cut, and what is not packed stays as it is."""
    bomb = gzip.compress(bytes(64 * 1024 * 1024), 9)
    assert len(unpacked(bomb, "gzip")) == 16 * 1024 * 1024
    assert unpacked(b"plain", "gzip") == b"plain"
    assert unpacked(b"plain", "br") == b"plain"


@pytest.mark.req("INV9")
def test_statuses_are_looked_at_before_bodies() -> None:
    """Legacy's failure leaves nothing to compare, the candidate's is its own."""
    reading, good, missing, down = HttpReading(), *(answer(b"", s) for s in (200, 404, 503))
    assert reading.failure(down, good) == "legacy"
    assert reading.failure(good, down) == "error"
    assert reading.failure(good, missing) == "incomparable"
    assert reading.failure(missing, missing) == ""


@pytest.mark.req("INV9")
def test_an_event_stream_is_not_kept() -> None:
    """It has no end, so there would be no answer to compare."""
    capture = Capture(100)
    capture.add({"type": "http.response.start", "status": 200,
                 "headers": [(b"Content-Type", b"text/event-stream")]})  # fmt: skip
    capture.add({"type": "http.response.body", "body": b"data: 1\n\n", "more_body": False})
    assert capture.answer() is None


@pytest.mark.req("INV9")
@pytest.mark.parametrize("kind", ["http.response.pathsend", "http.response.zerocopysend"])
def test_a_file_that_the_server_sends_is_an_answer_but_not_kept(kind: str) -> None:
    """It counts as finished, and is not taken for an empty answer in a comparison."""
    capture = Capture(100)

    async def send(message: object) -> None:
        """Nobody listens."""

    async def run() -> Reply:
        reply = Reply(send, capture=capture)
        await reply({"type": "http.response.start", "status": 200, "headers": []})
        await reply({"type": kind, "path": "/f", "more_body": False})
        return reply

    assert asyncio.run(run()).finished
    assert capture.answer() is None
