"""A pager that keeps its messages in memory, for tests."""

from __future__ import annotations

import threading
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class Message:
    """One message that people would have seen; ``id`` is what replies name as their thread."""

    id: str
    key: str
    channel: str
    text: str
    blocks: tuple[Mapping[str, Any], ...]
    thread: str | None


class MemoryPager:
    """The `Pager` port without a network: ``messages`` holds what was sent, in order.

    While ``error`` is set, every call raises it and sends nothing.
    """

    def __init__(self) -> None:
        self.messages: list[Message] = []
        self.error: Exception | None = None
        self._lock = threading.Lock()

    def post(
        self,
        key: str,
        channel: str,
        text: str,
        blocks: Sequence[Mapping[str, Any]],
        thread: str | None = None,
    ) -> str:
        """Keep the message, unless one with this key is there; returns its thread."""
        with self._lock:
            if self.error is not None:
                raise self.error
            known = next((m for m in self.messages if m.key == key), None)
            if known is not None:
                return known.thread or known.id
            message = Message(
                f"{len(self.messages) + 1}", key, channel, text, tuple(blocks), thread
            )
            self.messages.append(message)
            return message.thread or message.id
