"""A WebSocket through the proxy: two connections, messages passed on as they come."""

from __future__ import annotations

import asyncio
import logging
from typing import TYPE_CHECKING, Any

from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed, InvalidHandshake, InvalidStatus
from websockets.http11 import Response
from websockets.typing import Subprotocol

from switchover.errors import UpstreamFailed
from switchover.routing.asgi.protocol import Receive, Scope, Send
from switchover.routing.reverse.headers import Headers, end_to_end

if TYPE_CHECKING:
    from switchover.routing.reverse.upstream import Upstream

_log = logging.getLogger("switchover.proxy")

#: Bytes of the longest message.
MESSAGE = 16 * 1024 * 1024


async def tunnel(
    upstream: Upstream, headers: Headers, scope: Scope, receive: Receive, send: Send
) -> None:
    """Open a WebSocket to the system, accept the client's, and join them until one ends.

    ``UpstreamFailed`` when the system can't be reached; a refusal of its own (401, 403) is
    passed on to the client.
    """
    await receive()
    try:
        link = await _open(upstream, headers, scope)
    except InvalidStatus as refusal:
        await refuse(scope, send, refusal.response)
        return
    except (OSError, InvalidHandshake) as error:
        raise UpstreamFailed(upstream.name, "it opens no WebSocket", sent=False) from error
    async with link:
        await send(
            {
                "type": "websocket.accept",
                "subprotocol": link.subprotocol,
                "headers": _answer_headers(link.response),
            }
        )
        tasks = {asyncio.create_task(_up(link, receive)), asyncio.create_task(_down(link, send))}
        try:
            done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.wait(tasks)
        for task in done:
            task.result()


async def _open(upstream: Upstream, headers: Headers, scope: Scope) -> ClientConnection:
    origin = upstream.origin
    fields = {name: value.decode("latin-1") for name, value in headers}
    # The address named is the one the caller asked for; the one connected to is the system's.
    scheme = "wss" if origin.scheme == "https" else "ws"
    uri = f"{scheme}://{fields[b'host']}{upstream.target(scope).decode('latin-1')}"
    secure: dict[str, Any] = {"server_hostname": origin.host} if scheme == "wss" else {}
    return await connect(
        uri,
        host=origin.host,
        port=origin.port or (443 if scheme == "wss" else 80),
        subprotocols=[Subprotocol(name) for name in scope.get("subprotocols", [])] or None,
        additional_headers=[
            (name.decode("latin-1"), value.decode("latin-1"))
            for name, value in headers
            if name != b"host" and not name.startswith(b"sec-websocket-")
        ],
        user_agent_header=None,
        compression=None,
        proxy=None,
        open_timeout=upstream.limits.connect,
        max_size=MESSAGE,
        **secure,
    )


async def _up(link: ClientConnection, receive: Receive) -> None:
    """From the client to the system, until the client closes."""
    try:
        while (message := await receive())["type"] == "websocket.receive":
            data = message.get("bytes")
            await link.send(message["text"] if data is None else data)
    except ConnectionClosed:
        # The system closed first: the other direction tells the client.
        await asyncio.Event().wait()
    await link.close(sendable(message.get("code")), message.get("reason") or "")


async def _down(link: ClientConnection, send: Send) -> None:
    """From the system to the client, until the system closes."""
    try:
        while True:
            data = await link.recv()
            kind = "text" if isinstance(data, str) else "bytes"
            await send({"type": "websocket.send", kind: data})
    except ConnectionClosed:
        code, reason = sendable(link.close_code), link.close_reason or ""
    await send({"type": "websocket.close", "code": code, "reason": reason})


async def refuse(scope: Scope, send: Send, response: Response) -> None:
    """Answer the handshake with ``response``, as far as the server can; else with 403."""
    if "websocket.http.response" not in scope.get("extensions", {}):
        await send({"type": "websocket.close", "code": 1008})
        return
    await send(
        {
            "type": "websocket.http.response.start",
            "status": response.status_code,
            "headers": _answer_headers(response),
        }
    )
    body = response.body or b""
    await send({"type": "websocket.http.response.body", "body": bytes(body)})


def sendable(code: int | None) -> int:
    """A close code that may stand in a frame: 1005 and its like only describe one."""
    if code is None or code == 1005:
        return 1000
    if code in (1006, 1015):
        return 1011
    return code


def _answer_headers(response: Response | None) -> Headers:
    if response is None:
        return []
    raw = [
        (name.lower().encode("latin-1"), value.encode("latin-1"))
        for name, value in response.headers.raw_items()
    ]
    mine = (b"date", b"server", b"content-length")
    return [
        (name, value)
        for name, value in end_to_end(raw)
        if name not in mine and not name.startswith(b"sec-websocket-")
    ]
