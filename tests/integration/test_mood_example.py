"""The mood example as processes: services, faults, recordings, application and traffic."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import socket
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing, contextmanager
from pathlib import Path
from typing import Any
from uuid import uuid4

import httpx
import pytest
import redis

from examples.mood.adapters import to_cds_v1, to_cds_v2
from examples.mood.application import Clinic
from examples.mood.cds import DecisionSupport
from examples.mood.connections import Connections, Unanswered
from examples.mood.generated import SEED, generate
from examples.mood.record import record
from examples.mood.tallies import Tallies
from examples.mood.traffic import main as traffic_main
from examples.mood.traffic import replay
from examples.mood.train import train
from examples.mood.weeks import cut
from switchover import Recorder, Router
from switchover.judge.block import Block, Tally, tally
from switchover.machine.snapshot import Snapshot
from switchover.routing.store import RedisRoutingStore

ROOT = Path(__file__).parents[2]
AGREEMENT = {
    "default": "ignore",
    "fields": [{"path": "risk_score", "compare": "number", "absolute": 0.1}],
}
LEGACY_FIELDS = {
    "model_version", "subject", "window_end", "horizon_hours", "risk_score", "generated_at",
}  # fmt: skip


def free_port() -> int:
    with closing(socket.socket()) as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def module(name: str, *arguments: object, **settings: Any) -> subprocess.Popen[str]:
    command = [sys.executable, "-m", f"examples.mood.{name}", *map(str, arguments)]
    return subprocess.Popen(
        command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, **settings
    )


@contextmanager
def running(name: str, models: Path, *arguments: object) -> Iterator[str]:
    """A service as a process, ready; gives its base URL."""
    url = f"http://127.0.0.1:{(port := free_port())}"
    process = module(name, "--port", port, "--models", models, *arguments)
    try:
        for _ in range(300):
            assert process.poll() is None, process.communicate()[1]
            try:
                if httpx.get(f"{url}/ready", timeout=2).status_code == 200:
                    break
            except httpx.TransportError:
                time.sleep(0.1)
        yield url
    finally:
        process.terminate()
        process.communicate(timeout=20)


@pytest.fixture(scope="module")
def models(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("models")
    train(folder, subjects=20)
    return folder


@pytest.fixture(scope="module")
def weeks() -> list[dict[str, Any]]:
    return cut(generate(subjects=30, days=10, seed=SEED + 1)).requests()


@pytest.fixture(scope="module")
def legacy(models: Path) -> Iterator[str]:
    with running("legacy", models) as url:
        yield url


@pytest.fixture(scope="module")
def candidate(models: Path) -> Iterator[str]:
    with running("candidate", models) as url:
        yield url


@pytest.fixture(scope="module")
def faulty(models: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Callable[..., str]]:
    """Starts a faulty candidate once per set of options."""
    started: dict[tuple[str, ...], str] = {}
    with ExitStack() as stack:

        def start(*options: str) -> str:
            if options not in started:
                store = tmp_path_factory.mktemp("store") / "candidate.sqlite"
                started[options] = stack.enter_context(
                    running("candidate", models, "--store", store, *options)
                )
            return started[options]

        yield start


def ask(
    url: str, week: dict[str, Any], request_id: str | None = None, *, shadow: bool = False
) -> httpx.Response:
    headers = {"x-request-id": request_id or uuid4().hex}
    if shadow:
        headers["x-switchover-shadow"] = "1"
    return httpx.post(f"{url}/predict", json=week, headers=headers, timeout=10)


def stored(models: Path, system: str, where: str, *values: object) -> list[tuple[Any, ...]]:
    query = f"SELECT subject, system, risk_score, shadow FROM assessments WHERE {where}"
    with closing(sqlite3.connect(models / f"{system}.sqlite")) as connection:
        return connection.execute(query, values).fetchall()


@pytest.mark.req("M1")
def test_legacy_answers_in_exactly_its_shape(legacy: str, weeks: list[dict[str, Any]]) -> None:
    """One risk score for the next 24 hours, different for different weeks."""
    answers = [ask(legacy, week).json() for week in weeks[:20]]
    assert all(set(answer) == LEGACY_FIELDS for answer in answers)
    assert {answer["model_version"] for answer in answers} == {"0.2.0"}
    assert all(DecisionSupport("v1").faults(answer) == [] for answer in answers)
    assert len({answer["risk_score"] for answer in answers}) > 5


@pytest.mark.req("C1")
def test_candidate_answers_the_same_forecast_and_the_current_state(
    legacy: str, candidate: str, weeks: list[dict[str, Any]]
) -> None:
    """The forecast is legacy's, both adapted shapes are taken, the second model is its own."""
    differences = []
    for week in weeks[:20]:
        answer = ask(candidate, week).json()
        assert answer["risk_score"] == ask(legacy, week).json()["risk_score"]
        assert answer["risk_score"] == answer["forecast"]["risk"]
        assert DecisionSupport("v1").faults(to_cds_v1(answer)) == []
        assert DecisionSupport("v2").faults(to_cds_v2(answer)) == []
        differences.append(abs(answer["current"]["risk"] - answer["forecast"]["risk"]))
    assert max(differences) > 0.1


