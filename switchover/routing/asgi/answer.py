"""An HTTP answer kept for comparison, and how two of them are read."""

from __future__ import annotations

import json
import zlib
from dataclasses import dataclass
from typing import Any

from switchover.routing.asgi.protocol import Message, RawHeaders, text_header
from switchover.routing.shadow_pairs import Reading

#: Answers from this size on are parsed beside the event loop.
HEAVY = 32 * 1024
#: No answer unpacks to more than this.
UNPACKED = 16 * 1024 * 1024


@dataclass(frozen=True, slots=True)
class Answer:
    """What one system answered."""

    status: int
    headers: tuple[tuple[bytes, bytes], ...]
    body: bytes

    @property
    def failed(self) -> bool:
        """The system says of itself that it failed."""
        return self.status >= 500

    def document(self) -> Any:
        """The body as the rules of agreement see it: JSON if it is, else text."""
        body = unpacked(self.body, text_header(self.headers, b"content-encoding").lower())
        kind = text_header(self.headers, b"content-type").partition(";")[0].strip().lower()
        if kind == "application/json" or kind.endswith("+json"):
            try:
                return json.loads(body)
            except ValueError:
                # A broken document is compared as the text it is.
                return body.decode("utf-8", "replace")
        return body.decode("utf-8", "replace")


def unpacked(body: bytes, encoding: str) -> bytes:
    """``body`` without its content coding; as it is where the coding is unknown or broken."""
    if encoding not in ("gzip", "x-gzip", "deflate"):
        return body
    try:
        # 32 + 15: zlib and gzip are told apart by their first bytes.
        return zlib.decompressobj(47).decompress(body, UNPACKED)
    except zlib.error:
        return body


class HttpReading(Reading):
    """Statuses first: a server error is the system's own, and two statuses can't agree."""

    def failure(self, legacy: Answer, candidate: Answer) -> str:
        if legacy.failed:
            return "legacy"
        if candidate.failed:
            return "error"
        return "" if legacy.status == candidate.status else "incomparable"

    def document(self, answer: Answer) -> Any:
        return answer.document()

    def heavy(self, answer: Answer) -> bool:
        return len(answer.body) >= HEAVY


class TooLong(Exception):
    """The answer does not fit what is kept of it."""


class Capture:
    """Collects one answer from ASGI messages, up to ``limit`` bytes of body."""

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._status = 0
        self._headers: tuple[tuple[bytes, bytes], ...] = ()
        self._body = bytearray()
        self.complete = self.overflowed = False

    def add(self, message: Message) -> None:
        """Take the next message of the answer."""
        if message["type"] == "http.response.start":
            self._status = message["status"]
            self._headers = tuple((bytes(n).lower(), bytes(v)) for n, v in message["headers"])
            # An event stream has no end to wait for.
            self.overflowed = is_event_stream(self._headers)
        elif message["type"] == "http.response.body" and not self.overflowed:
            self._body += message.get("body", b"")
            self.overflowed = len(self._body) > self._limit
            self.complete = not (message.get("more_body", False) or self.overflowed)
        elif message["type"] in ("http.response.pathsend", "http.response.zerocopysend"):
            # A file that the server sends by itself: its bytes never come by here.
            self.overflowed = True
        if self.overflowed:
            self.complete = False
            self._body.clear()

    def answer(self) -> Answer | None:
        """The answer, ``None`` while it is not complete or when it was too long."""
        if not self.complete:
            return None
        return Answer(self._status, self._headers, bytes(self._body))


def is_event_stream(headers: RawHeaders) -> bool:
    """Whether the answer goes on for as long as somebody listens."""
    return text_header(headers, b"content-type").lower().startswith("text/event-stream")
