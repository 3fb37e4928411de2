"""The load counts what it got, from a server that answers in pieces, badly, or not to the end."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

from benchmarks.routing.http_load import KEY_HEADER, Outcome, closed_load, paced_load


class Server:
    """Answers the n-th request as ``answers[n]`` says, and with `200` beyond them."""

    def __init__(self, *answers: str) -> None:
        self._answers, self.seen = list(answers), set[bytes]()

    async def __call__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while True:
                head = await reader.readuntil(b"\r\n\r\n")
                self.seen.add(head.partition(f"{KEY_HEADER}: ".encode())[2].partition(b"\r")[0])
                answer = self._answers.pop(0) if self._answers else "200 legacy"
                status, _, body = answer.partition(" ")
                if status == "break":
                    return
                start = f"HTTP/1.1 {status} x\r\nContent-Length: {len(body)}\r\n\r\n"
                for part in (start[:7], start[7:], body[:3], body[3:]):
                    writer.write(part.encode())
                    await asyncio.sleep(0)
        except asyncio.IncompleteReadError:
            return
        finally:
            writer.close()


def load(server: Server, send: Callable[[int], Awaitable[Outcome]]) -> Outcome:
    async def run() -> Outcome:
        listening = await asyncio.start_server(server, "127.0.0.1", 0)
        try:
            async with asyncio.timeout(20):
                return await send(listening.sockets[0].getsockname()[1])
        finally:
            listening.close()

    return asyncio.run(run())


def test_every_answer_is_counted_by_what_it_says() -> None:
    """A time for each that was answered, the candidate's share, and an error for the others."""
    server = Server("200 candidate", "503 no", "200 candidate")
    outcome = load(server, lambda port: closed_load(port, 40, concurrency=4))
    assert (len(outcome.times), outcome.candidate, outcome.errors) == (39, 2, 1)
    assert len(server.seen) == 40
    assert min(outcome.times) > 0


def test_a_connection_that_breaks_is_one_error_and_the_load_goes_on() -> None:
    """The others take over what is left."""
    outcome = load(Server("break"), lambda port: closed_load(port, 20, concurrency=2))
    assert (len(outcome.times), outcome.errors) == (19, 1)


def test_paced_requests_are_all_sent_and_a_broken_connection_counts_each_time() -> None:
    """On four connections, one of them lost with its first request."""
    outcome = load(Server("break"), lambda port: paced_load(port, 20, rate=200.0))
    assert (len(outcome.times), outcome.errors) == (15, 5)
