"""The mood example's application and traffic against its services and a real Redis."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
import redis

from examples.mood.application import Clinic
from examples.mood.connections import Connections
from examples.mood.tallies import Tallies
from examples.mood.traffic import main as traffic_main
from examples.mood.traffic import replay
from switchover import Recorder, Router
from switchover.judge.block import Block, Tally, tally
from switchover.machine.snapshot import Snapshot
from switchover.routing.store import RedisRoutingStore
from switchover.testing.embedded.ports import free_port

ROOT = Path(__file__).parents[3]
AGREEMENT = {
    "default": "ignore",
    "fields": [{"path": "risk_score", "compare": "number", "absolute": 0.1}],
}


def looks(redis_url: str, migration: str) -> dict[str, dict[str, Tally]]:
    with redis.Redis.from_url(redis_url) as client:
        entries = client.xrange(f"switchover:{{{migration}}}:blocks")
    return {
        metric: dict(systems)
        for metric, systems in tally(
            Block.from_json(fields[b"b"].decode()) for _, fields in entries
        ).items()
    }


def drive(
    redis_url: str,
    systems: tuple[str, str],
    weeks: list[dict[str, Any]],
    seconds: float = 2.0,
    **routing: Any,
) -> tuple[dict[str, Any], dict[str, dict[str, Tally]]]:
    """Traffic through the application under one routing document; its report and the blocks."""
    migration = f"mood-{uuid4().hex[:8]}"
    store = RedisRoutingStore(redis_url)
    store.write(Snapshot(migration, 1, salt="mood", agreement=AGREEMENT, **routing))

    async def run() -> Tallies:
        with (
            Router(migration, redis_url) as router,
            Recorder(
                migration,
                redis_url,
                epoch=lambda: router.epoch,
                agreement=lambda: router.agreement,
            ) as recorder,
        ):
            assert await asyncio.to_thread(router.wait_ready)
            clinic = Clinic(router, recorder, *map(Connections, systems))
            return await replay(
                clinic, weeks, rate=40, seconds=seconds, stop=asyncio.Event(), tallies=Tallies(40)
            )

    report = asyncio.run(run()).as_json()
    return report, looks(redis_url, migration)


@pytest.mark.req("O1")
def test_shadowing_records_every_metric_and_serves_from_legacy(
    redis_url: str, legacy: str, candidate: str, weeks: list[dict[str, Any]]
) -> None:
    """All callers are served by legacy, and each pair of answers agrees."""
    report, seen = drive(redis_url, (legacy, candidate), weeks, mode="parallel", shadow=10_000)
    assert report["failed"] == 0
    assert report["served"] == {"legacy": report["requests"], "candidate": 0}
    pairs = seen["prediction_agreement_rate"]["pair"]
    assert (pairs.n, pairs.bad) == (report["requests"], 0)
    for metric in ("success_rate", "cds_integration_errors"):
        for system in ("legacy", "candidate"):
            assert (seen[metric][system].n, seen[metric][system].bad) == (report["requests"], 0)
    for system in ("legacy", "candidate"):
        assert seen["prediction_latency_p99"][system].n == report["requests"]
        assert seen["memory_usage_delta"][system].n >= 1


@pytest.mark.req("T2")
def test_a_split_serves_some_keys_from_the_candidate(
    redis_url: str, legacy: str, candidate: str, weeks: list[dict[str, Any]]
) -> None:
    """At 30 % both systems serve, the candidate the smaller part, and no request fails."""
    report, _ = drive(redis_url, (legacy, candidate), weeks, mode="gradual", split=3000)
    assert report["failed"] == 0
    assert 0 < report["served"]["candidate"] < report["served"]["legacy"]


@pytest.mark.parametrize("kind", ["errors", "contract"])
@pytest.mark.req("M1")
def test_callers_do_not_notice_a_bad_candidate(
    redis_url: str, legacy: str, faulty: Callable[..., str], weeks: list[dict[str, Any]], kind: str
) -> None:
    """The application falls back to legacy, nobody is refused, and the evidence is recorded."""
    bad = faulty("--fault", kind, "--fault-when", "served", "--fault-rate", "1")
    report, seen = drive(redis_url, (legacy, bad), weeks, mode="gradual", split=5000, shadow=10_000)
    assert report["failed"] == 0
    assert report["fallbacks"] > 10
    assert report["served"]["candidate"] == 0
    metric = {"errors": "success_rate", "contract": "cds_integration_errors"}[kind]
    assert seen[metric]["candidate"].bad == report["fallbacks"]
    assert seen["prediction_agreement_rate"]["pair"].bad >= report["fallbacks"]
    assert seen[metric]["legacy"].bad == 0


@pytest.mark.req("M1")
def test_a_dead_candidate_costs_the_callers_nothing(
    redis_url: str, legacy: str, weeks: list[dict[str, Any]]
) -> None:
    """Nobody listens on the candidate's port: fallback, and failures, not quick answers."""
    report, seen = drive(
        redis_url, (legacy, f"http://127.0.0.1:{free_port()}"), weeks, mode="gradual", split=5000
    )
    assert report["failed"] == 0
    assert seen["success_rate"]["candidate"].bad == report["fallbacks"] > 10
    assert "candidate" not in seen["prediction_latency_p99"]


