from __future__ import annotations

import asyncio
import ssl
import subprocess
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import aclosing, asynccontextmanager
from pathlib import Path

import httpcore
import httpx
import pytest

from switchover.routing.reverse.connections import FAILURES, Connections
from switchover.routing.reverse.limits import Limits


class System:
    """Counts connections, and does what the path says."""

    def __init__(self) -> None:
        self.connections = 0
        self.closed = asyncio.Event()

    async def __call__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        try:
            while head := await reader.readuntil(b"\r\n\r\n"):
                path = head.split()[1]
                if path == b"/hang":
                    await reader.read()
                writer.write(b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\n")
                await asyncio.sleep(0.01)
                writer.write(b"o" if path == b"/half" else b"ok")
                if path == b"/close":
                    break
        except asyncio.IncompleteReadError:
            return
        finally:
            writer.close()
            self.closed.set()


@asynccontextmanager
async def talking(
    tls: ssl.SSLContext | None = None, **limits: float
) -> AsyncIterator[tuple[System, Connections]]:
    """A system, and the connections to it."""
    system = System()
    server = await asyncio.start_server(system, "127.0.0.1", 0, ssl=tls)
    port = server.sockets[0].getsockname()[1]
    url = httpx.URL(f"{'https' if tls else 'http'}://127.0.0.1:{port}")
    connections = Connections(url, Limits(**limits))  # type: ignore[arg-type]
    try:
        yield system, connections
    finally:
        await connections.aclose()
        server.close()


async def told(connections: Connections, target: bytes = b"/", method: str = "GET") -> bytes:
    """The whole answer's body."""
    request = connections.request(method, target, [(b"host", b"s")], None)
    async with aclosing(await connections.ask(request)) as answer:
        assert answer.status == 200
        return b"".join([part async for part in answer.parts])


def run(check: Callable[[], Awaitable[None]]) -> None:
    async def limited() -> None:
        async with asyncio.timeout(20):
            await check()

    asyncio.run(limited())


@pytest.mark.req("T11")
def test_no_more_connections_are_opened_than_are_needed_at_once() -> None:
    """One for requests that come one by one, four for four at a time, and these are kept."""

    async def check() -> None:
        async with talking() as (system, connections):
            assert [await told(connections) for _ in range(5)] == [b"ok"] * 5
            assert system.connections == 1
            for _ in range(3):
                assert await asyncio.gather(*[told(connections) for _ in range(4)]) == [b"ok"] * 4
            assert system.connections == 4

    run(check)


@pytest.mark.req("T11")
def test_what_the_system_closed_while_idle_is_not_used_again() -> None:
    """So a request that must not be sent twice does not fail by it."""

    async def check() -> None:
        async with talking() as (system, connections):
            assert await told(connections, b"/close") == b"ok"
            await system.closed.wait()
            await asyncio.sleep(0.05)
            assert await told(connections, method="POST") == b"ok"
            assert system.connections == 2

    run(check)


@pytest.mark.req("T11")
def test_a_connection_that_was_idle_for_too_long_is_closed() -> None:
    """Before the system does it; the request goes over a new one."""

    async def check() -> None:
        async with talking(idle=0.01) as (system, connections):
            await asyncio.gather(told(connections), told(connections))
            await asyncio.sleep(0.05)
            assert await told(connections) == b"ok"
            assert system.connections == 3
            assert system.closed.is_set()

    run(check)


@pytest.mark.req("T11")
def test_an_answer_that_was_not_read_costs_its_connection() -> None:
    """What is left of it must not be taken for the next answer."""

    async def check() -> None:
        async with talking() as (system, connections):
            request = connections.request("GET", b"/half", [(b"host", b"s")], None)
            await (await connections.ask(request)).aclose()
            assert await told(connections) == b"ok"
            assert system.connections == 2

    run(check)


@pytest.mark.req("T11")
def test_whatever_ends_a_request_its_place_is_free_again() -> None:
    """With one place: a request given up, a silent system, and no connection at all."""

    async def check() -> None:
        async with talking(connections=1, read=0.5, pool=0.05) as (_, connections):
            given_up = asyncio.create_task(told(connections, b"/hang"))
            await asyncio.sleep(0.01)
            with pytest.raises(httpcore.PoolTimeout):
                await told(connections)
            given_up.cancel()
            await asyncio.wait({given_up})
            assert await told(connections) == b"ok"
            with pytest.raises(httpcore.ReadTimeout):
                await told(connections, b"/hang")
            assert await told(connections) == b"ok"
        refused = Connections(httpx.URL("http://127.0.0.1:1"), Limits(connections=1, pool=0.05))
        for _ in range(2):
            with pytest.raises(httpcore.ConnectError):
                await told(refused)

    run(check)


@pytest.mark.req("T11")
def test_connections_in_use_are_closed_when_their_answer_ends() -> None:
    """Closing all takes nothing from who is still reading, and keeps nothing afterwards."""

    async def check() -> None:
        async with talking() as (system, connections):
            request = connections.request("GET", b"/", [(b"host", b"s")], None)
            async with aclosing(await connections.ask(request)) as answer:
                await connections.aclose()
                assert b"".join([part async for part in answer.parts]) == b"ok"
                assert not system.closed.is_set()
            await system.closed.wait()

    run(check)


@pytest.mark.req("T11")
@pytest.mark.parametrize("vouched", [True, False])
def test_a_secure_system_is_asked_only_with_a_certificate_that_is_vouched_for(
    tmp_path: Path, program: Callable[[str], Path], monkeypatch: pytest.MonkeyPatch, vouched: bool
) -> None:
    """And its connection is kept like any other."""
    key, certificate = tmp_path / "key.pem", tmp_path / "certificate.pem"
    subprocess.run(
        [program("openssl"), "req", "-x509", "-newkey", "ec", "-pkeyopt",
         "ec_paramgen_curve:prime256v1", "-nodes", "-days", "1", "-subj", "/CN=s",
         "-addext", "subjectAltName=IP:127.0.0.1", "-keyout", key, "-out", certificate],
        check=True, capture_output=True,
    )  # fmt: skip
    tls = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    tls.load_cert_chain(certificate, key)
    if vouched:
        monkeypatch.setattr("certifi.where", lambda: str(certificate))

    async def check() -> None:
        async with talking(tls) as (system, connections):
            if not vouched:
                with pytest.raises(FAILURES):
                    await told(connections)
                return
            assert [await told(connections) for _ in range(3)] == [b"ok"] * 3
            assert system.connections == 1

    run(check)