@pytest.mark.parametrize(
    "change",
    [
        {"activity": [1.0] * 167}, {"activity": [-1.0] * 168}, {"sleep": [25.0] * 7},
        {"window_end": "2026-01-12T09:00:00"}, {"subject": ""}, {"more": 1},
    ],
)  # fmt: skip
@pytest.mark.req("M1")
def test_a_malformed_request_is_refused_with_the_field(
    legacy: str, candidate: str, weeks: list[dict[str, Any]], change: dict[str, Any]
) -> None:
    """422 from both services, naming the field; nothing is guessed."""
    for url in (legacy, candidate):
        reply = ask(url, weeks[0] | change)
        assert reply.status_code == 422
        assert reply.json()["detail"][0]["loc"][1] == next(iter(change))


@pytest.mark.req("M1")
def test_services_tell_their_health_and_counters(
    legacy: str, candidate: str, weeks: list[dict[str, Any]]
) -> None:
    """Health, readiness and counters, with real memory."""
    for url, system, loaded in (
        (legacy, "legacy", ["forecast"]), (candidate, "candidate", ["current", "forecast"]),
    ):  # fmt: skip
        before = httpx.get(f"{url}/metrics.json").json()
        ask(url, weeks[0])
        ask(url, weeks[0], shadow=True)
        after = httpx.get(f"{url}/metrics.json").json()
        assert httpx.get(f"{url}/health").json()["system"] == system
        assert httpx.get(f"{url}/ready").json()["models"] == loaded
        assert after["requests"] - before["requests"] == 2
        assert after["shadow_requests"] - before["shadow_requests"] == 1
        assert after["rss_bytes"] > 10_000_000


@pytest.mark.req("C4")
def test_each_assessment_is_stored_once_per_request_id(
    models: Path, legacy: str, weeks: list[dict[str, Any]]
) -> None:
    """A repeated request stays one row, and the row holds what was answered."""
    request_id = uuid4().hex
    answer = ask(legacy, weeks[3], request_id).json()
    ask(legacy, weeks[3], request_id)
    ask(legacy, weeks[4], f"{request_id}-2", shadow=True)
    for _ in range(100):
        if stored(models, "legacy", "id = ?", f"{request_id}-2"):
            break
        time.sleep(0.05)
    expected = (weeks[3]["subject"], "legacy", answer["risk_score"], 0)
    assert stored(models, "legacy", "id = ?", request_id) == [expected]
    assert stored(models, "legacy", "id = ?", f"{request_id}-2")[0][3] == 1


@pytest.mark.req("M1")
def test_a_service_that_is_told_to_stop_keeps_what_it_answered(
    models: Path, tmp_path: Path, weeks: list[dict[str, Any]]
) -> None:
    """The last batch is written on the way out."""
    store = tmp_path / "kept.sqlite"
    with running("legacy", models, "--store", store) as url:
        ids = [uuid4().hex for _ in range(5)]
        for request_id in ids:
            assert ask(url, weeks[0], request_id).status_code == 200
    with closing(sqlite3.connect(store)) as connection:
        assert {row[0] for row in connection.execute("SELECT id FROM assessments")} == set(ids)


@pytest.mark.req("M1")
def test_a_service_with_damaged_weights_refuses_to_start(models: Path, tmp_path: Path) -> None:
    """Exit code 2 and one line about the checksum, no traceback."""
    for name in ("metadata.json", "forecast.npz"):
        (tmp_path / name).write_bytes((models / name).read_bytes())
    with (tmp_path / "forecast.npz").open("ab") as weights:
        weights.write(b"x")
    process = module("legacy", "--port", free_port(), "--models", tmp_path)
    _, said = process.communicate(timeout=60)
    assert process.returncode == 2
    assert "weights are damaged" in said
    assert "Traceback" not in said


@pytest.mark.req("M1")
def test_drift_moves_the_risk_away_from_legacy(
    legacy: str, faulty: Callable[..., str], weeks: list[dict[str, Any]]
) -> None:
    """Answers stay well-formed and disagree by more than the plan tolerates."""
    bad = faulty("--fault", "drift", "--fault-rate", "1")
    for week in weeks[:10]:
        answer = ask(bad, week).json()
        assert DecisionSupport("v2").faults(to_cds_v2(answer)) == []
        assert abs(answer["risk_score"] - ask(legacy, week).json()["risk_score"]) > 0.3


@pytest.mark.req("M1")
def test_errors_show_on_a_share_of_the_requests(
    faulty: Callable[..., str], weeks: list[dict[str, Any]]
) -> None:
    """With the default rate some answers are HTTP 500 and some are good."""
    statuses = [ask(faulty("--fault", "errors"), weeks[0]).status_code for _ in range(60)]
    assert set(statuses) == {200, 500}


