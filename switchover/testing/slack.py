"""A Slack on loopback: speaks the part of the Web API that a pager needs, and keeps its rules."""

from __future__ import annotations

import json
import threading
import time
from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler
from types import TracebackType
from typing import Any, Self
from urllib.parse import parse_qsl, urlsplit

from switchover.testing.slack_click import SlackClick, click_payload, signed_click
from switchover.testing.stand_in import StandInServer

_SCOPES = {
    "chat.postMessage": "chat:write",
    "chat.update": "chat:write",
    "conversations.history": "channels:history",
    "conversations.replies": "channels:history",
    "conversations.list": "channels:read",
    "auth.test": "",
}


@dataclass(frozen=True, slots=True)
class Trouble:
    """An answer other than the right one. ``done`` says whether the call took effect anyway.

    ``status`` 0 closes the connection without an answer.
    """

    status: int
    error: str = ""
    retry_after: int | None = None
    done: bool = False


@dataclass(slots=True)
class SlackServer:
    """A stand-in for Slack's Web API; use it as a context manager.

    ``messages`` holds what was posted; ``calls`` counts the calls by method; the troubles in
    ``troubles[method]`` are handed out one by one before right answers are. ``click`` sends
    what Slack sends when somebody clicks a button; what the app then tells them is in
    ``answers``, by address.
    """

    token: str = "xoxb-stand-in-token"
    channels: dict[str, str] = field(default_factory=lambda: {"mood-migration": "C0000MOOD"})
    scopes: set[str] = field(default_factory=lambda: set(_SCOPES.values()))
    messages: list[dict[str, Any]] = field(default_factory=list)
    calls: dict[str, int] = field(default_factory=dict)
    troubles: dict[str, deque[Trouble]] = field(default_factory=dict)
    page: int = 100
    signing_secret: str = "stand-in-signing-secret"
    answers: list[dict[str, Any]] = field(default_factory=list)
    _server: StandInServer | None = None
    _lock: Any = field(default_factory=threading.Lock)

    @property
    def base_url(self) -> str:
        """What to give a client as its base address."""
        assert self._server is not None, "start it first"
        return f"http://127.0.0.1:{self._server.server_address[1]}/api/"

    def trouble(self, method: str, *troubles: Trouble) -> None:
        """Answer the next calls of ``method`` with these."""
        self.troubles.setdefault(method, deque()).extend(troubles)

    def click(
        self, url: str, message: Mapping[str, Any], action: str, user: str, reason: str = ""
    ) -> SlackClick:
        """A signed click by ``user`` on the button ``action`` of ``message``, to be sent to the
        app at ``url``."""
        answer_url = f"{self.base_url.removesuffix('api/')}actions/{user}"
        payload = click_payload(message, action, user, reason, answer_url)
        return signed_click(url, self.signing_secret, payload)

    def __enter__(self) -> Self:
        self._server = StandInServer(("127.0.0.1", 0), self._handler())
        threading.Thread(target=self._server.serve_forever, args=(0.02,), daemon=True).start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        assert self._server is not None
        self._server.shutdown()
        self._server.server_close()

    def answer(self, method: str, authorization: str, body: dict[str, Any]) -> dict[str, Any]:
        """What Slack would answer, and its effect."""
        if method not in _SCOPES:
            return _no("unknown_method")
        if not authorization:
            return _no("not_authed")
        if authorization != f"Bearer {self.token}":
            return _no("invalid_auth")
        if _SCOPES[method] not in self.scopes:
            return {**_no("missing_scope"), "needed": _SCOPES[method]}
        if method == "auth.test":
            return {"ok": True, "user": "switchover", "team": "stand-in"}
        if method == "conversations.list":
            return self._list(body)
        if method == "chat.postMessage":
            return self._post(body)
        if method == "chat.update":
            return self._update(body)
        return self._read(method, body)

    def _list(self, body: dict[str, Any]) -> dict[str, Any]:
        if "public_channel" not in body.get("types", "public_channel"):
            return self._paged("channels", [], body)
        found = [{"id": id_, "name": name} for name, id_ in self.channels.items()]
        return self._paged("channels", found, body)

    def _post(self, body: dict[str, Any]) -> dict[str, Any]:
        name = str(body.get("channel", ""))
        channel = self.channels.get(name.removeprefix("#"), name)
        if channel not in self.channels.values():
            return _no("channel_not_found")
        refused = refusal(body)
        if refused:
            return _no(refused)
        message = {
            # The number keeps two messages of one microsecond apart.
            "ts": f"{time.time() + len(self.messages) * 1e-6:.6f}",
            "channel": channel,
            "text": body.get("text", ""),
            "blocks": body.get("blocks", []),
            "metadata": body.get("metadata"),
            "thread_ts": body.get("thread_ts"),
        }
        self.messages.append(message)
        return {"ok": True, "ts": message["ts"], "channel": channel}

    def _update(self, body: dict[str, Any]) -> dict[str, Any]:
        for message in self.messages:
            if (message["channel"], message["ts"]) == (body.get("channel"), body.get("ts")):
                refused = refusal(body)
                if refused:
                    return _no(refused)
                message.update(text=body.get("text", ""), blocks=body.get("blocks") or [])
                return {"ok": True, "ts": message["ts"], "channel": message["channel"]}
        return _no("message_not_found")

    def _read(self, method: str, body: dict[str, Any]) -> dict[str, Any]:
        channel, thread = body.get("channel"), body.get("ts")
        if channel not in self.channels.values():  # a name is not enough here
            return _no("channel_not_found")
        if method == "conversations.history":
            found = [m for m in self.messages if m["channel"] == channel and not m["thread_ts"]]
            found.reverse()
        else:
            found = [m for m in self.messages if thread in (m["ts"], m["thread_ts"])]
            if not found:
                return _no("thread_not_found")
        oldest = float(body.get("oldest") or 0)
        found = [m for m in found if float(m["ts"]) >= oldest or m["ts"] == thread]
        if body.get("include_all_metadata") not in ("1", "true", True):
            found = [{k: v for k, v in m.items() if k != "metadata"} for m in found]
        return self._paged("messages", found, body)

    def _paged(self, name: str, found: list[Any], body: dict[str, Any]) -> dict[str, Any]:
        first = int(body.get("cursor") or 0)
        last = first + min(self.page, int(body.get("limit") or self.page))
        more = str(last) if last < len(found) else ""
        return {"ok": True, name: found[first:last], "response_metadata": {"next_cursor": more}}

    def _handler(self) -> type[BaseHTTPRequestHandler]:
        slack = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                address = urlsplit(self.path)
                method = address.path.rpartition("/")[2]
                raw = self.rfile.read(int(self.headers.get("Content-Length") or 0)).decode()
                body: dict[str, Any] = dict(parse_qsl(address.query))
                if "json" in self.headers.get("Content-Type", ""):
                    body.update(json.loads(raw or "{}"))
                else:
                    body.update(parse_qsl(raw))
                if address.path.startswith("/actions/"):
                    with slack._lock:
                        slack.answers.append({"user": method, **body})
                    self._reply(None, {"ok": True})
                    return
                with slack._lock:
                    slack.calls[method] = slack.calls.get(method, 0) + 1
                    waiting = slack.troubles.get(method)
                    trouble = waiting.popleft() if waiting else None
                    answer: dict[str, Any] = {}
                    if trouble is None or trouble.done:
                        answer = slack.answer(method, self.headers.get("Authorization", ""), body)
                if trouble is not None and trouble.status == 0:
                    self.close_connection = True
                    return
                self._reply(trouble, answer)

            do_GET = do_POST  # noqa: N815 - http.server's name

            def _reply(self, trouble: Trouble | None, answer: dict[str, Any]) -> None:
                if trouble is not None:
                    answer = _no(trouble.error or "internal_error")
                data = json.dumps(answer).encode()
                self.send_response(trouble.status if trouble else 200)
                self.send_header("Content-Type", "application/json")
                self.send_header("Content-Length", str(len(data)))
                if trouble is not None and trouble.retry_after is not None:
                    self.send_header("Retry-After", str(trouble.retry_after))
                self.end_headers()
                self.wfile.write(data)

            def log_message(self, format: str, *args: Any) -> None:
                """Say nothing: the messages are what a test looks at."""

        return Handler


