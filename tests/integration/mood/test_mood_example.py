"""The mood example's services as processes: answers, faults, stores, recordings."""

from __future__ import annotations

import asyncio
import json
import socket
import sqlite3
import subprocess
import time
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any
from uuid import uuid4

import httpx
import pytest

from examples.mood.adapters import to_cds_v1, to_cds_v2
from examples.mood.cds import DecisionSupport
from examples.mood.connections import Connections, Unanswered
from examples.mood.record import record
from switchover.testing.embedded.ports import free_port

ROOT = Path(__file__).parents[3]
CLIENT = httpx.Client(timeout=10, trust_env=False)
LEGACY_FIELDS = {
    "model_version", "subject", "window_end", "horizon_hours", "risk_score", "generated_at",
}  # fmt: skip


def ask(
    url: str, week: dict[str, Any], request_id: str | None = None, *, shadow: bool = False
) -> httpx.Response:
    headers = {"x-request-id": request_id or uuid4().hex}
    if shadow:
        headers["x-switchover-shadow"] = "1"
    return CLIENT.post(f"{url}/predict", json=week, headers=headers)


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
        before = CLIENT.get(f"{url}/metrics.json").json()
        ask(url, weeks[0])
        ask(url, weeks[0], shadow=True)
        after = CLIENT.get(f"{url}/metrics.json").json()
        assert CLIENT.get(f"{url}/health").json()["system"] == system
        assert CLIENT.get(f"{url}/ready").json()["models"] == loaded
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
    running: Callable[..., Any], models: Path, tmp_path: Path, weeks: list[dict[str, Any]]
) -> None:
    """The last batch is written on the way out."""
    store = tmp_path / "kept.sqlite"
    with running("legacy", models, "--store", str(store)) as url:
        ids = [uuid4().hex for _ in range(5)]
        for request_id in ids:
            assert ask(url, weeks[0], request_id).status_code == 200
    with closing(sqlite3.connect(store)) as connection:
        assert {row[0] for row in connection.execute("SELECT id FROM assessments")} == set(ids)


@pytest.mark.req("M1")
def test_a_service_with_damaged_weights_refuses_to_start(
    module: Callable[..., Any], models: Path, tmp_path: Path
) -> None:
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
    module: Callable[..., Any], models: Path, tmp_path: Path, weeks: list[dict[str, Any]]
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