@pytest.mark.req("M1")
def test_a_contract_fault_is_refused_by_the_consumer(
    faulty: Callable[..., str], weeks: list[dict[str, Any]]
) -> None:
    """Fields missing or out of range: both consumer versions notice both kinds."""
    bad = faulty("--fault", "contract", "--fault-rate", "1")
    reasons = set()
    for number in range(30):
        answer = ask(bad, weeks[0], f"contract-{number}").json()
        for version, adapt in (("v1", to_cds_v1), ("v2", to_cds_v2)):
            try:
                found = DecisionSupport(version).faults(adapt(answer))
            except ValueError as error:
                found = [str(error)]
            assert found
            reasons.update((version, reason) for reason in found)
    said = " ".join(reason for _, reason in reasons)
    assert "no 'risk_score'" in said
    assert "forecast.confidence: 1.7" in said


@pytest.mark.req("M1")
def test_a_served_fault_hides_from_shadow_calls(
    faulty: Callable[..., str], weeks: list[dict[str, Any]]
) -> None:
    """The same request fails when it really serves and looks well in the shadow."""
    bad = faulty("--fault", "errors", "--fault-when", "served", "--fault-rate", "1")
    assert {ask(bad, week, shadow=True).status_code for week in weeks[:5]} == {200}
    assert {ask(bad, week).status_code for week in weeks[:5]} == {500}


@pytest.mark.req("M1")
def test_a_slow_candidate_outlasts_a_short_deadline(
    faulty: Callable[..., str], weeks: list[dict[str, Any]]
) -> None:
    """350 ms are added, so a caller with less patience gets nothing, and a shadow call does."""
    slow = faulty("--fault", "slow", "--fault-when", "served", "--fault-rate", "1")

    async def call() -> None:
        service = Connections(slow)
        body = json.dumps(weeks[0]).encode()
        with pytest.raises(TimeoutError):
            await service.post("/predict", body, {}, timeout=0.3)
        shadow = {"x-switchover-shadow": "1"}
        assert (await service.post("/predict", body, shadow, timeout=5)).status == 200
        service.close()

    asyncio.run(call())


@pytest.mark.req("P4")
def test_recorded_exchanges_hold_what_both_systems_said(
    legacy: str, candidate: str, weeks: list[dict[str, Any]], tmp_path: Path
) -> None:
    """One line per exchange; the candidate's answers pass both adapters."""
    asyncio.run(record(legacy, candidate, weeks, tmp_path, 12))
    lines = [json.loads(line) for line in (tmp_path / "candidate.jsonl").open()]
    requests = [json.loads(line) for line in (tmp_path / "requests.jsonl").open()]
    assert [line["request"] for line in lines] == requests
    assert len(lines) == 12
    for line in lines:
        assert set(line["legacy"]) == LEGACY_FIELDS
        assert DecisionSupport("v2").faults(to_cds_v2(line["candidate"])) == []


@pytest.mark.req("P4")
def test_the_recordings_of_the_repository_are_the_shapes_of_today(
    legacy: str, candidate: str
) -> None:
    """What the plan validates adapters with is what the services would answer now."""
    lines = [
        json.loads(line) for line in (ROOT / "examples/mood/recordings/candidate.jsonl").open()
    ]
    assert len(lines) >= 20
    for system, url in (("legacy", legacy), ("candidate", candidate)):
        answer = ask(url, lines[0]["request"]).json()
        assert {line[system].keys() == answer.keys() for line in lines} == {True}


@pytest.mark.req("M1")
def test_a_closed_kept_alive_connection_is_replaced(
    models: Path, tmp_path: Path, weeks: list[dict[str, Any]]
) -> None:
    """After a restart of the service the next request works; with nobody there it says so."""
    body = json.dumps(weeks[0]).encode()
    port = free_port()

    def start() -> subprocess.Popen[str]:
        process = module(
            "legacy", "--port", port, "--models", models, "--store", tmp_path / "restart.sqlite"
        )
        for _ in range(300):
            with closing(socket.socket()) as probe:
                if probe.connect_ex(("127.0.0.1", port)) == 0:
                    break
            time.sleep(0.1)
        return process

    async def call() -> None:
        service = Connections(f"http://127.0.0.1:{port}")
        for _ in range(2):
            process = await asyncio.to_thread(start)
            assert (await service.post("/predict", body, {}, timeout=5)).status == 200
            process.terminate()
            await asyncio.to_thread(process.communicate)
        with pytest.raises(Unanswered):
            await service.post("/predict", body, {}, timeout=5)

    asyncio.run(call())


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
                clinic, weeks, rate=80, seconds=seconds, stop=asyncio.Event(), tallies=Tallies(80)
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
    assert set(report["served"]) == {"legacy"}
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
    assert "candidate" not in report["served"]
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
    redis_url: str, legacy: str, candidate: str, tmp_path: Path
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
