from __future__ import annotations

import json
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from switchover.engine.collect import collect
from switchover.engine.context import Context
from switchover.engine.start import start
from switchover.ledger import upgrade
from switchover.observe.sources.http import HttpJson
from switchover.plan.load import load_plan
from switchover.plan.sources import HttpSource
from switchover.wiring import build_context, load_settings
from tests.integration.sources.running import serving

pytestmark = pytest.mark.req("O6")

PLAN = """\
switchover: 1
migration: demo
title: Demo
systems:
  legacy: {{version: "1", url: "http://127.0.0.1:1"}}
  candidate: {{version: "2", url: "http://127.0.0.1:2"}}
request_key: {{field: id}}
stages:
  - {{kind: shadow}}
  - {{kind: canary, percent: 100}}
gates:
  - {{metric: success_rate}}
sources:
  - name: vendor
    kind: http
    url: http://127.0.0.1:{port}/metrics.json
    token: env:VENDOR_TOKEN
    every: 1ms
    metrics:
      - metric: success_rate
        candidate: {{total: n, bad: bad}}
"""


def engine(place: Path, redis: str, database: str) -> Context:
    """What the operator's settings give, on real servers."""
    upgrade(database)
    return build_context(
        load_settings(
            {"SWITCHOVER_STATE_DIR": str(place), "SWITCHOVER_DATABASE_URL": database,
             "SWITCHOVER_REDIS_URL": redis,
             "SWITCHOVER_INCIDENTS_DIR": f"{place}/incidents"}
        )
    )  # fmt: skip


def test_the_built_engine_reads_a_real_service(
    tmp_path: Path, fresh_redis_url: str, sqlite_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """From the plan file to the ledger; without its token the source is unreadable, no more."""
    shown = {"n": 10, "bad": 1}

    def page(request: Any) -> tuple[int, bytes, str]:
        allowed = request.headers["Authorization"] == "Bearer t0ken"
        return 200 if allowed else 401, json.dumps(shown).encode(), "application/json"

    context = engine(tmp_path, fresh_redis_url, sqlite_url)
    with serving(page) as port:
        plan = tmp_path / "plan.yaml"
        plan.write_text(PLAN.format(port=port))
        monkeypatch.setenv("VENDOR_TOKEN", "wrong")
        start(context, load_plan(plan), actor="ada")
        collect(context, "demo")
        evidence = context.ledger.evidence("demo")
        assert evidence is not None
        failed = evidence["sources"]["vendor"]["success_rate/candidate"]
        assert "does not let us in (HTTP 401); check env:VENDOR_TOKEN" in failed["error"]
        monkeypatch.setenv("VENDOR_TOKEN", "t0ken")
        collect(context, "demo")
        shown.update(n=25, bad=3)
        for _ in range(2):
            collect(context, "demo")
    (row,) = context.ledger.rates("demo", "success_rate", bins=1)
    assert (row["system"], row["n"], row["bad"]) == ("candidate", 15, 2)


@pytest.mark.req("INV4")
def test_collectors_at_once_count_each_event_once(
    tmp_path: Path, fresh_redis_url: str, postgres_database: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Four of them read the same marks of a service that goes on counting."""
    monkeypatch.setenv("VENDOR_TOKEN", "t0ken")
    shown, lock = {"n": 500, "bad": 50}, threading.Lock()

    def page(_: Any) -> tuple[int, bytes, str]:
        with lock:
            shown["n"] += 3
            shown["bad"] += 1
            return 200, json.dumps(shown).encode(), "application/json"

    with serving(page) as port:
        plan = tmp_path / "plan.yaml"
        plan.write_text(PLAN.format(port=port))
        context = engine(tmp_path, fresh_redis_url, postgres_database)
        start(context, load_plan(plan), actor="ada")
        collect(context, "demo")
        first = dict(shown)
        with ThreadPoolExecutor(4) as pool:
            got = list(pool.map(lambda _: collect(context, "demo"), range(40)))
        collect(context, "demo")
        last = dict(shown)
    (row,) = context.ledger.rates("demo", "success_rate", bins=1)
    assert (row["n"], row["bad"]) == (last["n"] - first["n"], last["bad"] - first["bad"])
    assert sum(collected.duplicates for collected in got) > 0


@pytest.mark.req("INV6")
def test_an_answer_that_comes_drop_by_drop_is_given_up() -> None:
    """Each piece is in time; the whole is not."""
    sent = []

    def page(request: Any) -> tuple[int, bytes, str]:
        request.wfile.write(b"HTTP/1.0 200 OK\r\n\r\n")
        for _ in range(200):
            sent.append(request.wfile.write(b" "))
            time.sleep(0.05)
        return 200, b"{}", "application/json"

    with serving(page) as port:
        spec = HttpSource.model_validate(
            {"name": "slow", "kind": "http", "url": f"http://127.0.0.1:{port}/", "timeout": "300ms",
             "metrics": [{"metric": "m", "candidate": {"total": "n"}}]}
        )  # fmt: skip
        (reading,) = HttpJson("demo", spec, {}).read({}, since=0, now=100)
    assert "no whole answer from" in reading.error
    assert len(sent) < 200
