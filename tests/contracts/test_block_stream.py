from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from uuid import uuid4

import pytest
import redis

from switchover.judge.block import Block
from switchover.judge.heartbeat import Heartbeat
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


def heartbeat(recorder: str, upto: int, **more: object) -> Heartbeat:
    said = Heartbeat(recorder, upto, 0, 5.0, 1_700_000_000.0, "host:1")
    return replace(said, **more)  # type: ignore[arg-type]


@pytest.mark.req("O1")
def test_last_heartbeat_of_each_recorder_is_kept(stream: Stream, name: str) -> None:
    """A newer one takes the place of the older; other migrations have their own."""
    assert stream.heartbeats(name) == []
    for said in (heartbeat("a", 1), heartbeat("b", 5, dropped=2), heartbeat("a", 3, ended=True)):
        stream.say(name, said)
    stream.say(f"other-{name}", heartbeat("c", 1))
    heard = sorted(stream.heartbeats(name), key=lambda said: said.recorder)
    assert [replace(said, silent=0.0) for said in heard] == [
        heartbeat("a", 3, ended=True), heartbeat("b", 5, dropped=2),
    ]  # fmt: skip
    assert all(0 <= said.silent < 60 and not said.overdue for said in heard)


@pytest.mark.req("O1")
def test_forgotten_recorder_is_heard_of_again_when_it_speaks(stream: Stream, name: str) -> None:
    """One that was only slow is not lost for good."""
    stream.say(name, heartbeat("a", 1))
    stream.say(name, heartbeat("b", 1))
    stream.forget(name, [said for said in stream.heartbeats(name) if said.recorder == "a"])
    stream.forget(name, [heartbeat("nobody", 1)])
    stream.forget(name, [])
    assert [said.recorder for said in stream.heartbeats(name)] == ["b"]
    stream.say(name, heartbeat("a", 2))
    assert {said.recorder for said in stream.heartbeats(name)} == {"a", "b"}


@pytest.mark.req("O1")
def test_word_said_meanwhile_is_not_forgotten(stream: Stream, name: str) -> None:
    """A sign-off that comes while an older heartbeat is being dropped stays."""
    stream.say(name, heartbeat("a", 1))
    old = stream.heartbeats(name)
    stream.say(name, heartbeat("a", 1, ended=True))
    stream.forget(name, old)
    assert [said.ended for said in stream.heartbeats(name)] == [True]


@pytest.mark.req("O1")
def test_discarding_by_age_spares_what_is_younger(stream: Stream, name: str) -> None:
    """What nobody will collect goes when it is old, and nothing before."""
    stream.discard(name, 60.0)
    fill(stream, name, 1, 2)
    stream.discard(name, 60.0)
    assert len(stream.read(name, "", 10)[0]) == 2
    # From the future all of it is old.
    stream.discard(name, -60.0)
    assert stream.read(name, "", 10)[0] == []


@pytest.mark.req("O1")
def test_foreign_heartbeats_are_left_out(redis_url: str, name: str) -> None:
    """What another program left says nothing of a recorder, and hides none."""
    stream = RedisBlockStream(redis_url)
    stream.say(name, heartbeat("a", 1))
    with redis.Redis.from_url(redis_url) as client:
        for number, line in enumerate(("", "x {}", "1 {}", "1 []", '1 {"recorder": 1}')):
            client.hset(f"switchover:{{{name}}}:recorders", f"foreign-{number}", line)
        broken = heartbeat("b", 1).to_json().replace('"upto":1', '"upto":-1')
        client.hset(f"switchover:{{{name}}}:recorders", "b", f"1 {broken}")
        assert client.ttl(f"switchover:{{{name}}}:recorders") > 86_400
    assert [said.recorder for said in stream.heartbeats(name)] == ["a"]


@pytest.mark.req("P10", "O1")
def test_what_waits_of_many_is_counted_in_one_look(stream: Stream, name: str) -> None:
    """Blocks, samples and heartbeats by migration; what was trimmed waits no more."""
    busy, idle = f"{name}-busy", f"{name}-idle"
    fill(stream, busy, 1, 2, 3)
    stream.append_mismatches(busy, ["{}"])
    stream.say(busy, Heartbeat("r", 3, 0, 5.0, 0.0, "host:1"))
    found = stream.inboxes([busy, idle])
    assert (found[busy].blocks, found[busy].mismatches) == (3, 1)
    assert [said.recorder for said in found[busy].heartbeats] == ["r"]
    assert (found[idle].blocks, found[idle].mismatches, found[idle].heartbeats) == (0, 0, ())
    _, cursor, _ = stream.read(busy, "", 10)
    stream.trim(busy, cursor)
    assert stream.inboxes([busy])[busy].blocks == 0
    assert stream.inboxes([]) == {}
