"""HAProxy and nginx as real processes on loopback, set up as the how-to page says."""

from __future__ import annotations

import os
import tempfile
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from switchover.machine.snapshot import Snapshot
from switchover.ports import TrafficSplit
from switchover.routing.proxies.haproxy import HaproxySplit, haproxy_lines
from switchover.routing.proxies.nginx import NginxSplit, split_file
from switchover.testing.embedded.ports import answers, free_port
from switchover.testing.embedded.process import ServerProcess

MIGRATION = "mood-v3"
SALT = "5f0c1e9a7b3d2468"
HEADER = "X-Request-Key"
#: The response header in which the proxies of these tests say which document they followed.
STANDING = "X-Standing"


def document(epoch: int, percent: float, *, mode: str = "gradual", key: str = "string") -> Snapshot:
    return Snapshot(MIGRATION, epoch, mode, round(percent * 100), salt=SALT, key=key)


@dataclass
class Running:
    """A proxy on ``port`` before two backends; ``address`` is HAProxy's socket."""

    port: int
    legacy_port: int
    candidate_port: int
    split: TrafficSplit
    process: ServerProcess
    place: Path
    address: str = ""

    def ask(self, key: str | None) -> tuple[str, str]:
        """Which side answers ``key``, and what the proxy followed."""
        request = urllib.request.Request(f"http://127.0.0.1:{self.port}/")
        if key is not None:
            request.add_header(HEADER, key)
        with urllib.request.urlopen(request, timeout=5) as answer:
            return answer.read().decode(), answer.headers[STANDING]


@contextmanager
def running_haproxy(program: Path, *, key: str = "string", tcp: bool = False) -> Iterator[Running]:
    """HAProxy with the pasted lines, its runtime API on a socket file or a port."""
    section, lines = haproxy_lines(MIGRATION, HEADER, key=key)
    with tempfile.TemporaryDirectory(prefix="switchover-") as name:
        place, port, legacy, candidate = Path(name), free_port(), free_port(), free_port()
        address = f"127.0.0.1:{free_port()}" if tcp else str(place / "admin.sock")
        config = place / "haproxy.cfg"
        config.write_text(
            "global\n"
            f"    stats socket {address} level admin\n{section}\n"
            "defaults\n    mode http\n"
            "    timeout connect 2s\n    timeout client 10s\n    timeout server 10s\n"
            "frontend front\n"
            f"    bind 127.0.0.1:{port}\n{lines}\n"
            f"    http-response set-header {STANDING}"
            " %[var(txn.switchover_mood_v3_standing),div(10000000000)]\n"
            f"backend legacy\n    server one 127.0.0.1:{legacy}\n"
            f"backend candidate\n    server one 127.0.0.1:{candidate}\n"
        )
        process = ServerProcess(
            "HAProxy", [str(program), "-db", "-f", str(config)], log=place / "haproxy.log"
        )
        process.start()
        try:
            # Its socket file gets its name a moment after the ports are open.
            process.wait_until(
                lambda: answers(port) and (tcp or Path(address).exists()), timeout=10
            )
            split = HaproxySplit(MIGRATION, address)
            yield Running(port, legacy, candidate, split, process, place, address)
        finally:
            process.stop()


@contextmanager
def running_nginx(program: Path, *, key: str = "string") -> Iterator[Running]:
    """nginx with two workers, the generated file, and a page that tells what it follows."""
    with tempfile.TemporaryDirectory(prefix="switchover-") as name:
        place, port, legacy, candidate = Path(name), free_port(), free_port(), free_port()
        config, generated = place / "nginx.conf", place / "mood-v3.conf"
        generated.write_text(split_file(document(0, 0, key=key), HEADER))
        temporary = "".join(
            f"    {kind}_temp_path {place}/{kind};\n"
            for kind in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
        )
        config.write_text(
            f"{'user root;' if os.geteuid() == 0 else ''}\n"
            f"daemon off;\nworker_processes 2;\nerror_log stderr;\npid {place}/nginx.pid;\n"
            "events { worker_connections 512; }\n"
            f"http {{\n    access_log off;\n{temporary}"
            f"    include {generated};\n"
            f"    upstream legacy {{ server 127.0.0.1:{legacy}; keepalive 16; }}\n"
            f"    upstream candidate {{ server 127.0.0.1:{candidate}; keepalive 16; }}\n"
            f"    server {{\n        listen 127.0.0.1:{port};\n"
            "        location / {\n"
            "            proxy_http_version 1.1;\n"
            '            proxy_set_header Connection "";\n'
            "            proxy_pass http://$switchover_mood_v3;\n"
            f"            add_header {STANDING} $switchover_mood_v3_standing;\n"
            "        }\n"
            "        location = /switchover/mood-v3 {\n"
            "            allow 127.0.0.1;\n            deny all;\n"
            "            return 200 $switchover_mood_v3_standing;\n"
            "        }\n    }\n}\n"
        )
        command = [str(program), "-p", str(place), "-c", str(config)]
        process = ServerProcess("nginx", command, log=place / "nginx.log")
        process.start()
        try:
            process.wait_until(lambda: answers(port), timeout=10)
            split = NginxSplit(
                MIGRATION, generated, status_url=f"http://127.0.0.1:{port}/switchover/mood-v3",
                header=HEADER, command=command,
            )  # fmt: skip
            yield Running(port, legacy, candidate, split, process, place)
        finally:
            process.stop()
