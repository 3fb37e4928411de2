from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import redis
import yaml

from switchover.routing.store import RedisRoutingStore
from switchover.testing.embedded import Valkey
from tests.eventually import eventually
from tests.integration.proxies.running import MIGRATION, Running, document, running_haproxy

pytestmark = pytest.mark.req("T11")

ROOT = Path(__file__).parents[2]
PROGRAM = "from switchover.cli.main import main; main()"

#: Starts `switchover follow` on HAProxy, or on the plan's other proxies.
Command = Callable[..., subprocess.Popen[str]]


@pytest.fixture
def haproxy(program: Callable[[str], Path]) -> Iterator[Running]:
    with running_haproxy(program("haproxy")) as proxy:
        yield proxy


@pytest.fixture
def command(haproxy: Running, fresh_redis_url: str, tmp_path: Path) -> Iterator[Command]:
    started: list[subprocess.Popen[str]] = []

    def start(
        *options: str, url: str = fresh_redis_url, proxies: list[dict[str, Any]] | None = None
    ) -> subprocess.Popen[str]:
        if proxies is None:
            proxies = [{"kind": "haproxy", "address": haproxy.address}]
        plan = tmp_path / "plan.yaml"
        plan.write_text(
            yaml.safe_dump(
                {
                    "switchover": 1,
                    "migration": MIGRATION,
                    "title": "M",
                    "systems": {
                        name: {"version": "1", "url": f"http://127.0.0.1:{port}"}
                        for port, name in enumerate(("legacy", "candidate"), 1)
                    },
                    "request_key": {"field": "user"},
                    "stages": [{"kind": "canary", "percent": 100}],
                    "gates": [{"metric": "success_rate"}],
                    "proxies": proxies,
                }
            )
        )
        process = subprocess.Popen(
            [sys.executable, "-c", PROGRAM, "follow", str(plan), *options],
            env={
                **os.environ,
                "PYTHONPATH": str(ROOT),
                "SWITCHOVER_REDIS_URL": url,
                "SWITCHOVER_STATE_DIR": str(tmp_path / "state"),
            },
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        started.append(process)
        return process

    yield start
    for process in started:
        if process.poll() is None:
            process.kill()
        process.communicate(timeout=10)


def heard(process: subprocess.Popen[str]) -> dict[str, Any]:
    """The next line of JSON."""
    assert process.stdout is not None
    line = process.stdout.readline()
    assert line, process.communicate(timeout=10)[1]
    return dict(json.loads(line))


@pytest.mark.req("R1")
@pytest.mark.parametrize("order", [signal.SIGTERM, signal.SIGINT])
def test_follower_tells_what_it_does_and_signs_off(
    command: Command, haproxy: Running, fresh_redis_url: str, order: signal.Signals
) -> None:
    """A line for every change; an ordered end is a success, and nobody waits for it then."""
    store = RedisRoutingStore(fresh_redis_url)
    store.write(document(3, 25))
    process = command("--json")
    name = haproxy.split.name
    assert heard(process) == {"migration": MIGRATION, "following": [name]}
    assert heard(process) == {
        "migration": MIGRATION, "proxy": name, "what": "follows", "epoch": 3, "share": 0.25,
        "detail": "epoch 3, 25.00% to the candidate",
    }  # fmt: skip
    assert haproxy.split.read() == 0.25
    assert eventually(lambda: store.wait_acknowledged(MIGRATION, 3, 0).routers == 1)
    halt = store.halt(MIGRATION, halt_id="h", actor="ada", reason="drift", at=time.time())
    spread = store.wait_acknowledged(MIGRATION, halt.epoch, 20)
    assert (spread.routers, spread.complete) == (1, True)
    assert haproxy.split.read() == 0
    assert heard(process)["epoch"] == halt.epoch
    process.send_signal(order)
    assert process.wait(20) == 0
    spread = store.wait_acknowledged(MIGRATION, 99, 0)
    assert (spread.routers, spread.waiting, spread.lost) == (0, (), ())


@pytest.mark.req("R1")
def test_killed_follower_is_lost_and_later_forgotten(
    command: Command, haproxy: Running, fresh_redis_url: str
) -> None:
    """It signs off no more: it is named, by its proxy, while it may be heard of again."""
    store = RedisRoutingStore(fresh_redis_url)
    store.write(document(3, 25))
    process = command("--json")
    while heard(process).get("epoch") != 3:
        pass
    assert eventually(lambda: store.wait_acknowledged(MIGRATION, 3, 0).routers == 1)
    (said,) = store.acknowledgements(MIGRATION)
    assert (said.proxy, said.pid) == (haproxy.split.name, process.pid)
    process.kill()
    process.wait(20)
    with redis.Redis.from_url(fresh_redis_url) as client:
        # What the seconds would do: its last heartbeat expires, and then its own time runs out.
        assert client.pttl(f"switchover:{{{MIGRATION}}}:router:{said.router}") > 0
        client.delete(f"switchover:{{{MIGRATION}}}:router:{said.router}")
        assert store.wait_acknowledged(MIGRATION, 3, 0).lost == (said.router,)
        client.zadd(f"switchover:{{{MIGRATION}}}:routers", {said.router: 1.0})
    assert store.wait_acknowledged(MIGRATION, 3, 0).lost == ()
    assert haproxy.split.read() == 0.25


@pytest.mark.req("INV7")
def test_follower_starts_without_redis_and_follows_when_it_comes(
    command: Command, haproxy: Running, tmp_path: Path
) -> None:
    """Meanwhile a split that nobody confirms ends on legacy."""
    haproxy.split.apply(document(2, 40))
    with Valkey(tmp_path / "valkey") as server:
        server.process.stop()
        process = command("--json", "--max-staleness", "0.5", url=server.url)
        assert heard(process)["following"] == [haproxy.split.name]
        assert heard(process)["what"] == "fell_back"
        assert haproxy.split.read() == 0
        server.start()
        RedisRoutingStore(server.url).write(document(2, 40))
        assert heard(process)["what"] == "follows"
        assert haproxy.split.read() == 0.4
        process.terminate()
        assert process.wait(20) == 0
    assert process.stderr is not None
    assert "Redis is unavailable" in process.stderr.read()


def test_only_the_named_proxies_are_opened(
    command: Command, haproxy: Running, fresh_redis_url: str
) -> None:
    """What the others need, such as a secret, need not be there."""
    proxies = [
        {"kind": "haproxy", "address": haproxy.address},
        {"kind": "haproxy", "address": "/nowhere.sock"},
        {"kind": "traefik", "redis": "env:NOT_SET_HERE", "service": "mood", "legacy": "a",
         "candidate": "b"},
    ]  # fmt: skip
    process = command("--only", haproxy.address, proxies=proxies)
    assert process.stdout is not None
    assert process.stdout.readline() == (
        f"{MIGRATION}: following {haproxy.split.name}; stop with Ctrl-C\n"
    )
    process.send_signal(signal.SIGINT)
    assert process.wait(20) == 0
    unknown = command("--only", "caddy", proxies=proxies)
    _, said = unknown.communicate(timeout=20)
    assert unknown.returncode == 2
    assert said == (
        f"the plan has no proxy caddy; it has haproxy {haproxy.address}, haproxy /nowhere.sock, "
        "traefik mood: name a kind or a place\n"
    )
    missing = command(proxies=proxies)
    _, said = missing.communicate(timeout=20)
    assert (missing.returncode, "NOT_SET_HERE, which is not set" in said) == (2, True)


def test_plan_without_proxies_is_refused(command: Command) -> None:
    """There is nothing to follow, and the message says what to do."""
    process = command(proxies=[])
    out, said = process.communicate(timeout=20)
    assert (process.returncode, out) == (2, "")
    assert "names no proxies; add a section 'proxies'" in said


def test_proxy_out_of_reach_is_told_and_waited_for(
    command: Command, haproxy: Running, fresh_redis_url: str
) -> None:
    """The follower outlives its proxy, and brings it the split when it is there again."""
    RedisRoutingStore(fresh_redis_url).write(document(3, 25))
    haproxy.process.stop()
    process = command("--json")
    assert heard(process)["following"] == [haproxy.split.name]
    failed = heard(process)
    assert (failed["what"], failed["epoch"], failed["share"]) == ("failed", 0, None)
    assert "check that it runs" in failed["detail"]
    haproxy.process.start()
    assert heard(process)["what"] == "follows"
    assert haproxy.split.read() == 0.25
