"""`switchover serve` as people start it: a process, an address, an orderly end."""

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
import pytest

from switchover.cli.main import run

ROOT = Path(__file__).parents[3]
PROGRAM = "import sys; from switchover.cli.main import run; sys.exit(run(sys.argv[1:]))"


@pytest.fixture
def serve(fresh_redis_url: str, sqlite_url: str, tmp_path: Path) -> Iterator[Callable[..., Any]]:
    """Starts the command with options; gives the process, its URL and the file of its log."""
    started: list[subprocess.Popen[str]] = []

    def start(*options: str) -> tuple[subprocess.Popen[str], str, Path]:
        log = tmp_path / "log"
        with log.open("w") as stderr:
            process = subprocess.Popen(
                [sys.executable, "-c", PROGRAM, "serve", "--port", "0", "--json", *options],
                env={
                    **os.environ,
                    "PYTHONPATH": str(ROOT),
                    "SWITCHOVER_STATE_DIR": str(tmp_path / "state"),
                    "SWITCHOVER_DATABASE_URL": sqlite_url,
                    "SWITCHOVER_REDIS_URL": fresh_redis_url,
                    "PREFECT_API_URL": "http://127.0.0.1:9/api",
                },
                stdout=subprocess.PIPE, stderr=stderr, text=True,
            )  # fmt: skip
        started.append(process)
        assert process.stdout is not None
        return process, json.loads(process.stdout.readline())["listening"], log

    yield start
    for process in started:
        if process.poll() is None:
            process.kill()
        process.wait(10)
        if process.stdout is not None:
            process.stdout.close()


@pytest.mark.req("K1")
@pytest.mark.req("O7")
def test_the_command_serves_logs_and_ends_in_order(serve: Callable[..., Any]) -> None:
    """It starts with nothing but Redis there; each request is a line with its id."""
    process, url, log = serve()
    assert url.startswith("http://127.0.0.1:")
    assert httpx.get(url + "/health").status_code == 200
    headers = {"X-Request-ID": "trace-7", "X-Forwarded-For": "203.0.113.9"}
    refused = httpx.get(url + "/api/migrations", auth=("ada", "s3cr3t"), headers=headers)
    assert refused.status_code in (401, 404)
    process.send_signal(signal.SIGTERM)
    assert process.wait(20) == 0
    lines = log.read_text()
    assert "request=trace-7 GET /api/migrations ->" in lines
    assert "from 127.0.0.1" in lines
    assert "203.0.113.9" not in lines, "nobody is believed about where they come from"
    assert "s3cr3t" not in lines


@pytest.mark.req("K1")
def test_a_proxy_that_is_named_is_believed(serve: Callable[..., Any]) -> None:
    """The address that it forwards is the one that is counted and logged."""
    process, url, log = serve("--behind-proxy", "127.0.0.1")
    httpx.get(url + "/health", headers={"X-Forwarded-For": "203.0.113.9"})
    process.send_signal(signal.SIGTERM)
    assert process.wait(20) == 0
    assert "from 203.0.113.9" in log.read_text()


@pytest.mark.req("K1")
def test_listening_beyond_loopback_has_to_be_meant(
    serve: Callable[..., Any], capsys: pytest.CaptureFixture[str]
) -> None:
    """Refused with exit 2 and what to do; with --allow-remote it serves, and warns."""
    for host in ("0.0.0.0", "::", "switchover.example"):
        assert run(["serve", "--host", host, "--port", "0"]) == 2
        told = capsys.readouterr().err
        assert "--behind-proxy" in told
        assert "--allow-remote" in told
        assert len(told.splitlines()) == 1
    for proxy in ("*", "proxy.example", ""):
        assert run(["serve", "--behind-proxy", proxy, "--port", "0"]) == 2
        assert "not an address" in capsys.readouterr().err
    _, url, log = serve("--host", "0.0.0.0", "--allow-remote")
    assert httpx.get(url.replace("0.0.0.0", "127.0.0.1") + "/health").status_code == 200
    assert "cross the network readable" in log.read_text()


@pytest.mark.req("K1")
def test_no_other_command_pays_for_the_web_framework() -> None:
    """Neither the verb's module nor the engine's assembly imports FastAPI."""
    program = (
        "import sys; import switchover.cli.main, switchover.cli.serve, switchover.wiring; "
        "sys.exit(any(name in sys.modules for name in ('fastapi', 'starlette', 'uvicorn')))"
    )
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    answer = subprocess.run([sys.executable, "-c", program], env=environment, check=False)
    assert answer.returncode == 0
