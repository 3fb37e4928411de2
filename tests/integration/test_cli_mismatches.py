"""`switchover mismatches`: from two answers in an application to the table, over real servers."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import redis
from sqlalchemy import create_engine, text

from switchover import Recorder, Router
from switchover.cli.main import run
from switchover.engine.advance import take_step
from switchover.engine.collect import collect
from switchover.wiring import build_context, load_settings

pytestmark = pytest.mark.req("O4")

SECRETS = ("ada@example.org", "bo@example.org", "4111-1111")
PLAN = """\
switchover: 1
migration: shop
title: Shop
systems:
  legacy: {version: "1", url: "http://127.0.0.1:9"}
  candidate: {version: "2", url: "http://127.0.0.1:10"}
request_key: {field: id}
stages:
  - {kind: shadow, bake: 1h}
  - {kind: canary, percent: 100, bake: 1h}
gates:
  - {metric: prediction_agreement_rate, at_least: 85%}
agreement:
  default: exact
  fields:
    - {path: "items[*].price", compare: number, absolute: 0.1}
  redact: [mail, accounts, card.number]
"""
LEGACY = {
    "mail": SECRETS[0], "accounts": {SECRETS[0]: 1}, "card": {"number": SECRETS[2], "kind": "x"},
    "items": [{"price": 1.0}, {"price": 2.0}], "note": None, "total": 3,
}  # fmt: skip
CANDIDATE = {
    "mail": SECRETS[1], "accounts": {SECRETS[1]: 1}, "card": {"number": "x", "kind": "\x1b[2J"},
    "items": [{"price": 1.05}, {"price": 9.0}], "total": 3, "more": True,
}  # fmt: skip

Call = Callable[..., tuple[int, str, str]]


@pytest.fixture(params=["sqlite_url", "postgres_database"])
def call(
    request: pytest.FixtureRequest,
    tmp_path: Path,
    fresh_redis_url: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> Call:
    """Run a command against a started migration; gives exit code and both outputs."""
    for name, value in {
        "SWITCHOVER_STATE_DIR": tmp_path / "state",
        "SWITCHOVER_DATABASE_URL": request.getfixturevalue(request.param),
        "SWITCHOVER_REDIS_URL": fresh_redis_url,
        "SWITCHOVER_ACTOR": "carl",
        "PREFECT_API_URL": "http://127.0.0.1:9/api",
    }.items():
        monkeypatch.setenv(name, str(value))
    monkeypatch.delenv("COLUMNS", raising=False)
    (tmp_path / "plan.yaml").write_text(PLAN, encoding="utf-8")

    def run_one(*arguments: object) -> tuple[int, str, str]:
        code = run([str(argument) for argument in arguments])
        return code, *capsys.readouterr()

    assert run_one("start", tmp_path / "plan.yaml")[0] == 0
    take_step(build_context(load_settings()), "shop", actor="carl")
    return run_one


def compare(times: int = 1) -> None:
    """What an application does: rules from the router, answers to the recorder."""
    with Router("shop") as router:
        assert router.wait_ready(10.0)
        recorder = Recorder("shop", epoch=lambda: router.epoch, agreement=lambda: router.agreement)
        with recorder:
            for _ in range(times):
                assert not recorder.compare(LEGACY, CANDIDATE).agree
            recorder.compare_failed("timeout")


def test_fields_and_samples_are_shown_side_by_side(call: Call) -> None:
    """Which fields disagree how often, with both values; what is redacted stays so."""
    compare(3)
    code, out, err = call("mismatches", "shop")
    assert (code, err) == (0, "")
    lines = [line.split() for line in out.splitlines()]
    assert lines[0][:3] == ["4", "sampled", "disagreements"]
    shares = {line[0]: line for line in lines if "75%" in line or "25%" in line}
    assert set(shares) == {"accounts", "card.kind", "card.number", "items[*].price", "mail", "more",
                           "note", "$"}  # fmt: skip
    assert ["items[1].price", "beyond", "the", "tolerance", "2.0", "9.0"] in (
        line[2:] for line in lines
    )
    assert out.count("[redacted]") == 3 * 3 * 2
    assert "\\u001b[2J" in out
    assert "\x1b" not in out


def test_one_field_and_a_number_of_samples_can_be_asked_for(call: Call) -> None:
    """``--field`` takes all below it, ``--limit`` the newest, ``--json`` is one document."""
    compare(3)
    code, out, _ = call("mismatches", "shop", "--field", "items[*]", "--limit", 2, "--json")
    found = json.loads(out)
    assert code == 0
    assert (found["samples"], found["attempt"], len(found["mismatches"])) == (4, 1, 2)
    assert [(f["path"], f["why"], f["samples"]) for f in found["fields"]] == [
        ("items[*].price", "beyond the tolerance", 3)
    ]
    assert {(m["path"], m["legacy"], m["candidate"]) for m in found["mismatches"]} == {
        ("items[1].price", 2.0, 9.0)
    }
    assert call("mismatches", "shop", "--field", "nothing")[:2] == (
        0, "no sampled disagreement of nothing in attempt 1\n",
    )  # fmt: skip
    code, _, err = call("mismatches", "shop", "--field", "a..b")
    assert (code, len(err.splitlines())) == (2, 1)
    assert call("mismatches", "shop", "--attempt", 1)[0] == 0
    assert call("mismatches", "shop", "--attempt", 9) == (
        2, "", "shop has no attempt 9; the present one is attempt 1\n",
    )  # fmt: skip
    assert call("mismatches", "nobody")[0] == 2


def test_samples_survive_the_loss_of_redis(call: Call, monkeypatch: pytest.MonkeyPatch) -> None:
    """Once collected they are in the ledger's database, and collecting twice keeps them once."""
    compare()
    context = build_context(load_settings())
    collect(context, "shop")
    collect(context, "shop")
    with redis.Redis.from_url(load_settings().redis_url) as client:
        assert client.xlen("switchover:{shop}:mismatches") == 0
        client.flushall()
    assert json.loads(call("mismatches", "shop", "--json")[1])["samples"] == 2
    monkeypatch.setenv("SWITCHOVER_REDIS_URL", "redis://127.0.0.1:9/0")
    code, out, err = call("mismatches", "shop", "--json")
    assert (code, json.loads(out)["samples"]) == (0, 2)
    assert err.startswith("warning: ")