@pytest.mark.req("M1")
def test_traffic_finishes_on_sigterm_and_reports(
    module: Callable[..., Any], redis_url: str, legacy: str, candidate: str, tmp_path: Path
) -> None:
    """Requests in flight end well, the report is complete and nothing failed."""
    report = tmp_path / "traffic.json"
    process = module(
        "traffic", "--legacy", legacy, "--candidate", candidate, "--redis", redis_url, "--rate",
        60, "--until-stopped", "--report", report, "--json", "--subjects", 10,
        env=os.environ | {"SWITCHOVER_EXAMPLE_MOOD_DATA": ""},
    )  # fmt: skip
    for _ in range(300):
        if report.exists() and json.loads(report.read_text())["requests"] >= 30:
            break
        assert process.poll() is None, process.communicate()[1]
        time.sleep(0.1)
    process.send_signal(signal.SIGTERM)
    said, trouble = process.communicate(timeout=30)
    assert process.returncode == 0, trouble
    document = json.loads(report.read_text())
    assert json.loads(said) == document
    assert document["finished"] is True
    assert document["failed"] == 0
    assert document["requests"] == sum(document["served"].values()) >= 30


@pytest.mark.req("M1")
def test_failed_requests_are_counted_and_end_with_code_1(
    redis_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where no system is there, every request is a failed one, with the reason."""
    monkeypatch.delenv("SWITCHOVER_EXAMPLE_MOOD_DATA", raising=False)
    nobody, report = f"http://127.0.0.1:{free_port()}", tmp_path / "traffic.json"
    code = traffic_main(
        ["--legacy", nobody, "--candidate", nobody, "--redis", redis_url, "--rate", "50",
         "--duration", "0.4", "--report", str(report), "--subjects", "2"]
    )  # fmt: skip
    document = json.loads(report.read_text())
    assert code == 1
    assert document["failed"] == document["requests"] > 5
    assert "unreachable" in document["failures"][0]


@pytest.mark.parametrize(
    ("legacy_url", "more", "said"),
    [
        ("http://192.0.2.1:80", [], "needs --allow-remote"),
        ("ftp://127.0.0.1", [], "no http:// address"),
        ("http://127.0.0.1:9", ["--rate", "0"], "--rate is above 0"),
        ("http://127.0.0.1:9", ["--duration", "1e9"], "--duration above 0"),
    ],
)
@pytest.mark.req("M1")
def test_traffic_refuses_remote_targets_and_wild_amounts(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], legacy_url: str, more: list[str], said: str
) -> None:
    """Exit code 2 and one line; nothing is sent."""
    code = traffic_main(
        ["--legacy", legacy_url, "--candidate", "http://127.0.0.1:9", "--redis",
         "redis://127.0.0.1:9/0", "--report", str(tmp_path / "r.json"), *more]
    )  # fmt: skip
    assert code == 2
    assert said in capsys.readouterr().err
    assert not (tmp_path / "r.json").exists()
