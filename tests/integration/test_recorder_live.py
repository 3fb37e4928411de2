from __future__ import annotations

import os
import subprocess
import sys
import threading
import time
from collections.abc import Iterable
from uuid import uuid4

import pytest
import redis

from switchover.errors import DependencyUnavailable
from switchover.judge.block import Block, Tally, tally
from switchover.observe.recorder import Recorder
from switchover.observe.stream import RedisBlockStream


@pytest.fixture
def name() -> str:
    return f"mood-{uuid4().hex}"


def collect(redis_url: str, name: str) -> list[Block]:
    """Every block that arrived, page by page, once per id."""
    stream, cursor, found = RedisBlockStream(redis_url), "", dict[str, Block]()
    while True:
        blocks, cursor, malformed = stream.read(name, cursor, 7)
        assert malformed == 0
        if not blocks:
            return list(found.values())
        found.update({block.id: block for block in blocks})


class LossyStream(RedisBlockStream):
    """Delivers, and then loses the answer every other time: the sender has to send again."""

    def __init__(self, url: str) -> None:
        super().__init__(url)
        self.deliveries = 0

    def append(self, migration: str, payloads: Iterable[str]) -> None:
        super().append(migration, payloads)
        self.deliveries += 1
        if self.deliveries % 2:
            raise DependencyUnavailable("Redis", "the answer was lost")


@pytest.mark.req("O1")
def test_counts_are_exact_though_blocks_are_shipped_twice(redis_url: str, name: str) -> None:
    """Four threads record while every block is delivered at least twice: ids make it once."""
    stream = LossyStream(redis_url)
    recorder = Recorder(name, destination=stream, flush_every=0.005).start()

    def work() -> None:
        for number in range(2_000):
            recorder.record("success_rate", number % 10 != 0, "candidate")
            recorder.record("duration_avg", 0.25, "legacy")

    workers = [threading.Thread(target=work) for _ in range(4)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    recorder.close()
    while not recorder.flush():
        assert recorder.waiting
    with redis.Redis.from_url(redis_url) as client:
        delivered = client.xlen(f"switchover:{{{name}}}:blocks")
    blocks = collect(redis_url, name)
    look = tally(blocks)
    assert look["success_rate"]["candidate"] == Tally(8_000, 800)
    assert (look["duration_avg"]["legacy"].n, look["duration_avg"]["legacy"].total) == (8_000, 2e3)
    assert delivered > len(blocks)
    assert recorder.lost == 0


@pytest.mark.req("O1")
def test_nothing_is_lost_when_the_program_just_ends(redis_url: str, name: str) -> None:
    """A program that never closes its recorder still ships everything on its way out."""
    program = (
        "import sys; from switchover import Recorder\n"
        "recorder = Recorder(sys.argv[1], sys.argv[2], flush_every=3600).start()\n"
        "for _ in range(100): recorder.record('success_rate', True, 'legacy')\n"
        "recorder.compare({'a': 1}, {'a': 2})\n"
    )
    subprocess.run(
        [sys.executable, "-c", program, name, redis_url],
        check=True,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
    )
    look = tally(collect(redis_url, name))
    assert look["success_rate"]["legacy"] == Tally(100, 0)
    assert look["prediction_agreement_rate"]["pair"] == Tally(1, 1)
    with redis.Redis.from_url(redis_url) as client:
        assert client.xlen(f"switchover:{{{name}}}:mismatches") == 1


@pytest.mark.req("O1")
def test_worker_forked_after_the_first_shipment_counts_for_itself(
    redis_url: str, name: str
) -> None:
    """Parent and child share no connection and no counts: together they are exact."""
    recorder = Recorder(name, redis_url, flush_every=0.05).start()
    recorder.record("success_rate", True, "legacy")
    assert recorder.flush()
    recorder.record("success_rate", True, "legacy")
    child = os.fork()
    if child == 0:
        recorder.record("success_rate", False, "candidate")
        # The child's own thread ships, without a call.
        deadline = time.monotonic() + 20
        stream = RedisBlockStream(redis_url)
        while time.monotonic() < deadline:
            if any(block.system == "candidate" for block in stream.read(name, "", 100)[0]):
                os._exit(0)
            time.sleep(0.01)
        os._exit(1)
    recorder.record("success_rate", True, "legacy")
    assert recorder.close()
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    look = tally(collect(redis_url, name))["success_rate"]
    assert look == {"legacy": Tally(3, 0), "candidate": Tally(1, 1)}


@pytest.mark.req("O4")
def test_only_the_newest_thousand_mismatches_are_kept(redis_url: str, name: str) -> None:
    """Samples are for people to look at; Redis does not fill up with them."""
    stream = RedisBlockStream(redis_url)
    stream.append_mismatches(name, [str(number) for number in range(1_100)])
    with redis.Redis.from_url(redis_url) as client:
        kept = client.xrange(f"switchover:{{{name}}}:mismatches")
    assert [fields[b"m"] for _, fields in kept] == [b"%d" % n for n in range(100, 1_100)]


@pytest.mark.req("INV6")
def test_recording_goes_on_without_redis(name: str) -> None:
    """The caller notices nothing; the recorder says what it could not ship."""
    recorder = Recorder(name, "redis://127.0.0.1:1/0", flush_every=0.01).start()
    for _ in range(50):
        recorder.record("success_rate", True, "legacy")
    assert not recorder.close()
    assert recorder.waiting >= 1
    assert recorder.lost == 0


@pytest.mark.req("INV6")
def test_stream_names_redis_when_it_cannot_be_reached(name: str) -> None:
    """The engine reports an unreachable source as such."""
    stream = RedisBlockStream("redis://127.0.0.1:1/0")
    with pytest.raises(DependencyUnavailable, match="Redis is unavailable"):
        stream.read(name, "", 1)
    with pytest.raises(DependencyUnavailable, match="Redis is unavailable"):
        stream.trim(name, "1-0")