@pytest.mark.req("INV9")
def test_redacted_values_are_nowhere_outside_the_application(call: Call) -> None:
    """Not in one key of Redis, not in one row of SQL, not in what people see."""
    compare(3)
    settings = load_settings()
    with redis.Redis.from_url(settings.redis_url) as client:
        shipped = repr(client.xrange("switchover:{shop}:mismatches"))
        stored = repr([_content(client, key) for key in client.scan_iter()])
    outputs = [call("mismatches", "shop", *more)[1] for more in ((), ("--json",))]
    outputs += [call("status", "shop")[1], call("history", "shop", "--json")[1]]
    engine = create_engine(settings.database_url)
    with engine.connect() as connection:
        rows = [
            repr([tuple(row) for row in connection.execute(text(f"SELECT * FROM {table}"))])
            for table in ("mismatches", "blocks", "evidence", "entries", "effects")
        ]
    engine.dispose()
    assert "items[1].price" in shipped
    assert "items[1].price" in rows[0]
    assert shipped[1:-1] in stored
    everything = [stored, *outputs, *rows]
    assert not [secret for secret in SECRETS for place in everything if secret in place]


def _content(client: Any, key: bytes) -> Any:
    """All that a key of Redis holds."""
    read = {b"stream": client.xrange, b"hash": client.hgetall, b"string": client.get,
            b"set": client.smembers}  # fmt: skip
    kind = client.type(key)
    return client.zrange(key, 0, -1) if kind == b"zset" else read[kind](key)
