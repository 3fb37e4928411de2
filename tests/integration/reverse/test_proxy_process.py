from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import psutil
import pytest
import yaml

from switchover.machine.snapshot import Snapshot
from switchover.observe.stream import RedisBlockStream
from switchover.routing.store import RedisRoutingStore
from tests.eventually import eventually

ROOT = Path(__file__).parents[3]
PROGRAM = "from switchover.cli.main import main; main()"
KEY = {"x-switchover-key": "somebody"}


@pytest.fixture
def command(
    world: Any, fresh_redis_url: str, tmp_path: Path
) -> Iterator[Callable[..., tuple[subprocess.Popen[str], str]]]:
    """Starts `switchover proxy` on the world's plan; the process and its URL."""
    started: list[subprocess.Popen[str]] = []
    plan = tmp_path / "plan.yaml"
    plan.write_text(
        yaml.safe_dump(
            {
                "switchover": 1,
                "migration": "m",
                "title": "M",
                "systems": {n: {"version": "1", "url": u} for n, u in world.urls.items()},
                "request_key": {"field": "user"},
                "stages": [{"kind": "canary", "percent": 100}],
                "gates": [{"metric": "success_rate"}],
            }
        )
    )

    def start(*options: str, program: str = PROGRAM) -> tuple[subprocess.Popen[str], str]:
        process = subprocess.Popen(
            [
                sys.executable,
                "-c",
                program,
                "proxy",
                str(plan),
                "--listen",
                "127.0.0.1:0",
                "--json",
                *options,
            ],
            env={
                **os.environ,
                "PYTHONPATH": str(ROOT),
                "SWITCHOVER_REDIS_URL": fresh_redis_url,
                "SWITCHOVER_STATE_DIR": str(tmp_path / "state"),
            },
            stdout=subprocess.PIPE,
            text=True,
        )
        started.append(process)
        assert process.stdout is not None
        return process, json.loads(process.stdout.readline())["listening"]

    yield start
    for process in started:
        if process.poll() is None:
            process.kill()
        process.wait(10)
        if process.stdout is not None:
            process.stdout.close()


@pytest.mark.req("T11")
@pytest.mark.timeout(60)
def test_the_command_follows_the_store_records_and_ends_in_order(
    command: Any, world: Any, fresh_redis_url: str
) -> None:
    """From legacy to the candidate and back by writes to the store; blocks reach the stream."""
    store = RedisRoutingStore(fresh_redis_url)
    process, url = command()

    def served() -> str:
        return str(httpx.get(url, headers=KEY).json()["by"])

    assert served() == "legacy"
    store.write(Snapshot("m", 1, mode="gradual", split=10_000, salt="s"))
    assert eventually(lambda: served() == "candidate")
    store.halt("m", halt_id="h", actor="me", reason="drill", at=0.0)
    assert eventually(lambda: served() == "legacy")
    process.send_signal(signal.SIGTERM)
    assert process.wait(20) == 0
    blocks, _, malformed = RedisBlockStream(fresh_redis_url).read("m", "0-0", 100)
    assert malformed == 0
    names = {(block.metric, block.system) for block in blocks}
    assert {("success_rate", "legacy"), ("prediction_latency_p99", "candidate")} <= names
    assert store.acknowledgements("m") == ()


@pytest.mark.req("T4")
@pytest.mark.timeout(60)
def test_the_command_rolls_back_a_candidate_that_fails_alone(
    command: Any, world: Any, fresh_redis_url: str
) -> None:
    """No caller sees an error, and the store holds one halt that names the proxy."""
    store = RedisRoutingStore(fresh_redis_url)
    store.write(Snapshot("m", 4, mode="candidate_only", split=10_000, salt="s"))
    world.candidate.status = 503
    _, url = command("--failures", "2")
    statuses = {httpx.get(url).status_code for _ in range(3)}
    assert statuses == {200}
    assert eventually(lambda: store.halted("m") is not None)
    halt = store.halted("m")
    assert halt is not None
    assert (halt.id, halt.actor, halt.trigger) == (
        "m-candidate-4",
        "switchover proxy",
        "candidate_failure",
    )
    assert eventually(
        lambda: httpx.get(f"{url}/-/switchover/health").json()["mode"] == "emergency_rollback"
    )


@pytest.mark.req("T11")
@pytest.mark.timeout(60)
def test_long_bodies_stream_both_ways_in_little_memory(command: Any, world: Any) -> None:
    """64 MiB up and down grow the proxy by far less than that."""
    process, url = command()
    part, count = b"x" * 65536, 1024

    def body(parts: int) -> Iterator[bytes]:
        for _ in range(parts):
            yield part

    def received(parts: int) -> int:
        with httpx.stream("GET", f"{url}/blob/{parts}", timeout=30) as answer:
            return sum(map(len, answer.iter_raw()))

    assert received(32) == 32 * len(part)
    memory = psutil.Process(process.pid)
    before = memory.memory_info().rss
    assert httpx.post(f"{url}/sink", content=body(count), timeout=30).status_code == 200
    assert world.legacy.seen[1]["length"] == count * len(part)
    assert received(count) == count * len(part)
    assert memory.memory_info().rss - before < 16 * 1024 * 1024


@pytest.mark.req("T11")
@pytest.mark.timeout(60)
def test_requests_in_flight_end_before_the_proxy_does(command: Any, world: Any) -> None:
    """SIGTERM closes the door behind the last guest."""
    world.legacy.hold = 0.5
    process, url = command()
    assert httpx.get(f"{url}/-/switchover/health").status_code == 200

    class Stopper(httpx.SyncByteStream):
        def __iter__(self) -> Iterator[bytes]:
            yield b"a"
            process.send_signal(signal.SIGTERM)
            yield b"b"

    answer = httpx.post(url, content=Stopper())  # type: ignore[arg-type]
    assert answer.json() == {"by": "legacy"}
    assert process.wait(20) == 0


@pytest.mark.req("T11")
@pytest.mark.timeout(60)
def test_an_order_to_stop_while_starting_is_obeyed(command: Any) -> None:
    """It comes after the address was told and before the server listens for signals."""
    stop = "import gc, os, signal; gc.freeze = lambda: os.kill(os.getpid(), signal.SIGTERM); "
    process, _ = command(program=stop + PROGRAM)
    assert process.wait(20) == 0


@pytest.mark.req("T11")
@pytest.mark.timeout(60)
def test_a_taken_port_is_said_in_one_line(world: Any, tmp_path: Path, command: Any) -> None:
    """Exit code 2 and no traceback."""
    _, url = command()
    plan = tmp_path / "plan.yaml"
    port = url.rpartition(":")[2]
    ended = subprocess.run(
        [sys.executable, "-c", PROGRAM, "proxy", str(plan), "--listen", f"127.0.0.1:{port}"],
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )
    assert ended.returncode == 2
    assert ended.stderr.strip() == (
        f"can't listen on 127.0.0.1:{port}: Address already in use; choose another --listen"
    )
