"""A pager that keeps its messages in memory, for tests."""

from __future__ import annotations

import threading
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from switchover.errors import InputError


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

    def update(
        self, channel: str, thread: str, text: str, blocks: Sequence[Mapping[str, Any]]
    ) -> None:
        """Replace the message; ``InputError`` when there is none."""
        with self._lock:
            if self.error is not None:
                raise self.error
            for place, message in enumerate(self.messages):
                if (message.id, message.channel) == (thread, channel):
                    self.messages[place] = replace(message, text=text, blocks=tuple(blocks))
                    return
            raise InputError(f"there is no message {thread} in {channel}")

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
