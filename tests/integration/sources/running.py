"""A real Prometheus that scrapes an exporter of this process, both on loopback."""

from __future__ import annotations

import json
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from typing import Any
from urllib.parse import urlencode
from urllib.request import urlopen

from switchover.testing.embedded.ports import free_port
from switchover.testing.embedded.process import ServerProcess
from switchover.testing.stand_in import StandInServer

#: How long a scrape may take to be seen, in seconds.
_PATIENCE = 20.0


#: What a page gives: status, content and type.
Page = Callable[[BaseHTTPRequestHandler], tuple[int, bytes, str]]


@contextmanager
def serving(page: Page) -> Iterator[int]:
    """Answer GET with ``page``; gives the port."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            status, content, kind = page(self)
            self.send_response(status)
            self.send_header("Content-Type", kind)
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        def log_message(self, format: str, *args: Any) -> None:
            """Keep quiet."""

    server = StandInServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, args=(0.05,))
    thread.start()
    try:
        yield server.server_port
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


@dataclass
class Running:
    """Prometheus at ``url``; ``series`` is what the exporter tells, name with labels to value."""

    url: str
    process: ServerProcess
    series: dict[str, float] = field(default_factory=dict)

    def text(self, _: Any) -> tuple[int, bytes, str]:
        lines = "".join(f"{name} {value}\n" for name, value in sorted(self.series.items()))
        return 200, lines.encode(), "text/plain; version=0.0.4"

    def ready(self) -> bool:
        """Whether it answers; at its start it refuses for a moment."""
        try:
            with urlopen(f"{self.url}/-/ready", timeout=5) as answer:
                return bool(answer.status == 200)
        except OSError:
            return False

    def settled(self) -> float:
        """Wait until Prometheus tells what the exporter does; gives a time after that."""
        deadline = time.monotonic() + _PATIENCE
        while any(self.value(name) != value for name, value in self.series.items()):
            if time.monotonic() > deadline:
                raise AssertionError(f"Prometheus does not show {self.series}")
            time.sleep(0.05)
        return time.time()

    def value(self, query: str) -> float | None:
        with urlopen(f"{self.url}/api/v1/query?{urlencode({'query': query})}", timeout=5) as answer:
            found = json.load(answer)["data"]["result"]
        return float(found[0]["value"][1]) if found else None


@contextmanager
def running_prometheus(program: Path) -> Iterator[Running]:
    """Prometheus with a scrape every 100 ms, its data in a directory that is removed."""
    with tempfile.TemporaryDirectory(prefix="switchover-") as name:
        place, port = Path(name), free_port()
        config = place / "prometheus.yml"
        command = [
            str(program), f"--config.file={config}", f"--storage.tsdb.path={place / 'data'}",
            f"--web.listen-address=127.0.0.1:{port}", "--log.level=warn",
        ]  # fmt: skip
        process = ServerProcess("Prometheus", command, log=place / "prometheus.log")
        running = Running(f"http://127.0.0.1:{port}", process)
        with serving(running.text) as exporter:
            config.write_text(
                "global: {scrape_interval: 100ms, scrape_timeout: 100ms}\n"
                "scrape_configs:\n"
                "  - job_name: app\n"
                f"    static_configs: [{{targets: ['127.0.0.1:{exporter}']}}]\n"
            )
            process.start()
            try:
                process.wait_until(running.ready, timeout=20)
                yield running
            finally:
                process.stop()
