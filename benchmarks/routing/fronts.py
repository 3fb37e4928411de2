"""Two small systems and what stands before them: nginx with its own split, `switchover proxy`."""

from __future__ import annotations

import json
import os
import shutil
import sys
import tempfile
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

import psutil

from benchmarks.routing.http_load import KEY_HEADER
from switchover.machine.snapshot import Snapshot
from switchover.routing.proxies.nginx import split_file
from switchover.routing.store import RedisRoutingStore
from switchover.testing.embedded import ServerProcess, Valkey
from switchover.testing.embedded.ports import answers, free_port

MIGRATION = "bench"
PROGRAM = "from switchover.cli.main import main; main()"
#: Both fronts send half of the keys to the candidate.
SPLIT = Snapshot(MIGRATION, 1, "gradual", 5_000, salt="bench")
#: Bytes of an answer's body.
BODY = 300


@dataclass(frozen=True)
class Front:
    """A port to send requests to, and the process that answers there."""

    name: str
    port: int
    process: ServerProcess

    def processor_seconds(self) -> float:
        """User and system time so far, of the process and of its children."""
        parent = psutil.Process(self.process.pid)
        times = [process.cpu_times() for process in (parent, *parent.children(recursive=True))]
        return sum(each.user + each.system for each in times)


@contextmanager
def started(process: ServerProcess, port: int) -> Iterator[ServerProcess]:
    """``process`` while it answers at ``port``."""
    process.start()
    try:
        process.wait_until(lambda: answers(port), timeout=30)
        yield process
    finally:
        process.stop()


def nginx(place: Path, name: str, http: str) -> ServerProcess:
    """An nginx of one worker with ``http`` as its configuration."""
    program = shutil.which("nginx")
    if program is None:
        raise SystemExit("this benchmark compares with nginx; install it, for example with apt")
    home = place / name
    home.mkdir()
    config = home / "nginx.conf"
    temporary = "".join(
        f"    {kind}_temp_path {home}/{kind};\n"
        for kind in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
    )
    config.write_text(
        f"{'user root;' if os.geteuid() == 0 else ''}\n"
        f"daemon off;\nworker_processes 1;\nerror_log stderr;\npid {home}/nginx.pid;\n"
        "events { worker_connections 512; }\n"
        f"http {{\n    access_log off;\n    keepalive_requests 1000000;\n{temporary}{http}}}\n"
    )
    command = [program, "-p", str(home), "-c", str(config)]
    return ServerProcess(name, command, log=home / "log")


@contextmanager
def systems(place: Path) -> Iterator[dict[str, int]]:
    """Legacy and candidate: one nginx that answers at two ports with a ready JSON body."""
    ports = {name: free_port() for name in ("legacy", "candidate")}
    servers = ""
    for name, port in ports.items():
        body = json.dumps({"by": name, "padding": ""})
        body = body.replace('""', f'"{"x" * (BODY - len(body))}"')
        servers += (
            f"    server {{ listen 127.0.0.1:{port};\n"
            f"        location / {{ default_type application/json; return 200 '{body}'; }} }}\n"
        )
    with started(nginx(place, "systems", servers), ports["candidate"]):
        yield ports


@contextmanager
def nginx_front(place: Path, ports: dict[str, int]) -> Iterator[Front]:
    """nginx that splits by the file the project generates for it, with kept connections."""
    port, generated = free_port(), place / "split.conf"
    generated.write_text(split_file(SPLIT, KEY_HEADER))
    upstreams = "".join(
        f"    upstream {name} {{ server 127.0.0.1:{at}; keepalive 64; }}\n"
        for name, at in ports.items()
    )
    http = (
        f"    include {generated};\n{upstreams}"
        f"    server {{ listen 127.0.0.1:{port};\n        location / {{\n"
        '            proxy_http_version 1.1; proxy_set_header Connection "";\n'
        f"            proxy_pass http://$switchover_{MIGRATION};\n        }} }}\n"
    )
    with started(nginx(place, "front", http), port) as process:
        yield Front("nginx", port, process)


@contextmanager
def switchover_front(place: Path, ports: dict[str, int], redis_url: str) -> Iterator[Front]:
    """`switchover proxy`, as anybody would start it."""
    port, plan = free_port(), place / "plan.yaml"
    urls = {name: f"http://127.0.0.1:{at}" for name, at in ports.items()}
    document = {
        "switchover": 1,
        "migration": MIGRATION,
        "title": "Benchmark",
        "systems": {name: {"version": "1", "url": url} for name, url in urls.items()},
        "request_key": {"field": "user"},
        "stages": [{"kind": "canary", "percent": 100}],
        "gates": [{"metric": "success_rate"}],
    }
    plan.write_text(json.dumps(document))  # which is YAML too
    RedisRoutingStore(redis_url).write(SPLIT)
    process = ServerProcess(
        "switchover proxy",
        [sys.executable, "-c", PROGRAM, "proxy", str(plan), "--listen", f"127.0.0.1:{port}"],
        log=place / "proxy.log",
        env={
            "SWITCHOVER_REDIS_URL": redis_url,
            "SWITCHOVER_STATE_DIR": str(place / "state"),
            "PYTHONPATH": os.pathsep.join(sys.path),
        },
    )
    with started(process, port):
        process.wait_until(lambda: mode(port) == SPLIT.mode, timeout=30)
        yield Front("switchover proxy", port, process)


def mode(port: int) -> str:
    """The mode in force, by the proxy's own word; empty while it has none."""
    # Not listening yet.
    with suppress(OSError):
        url = f"http://127.0.0.1:{port}/-/switchover/health"
        with urllib.request.urlopen(url, timeout=5) as answer:
            return str(json.load(answer)["mode"])
    return ""


@contextmanager
def fronts() -> Iterator[tuple[int, list[Front]]]:
    """The port of a system itself, and both fronts, all running."""
    with tempfile.TemporaryDirectory(prefix="switchover-") as name, Valkey() as server:
        place = Path(name)
        with (
            systems(place) as ports,
            nginx_front(place, ports) as first,
            switchover_front(place, ports, server.url) as second,
        ):
            yield ports["legacy"], [first, second]