def _no(error: str) -> dict[str, Any]:
    return {"ok": False, "error": error}


def refusal(body: Mapping[str, Any]) -> str:
    """What Slack refuses a message with, by its reference; empty where it takes it."""
    blocks = body.get("blocks") or []
    if not body.get("text") and not blocks:
        return "no_text"
    if len(body.get("text") or "") > 40_000:
        return "msg_too_long"
    if len(blocks) > 50 or not all(_sound(block) for block in blocks):
        return "invalid_blocks"
    return ""


def _sound(block: Mapping[str, Any]) -> bool:
    """Whether one block keeps the limits of Block Kit."""
    kind = block.get("type", "")
    texts = [(block.get("text"), {"header": 150}.get(kind, 3000)), (block.get("label"), 2000)]
    texts += [(field, 2000) for field in block.get("fields", [])]
    elements = list(block.get("elements", []))
    texts += [(part, 3000) for part in elements if isinstance(part.get("text"), str)]
    if len(block.get("fields", [])) > 10 or len(block.get("block_id", "")) > 255:
        return False
    if len(elements) > {"actions": 25}.get(kind, 10):
        return False
    for part in [*elements, block.get("element") or {}]:
        if part.get("type") == "button":
            texts.append((part["text"], 75))
        texts.append((part.get("placeholder"), 150))
        confirm = part.get("confirm") or {}
        limits = {"title": 100, "text": 300, "confirm": 30, "deny": 30}
        texts += [(confirm.get(name), limit) for name, limit in limits.items()]
        if len(part.get("action_id", "")) > 255 or len(part.get("value", "")) > 2000:
            return False
    return all(0 < len(text["text"]) <= limit for text, limit in texts if text is not None)
