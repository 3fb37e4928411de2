"""HAProxy: from the order to the last request that the candidate answered behind it."""

from __future__ import annotations

import http.client
import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import urlsplit

from benchmarks.routing.fleet import Fleet, Told, decide
from benchmarks.routing.fronts import started
from benchmarks.routing.http_load import KEY_HEADER
from benchmarks.routing.propagation import roll_back, spread, turn
from switchover.machine.snapshot import FULL, Snapshot
from switchover.routing.proxies.follow import Follower
from switchover.routing.proxies.haproxy import HaproxySplit, haproxy_lines, variable
from switchover.routing.store import RedisRoutingStore
from switchover.testing.embedded import ServerProcess, Valkey
from switchover.testing.embedded.ports import free_port

NAME, STANDING = "bench", "X-Standing"
#: Processes that send requests, and how many a second each.
CALLERS, RATE = 8, 50


class Answer(NamedTuple):
    """Who answered, by the document that HAProxy followed then."""

    system: str
    epoch: int


def call(number: int, rate: int, migration: str, url: str, channel: str, told: Told) -> None:
    """One process of the load: requests of changing keys over one connection."""
    host = urlsplit(url).netloc
    connection = http.client.HTTPConnection(host, timeout=30)

    def ask(key: str) -> Answer:
        connection.request("GET", "/", headers={KEY_HEADER: key})
        response = connection.getresponse()
        return Answer(response.read().decode(), int(response.headers[STANDING]))

    decide(ask, number, rate, told)
    connection.close()


@contextmanager
def haproxy(place: Path) -> Iterator[tuple[str, str]]:
    """HAProxy, which answers by itself for both systems; its URL and its runtime socket."""
    program = shutil.which("haproxy")
    if program is None:
        raise SystemExit("this benchmark compares with HAProxy; install it, for example with apt")
    section, lines = haproxy_lines(NAME, KEY_HEADER)
    port, socket, config = free_port(), place / "admin.sock", place / "haproxy.cfg"
    answers = "".join(
        f"backend {system}\n    http-request return status 200 content-type text/plain"
        f" string {system} hdr {STANDING} %[var(txn.{variable(NAME).removeprefix('proc.')}"
        "_standing),div(10000000000)]\n"
        for system in ("legacy", "candidate")
    )
    config.write_text(
        f"global\n    stats socket {socket} level admin\n{section}\n"
        "defaults\n    mode http\n"
        "    timeout connect 2s\n    timeout client 30s\n    timeout server 30s\n"
        f"frontend front\n    bind 127.0.0.1:{port}\n{lines}\n{answers}",
        encoding="utf-8",
    )
    process = ServerProcess(
        "HAProxy", [program, "-db", "-f", str(config)], log=place / "haproxy.log"
    )
    with started(process, port):
        yield f"http://127.0.0.1:{port}", str(socket)


def followed(fleet: Fleet, url: str, split: HaproxySplit, rounds: int) -> list[list[float]]:
    """Ordered in Redis; a follower brings it to HAProxy."""
    store, epoch, answered, rolled = RedisRoutingStore(url), 0, "", []
    with Follower(split, NAME, url):
        for _ in range(rounds):
            before = Snapshot(NAME, epoch + 1, "candidate_only", FULL, salt="s", halt=answered)
            rolled.append(roll_back(fleet, store, NAME, before))
            epoch, answered = before.epoch + 1, f"h{before.epoch}"
    return rolled


def by_hand(fleet: Fleet, split: HaproxySplit, first: int, rounds: int) -> list[list[float]]:
    """Ordered at HAProxy's own socket, on the machine where it runs."""
    rolled = []
    for epoch in range(first, first + 2 * rounds, 2):
        split.apply(Snapshot(NAME, epoch, "candidate_only", FULL, salt="s"))
        back = Snapshot(NAME, epoch + 1, "emergency_rollback", salt="s")
        rolled.append(turn(fleet, epoch, lambda back=back: split.apply(back)))
    return rolled


def measure(quick: bool = False) -> dict[str, Any]:
    """Both, one after the other, under the same load."""
    rounds = 5 if quick else 100
    with (
        tempfile.TemporaryDirectory(prefix="switchover-") as folder,
        Valkey() as redis,
        haproxy(Path(folder)) as (url, socket),
        Fleet(CALLERS, RATE, NAME, url, "", call) as fleet,
    ):
        split = HaproxySplit(NAME, socket)
        rolled = {
            "order in Redis, HAProxy with the follower": followed(fleet, redis.url, split, rounds),
            "command at HAProxy's own socket": by_hand(fleet, split, 10_000, rounds),
        }
    rows = [
        {"what": what, "rollbacks": rounds, **spread([last for last, _ in times]),
         "call_p50_ms": spread([called for _, called in times])["p50_ms"]}
        for what, times in rolled.items()
    ]  # fmt: skip
    return {
        "title": "Rollback through HAProxy",
        "rows": rows,
        "notes": [
            "From the order to the last answer of the candidate that any of the callers got.",
            "HAProxy answers for both systems, so that nothing behind it takes time.",
            "At its own socket: what a script on HAProxy's host could do, for one HAProxy, with "
            "neither record nor a fence against somebody who promotes at that moment.",
        ],
        "parameters": {"callers": CALLERS, "requests_per_second": CALLERS * RATE,
                       "rounds": rounds, "cores": os.cpu_count()},
    }  # fmt: skip
