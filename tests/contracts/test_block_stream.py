from __future__ import annotations

from collections.abc import Iterator
from uuid import uuid4

import pytest
import redis

from switchover.judge.block import Block
from switchover.observe.stream import RedisBlockStream
from switchover.testing.routing import InMemoryBlockStream

Stream = RedisBlockStream | InMemoryBlockStream


@pytest.fixture(params=["memory", "redis", "client"])
def stream(request: pytest.FixtureRequest) -> Iterator[Stream]:
    """The fake, the real one by address, and the real one over a ready client that decodes."""
    if request.param == "memory":
        yield InMemoryBlockStream()
        return
    url = request.getfixturevalue("redis_url")
    with redis.Redis.from_url(url, decode_responses=True) as client:
        yield RedisBlockStream(url if request.param == "redis" else client)


@pytest.fixture
def name() -> str:
    return f"mood-{uuid4().hex}"


def block(name: str, number: int) -> Block:
    return Block(f"i:{number}", name, "success_rate", "legacy", 0.0, 5.0, number, 0)


def fill(stream: Stream, name: str, *numbers: int) -> None:
    stream.append(name, [block(name, number).to_json() for number in numbers])


@pytest.mark.req("O1")
def test_empty_stream_gives_nothing(stream: Stream, name: str) -> None:
    """A migration that nobody observed has no blocks, and reading it again is harmless."""
    blocks, cursor, malformed = stream.read(name, "", 10)
    assert (blocks, malformed) == ([], 0)
    assert stream.read(name, cursor, 10)[0] == []
    stream.trim(name, cursor)


@pytest.mark.req("O1")
def test_pages_follow_each_other_without_gap_or_repeat(stream: Stream, name: str) -> None:
    """Reading on from each cursor gives every block once, in order, also those that came late."""
    fill(stream, name, 1, 2, 3)
    first, cursor, _ = stream.read(name, "", 2)
    fill(stream, name, 4)
    second, cursor, _ = stream.read(name, cursor, 2)
    third, last, _ = stream.read(name, cursor, 2)
    assert [b.n for b in first + second + third] == [1, 2, 3, 4]
    assert last == cursor


@pytest.mark.req("INV6")
def test_malformed_entries_are_counted_and_passed_over(stream: Stream, name: str) -> None:
    """One bad entry costs itself only; a page of nothing else still moves the cursor."""
    stream.append(name, ["{", block("other", 1).to_json(), block(name, 1).to_json()])
    blocks, cursor, malformed = stream.read(name, "", 2)
    assert (blocks, malformed) == ([], 2)
    blocks, _, malformed = stream.read(name, cursor, 2)
    assert ([b.n for b in blocks], malformed) == ([1], 0)


@pytest.mark.req("O1")
def test_trimming_forgets_up_to_the_cursor_and_no_further(stream: Stream, name: str) -> None:
    """What was collected goes, the rest stays readable from the cursor and from the start."""
    fill(stream, name, 1, 2, 3)
    _, cursor, _ = stream.read(name, "", 2)
    stream.trim(name, cursor)
    assert [b.n for b in stream.read(name, cursor, 10)[0]] == [3]
    assert [b.n for b in stream.read(name, "", 10)[0]] == [3]


@pytest.mark.req("O1")
def test_cursor_stays_good_when_everything_was_trimmed(stream: Stream, name: str) -> None:
    """An emptied stream is not a lost one: the next block comes once."""
    fill(stream, name, 1)
    _, cursor, _ = stream.read(name, "", 10)
    stream.trim(name, cursor)
    blocks, cursor, _ = stream.read(name, cursor, 10)
    assert blocks == []
    fill(stream, name, 2)
    assert [b.n for b in stream.read(name, cursor, 10)[0]] == [2]


@pytest.mark.req("INV6")
def test_cursor_beyond_everything_starts_over(stream: Stream, name: str) -> None:
    """Where the store lost its data the cursor means nothing: blocks are read from the start."""
    fill(stream, name, 1)
    blocks, cursor, _ = stream.read(name, "99999999999999-0", 10)
    assert [b.n for b in blocks] == [1]
    assert stream.read(name, cursor, 10)[0] == []


@pytest.mark.req("INV6")
def test_cursor_is_reset_when_the_stream_is_gone(redis_url: str, name: str) -> None:
    """After Redis lost the stream, reading starts at the beginning of the new one."""
    stream = RedisBlockStream(redis_url)
    fill(stream, name, 1)
    _, cursor, _ = stream.read(name, "", 10)
    with redis.Redis.from_url(redis_url) as client:
        client.delete(f"switchover:{{{name}}}:blocks")
    blocks, cursor, _ = stream.read(name, cursor, 10)
    assert (blocks, cursor) == ([], "0-0")
    fill(stream, name, 2)
    assert [b.n for b in stream.read(name, cursor, 10)[0]] == [2]


@pytest.mark.req("INV6")
def test_entry_without_a_block_is_malformed(redis_url: str, name: str) -> None:
    """A foreign entry in the stream is counted like any other malformed one."""
    with redis.Redis.from_url(redis_url) as client:
        client.xadd(f"switchover:{{{name}}}:blocks", {"x": "1"})
        client.xadd(f"switchover:{{{name}}}:blocks", {"b": b"\xff\xfe"})
    assert RedisBlockStream(redis_url).read(name, "", 10)[2] == 2
