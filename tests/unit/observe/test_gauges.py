from __future__ import annotations

import logging
import os
import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path

import pytest

from switchover.errors import InputError
from switchover.judge.block import Tally, tally
from switchover.observe import process_memory
from switchover.observe.process_memory import resident_bytes
from switchover.observe.recorder import Recorder
from switchover.testing.routing import InMemoryBlockStream


@pytest.fixture
def stream() -> InMemoryBlockStream:
    return InMemoryBlockStream()


def look(stream: InMemoryBlockStream) -> dict[str, dict[str, Tally]]:
    blocks, _, _ = stream.read("mood", "", 1_000)
    return tally(blocks)


@pytest.mark.req("O1")
def test_events_are_counted_as_bad_and_none_as_a_look_that_found_none(
    stream: InMemoryBlockStream,
) -> None:
    """Zero is an observation: without it a gate takes silence for missing data."""
    recorder = Recorder("mood", destination=stream)
    recorder.count("isolation_violations", 0, system="candidate")
    recorder.count("isolation_violations", system="candidate")
    recorder.count("isolation_violations", 3, system="candidate")
    recorder.flush()
    assert look(stream)["isolation_violations"]["candidate"] == Tally(5, 4)


@pytest.mark.req("O1")
@pytest.mark.parametrize("events", [-1, 1.5, True, "two"])
def test_impossible_number_of_events_is_refused_and_never_raised(
    stream: InMemoryBlockStream, events: int
) -> None:
    """The caller's request goes on."""
    recorder = Recorder("mood", destination=stream)
    recorder.count("isolation_violations", events, system="candidate")
    recorder.flush()
    assert recorder.refused == 1
    assert look(stream) == {}


@pytest.mark.req("O1")
def test_gauge_is_read_while_the_recorder_runs(stream: InMemoryBlockStream) -> None:
    """At once, then again and again, and no more after close."""
    read = threading.Semaphore(0)

    def depth() -> float:
        read.release()
        return 7.0

    recorder = Recorder("mood", destination=stream)
    recorder.gauge("queue_depth", depth, "legacy", every=0.001)
    assert not read.acquire(timeout=0.02)
    with recorder:
        assert all(read.acquire(timeout=10) for _ in range(3))
    shipped = look(stream)["queue_depth"]["legacy"]
    assert shipped.n >= 3
    assert shipped.total == 7.0 * shipped.n
    while read.acquire(blocking=False):
        pass
    assert not read.acquire(timeout=0.02)


@pytest.mark.req("O1")
def test_failing_gauge_is_told_once_and_stops_nothing_else(
    stream: InMemoryBlockStream, caplog: pytest.LogCaptureFixture
) -> None:
    """It is counted in ``refused``; the other gauge and the shipments go on."""
    again, good = threading.Semaphore(0), threading.Semaphore(0)

    def broken() -> float:
        again.release()
        raise OSError("no such sensor")

    def works() -> float:
        good.release()
        return 1.0

    recorder = Recorder("mood", destination=stream, flush_every=0.01)
    with caplog.at_level(logging.ERROR), recorder:
        recorder.gauge("broken", broken, "legacy", every=0.001)
        recorder.gauge("good", works, "legacy", every=0.001)
        assert all(again.acquire(timeout=10) for _ in range(3))
        assert all(good.acquire(timeout=10) for _ in range(3))
    assert recorder.refused >= 3
    assert len([line for line in caplog.messages if "no such sensor" in line]) == 1
    assert set(look(stream)) == {"good"}


@pytest.mark.req("O1")
def test_gauge_that_hangs_does_not_hold_up_shipments(stream: InMemoryBlockStream) -> None:
    """It has a thread of its own."""
    hanging, go_on = threading.Event(), threading.Event()

    def hangs() -> float:
        hanging.set()
        go_on.wait(10)
        return 1.0

    arrived = threading.Event()
    append = stream.append

    def announce(migration: str, payloads: list[str]) -> None:
        append(migration, payloads)
        arrived.set()

    stream.append = announce  # type: ignore[method-assign, assignment]
    recorder = Recorder("mood", destination=stream, flush_every=0.005).start()
    recorder.gauge("hangs", hangs, "legacy", every=1.0)
    assert hanging.wait(10)
    recorder.record("success_rate", True, "legacy")
    assert arrived.wait(10)
    go_on.set()
    recorder.close()
    assert recorder.refused == 0


@pytest.mark.req("O1")
def test_memory_of_this_and_of_another_process_is_gauged(stream: InMemoryBlockStream) -> None:
    """Bytes, under the catalogue's name; the candidate may be another process."""
    program = "import sys; held = bytearray(64 << 20); print('up', flush=True); sys.stdin.read()"
    with subprocess.Popen(
        [sys.executable, "-c", program], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as other:
        assert other.stdout is not None
        assert other.stdout.readline().strip() == b"up"
        recorder = Recorder("mood", destination=stream, flush_every=3600)
        recorder.watch_memory("legacy", every=0.001)
        recorder.watch_memory("candidate", every=0.001, pid=other.pid)
        recorder.start()
        while not {"legacy", "candidate"} <= set(look(stream).get("memory_usage_delta", ())):
            recorder.flush()
        recorder.close()
        other.communicate(b"")
    figures = look(stream)["memory_usage_delta"]
    means = {system: figures[system].total / figures[system].n for system in figures}
    assert means["candidate"] > 64 << 20
    assert means["legacy"] == pytest.approx(resident_bytes(), rel=0.5)


@pytest.mark.req("O1")
@pytest.mark.parametrize("by", ["proc", "ps"])
def test_memory_of_a_process_is_read_either_way(
    by: str,
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    program: Callable[[str], Path],
) -> None:
    """``/proc`` where there is one and ``ps`` elsewhere agree; one that is gone is named."""
    usual = resident_bytes(os.getpid())
    if by == "ps":
        program("ps")
        monkeypatch.setattr(process_memory, "_PROC", tmp_path)
    assert resident_bytes() == pytest.approx(usual, rel=0.2)
    with subprocess.Popen([sys.executable, "-c", ""]) as ended:
        ended.wait()
    with pytest.raises(ProcessLookupError, match=str(ended.pid)):
        resident_bytes(ended.pid)


@pytest.mark.req("O1")
def test_gauge_without_an_interval_is_refused(stream: InMemoryBlockStream) -> None:
    """It would be read without a pause."""
    with pytest.raises(InputError, match="every"):
        Recorder("mood", destination=stream).gauge("depth", lambda: 1.0, "legacy", every=0)
