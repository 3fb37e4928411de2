"""Probes against real servers: HTTP, SQLite, PostgreSQL, a ledger's metrics, programs."""

from __future__ import annotations

import json
import sys
import threading
from collections.abc import Callable, Iterator, Mapping
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from pydantic import TypeAdapter

from switchover.checks.probe import SystemProbes
from switchover.clock import ManualClock
from switchover.errors import InputError, Refused
from switchover.judge.block import Block
from switchover.judge.sketch import bucket_of
from switchover.plan.load import restore_plan
from switchover.plan.probes import Probe
from switchover.plan.spec import Plan
from switchover.ports import CheckResult
from switchover.testing.stand_in import StandInServer

pytestmark = pytest.mark.req("R4")

ADAPTER: TypeAdapter[Probe] = TypeAdapter(Probe)
NOW = ManualClock().now().timestamp()


class Shop(StandInServer):
    """Answers with what the test puts in; keeps what it was asked."""

    def __init__(self) -> None:
        shop = self
        self.seen: list[tuple[str, str, dict[str, str], bytes]] = []
        self.status, self.answer = 200, b'{"state": "paid", "total": 12.5, "customer": "Ada"}'
        self.gate = threading.Event()
        self.gate.set()

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def handle_any(self) -> None:
                body = self.rfile.read(int(self.headers.get("content-length", 0)))
                shop.seen.append((self.command, self.path, dict(self.headers), body))
                shop.gate.wait(10)
                self.send_response(shop.status)
                self.send_header("content-length", str(len(shop.answer)))
                self.end_headers()
                self.wfile.write(shop.answer if self.command != "HEAD" else b"")

            do_GET = do_POST = do_HEAD = handle_any  # noqa: N815

            def log_message(self, *_: Any) -> None:
                """Silent: tests read what was seen."""

        super().__init__(("127.0.0.1", 0), Handler)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}"


@pytest.fixture
def shop() -> Iterator[Shop]:
    with Shop() as running:
        thread = threading.Thread(target=running.serve_forever, args=(0.02,))
        thread.start()
        yield running
        running.gate.set()
        running.shutdown()
        thread.join()


def plan(legacy: str = "http://127.0.0.1:9", **more: Any) -> Plan:
    """A small plan whose legacy is ``legacy``."""
    return restore_plan(
        {"switchover": 1, "migration": "demo", "title": "Demo",
         "systems": {"legacy": {"version": "1", "url": legacy},
                     "candidate": {"version": "2", "url": "http://127.0.0.1:9"}},
         "request_key": {"field": "id"}, "stages": [{"kind": "shadow"}],
         "gates": [{"metric": "success_rate"}], **more}
    )  # fmt: skip


def run(
    probe: dict[str, Any], where: Plan | None = None, directory: Path | str = ".",
    environ: Mapping[str, str] | None = None, blocks: Any = None,
    allow: frozenset[str] = frozenset(), since: float | None = None,
) -> CheckResult:  # fmt: skip
    """Ask one probe once."""
    runner = SystemProbes(
        blocks or (lambda *_: ()), environ or {}, allow, clock=ManualClock()
    )  # fmt: skip
    parsed = ADAPTER.validate_python({"name": "it", **probe})
    return runner.run(parsed, where or plan(), str(directory), since=since)


def http(shop: Shop, environ: Mapping[str, str] | None = None, **probe: Any) -> CheckResult:
    return run({"kind": "http", **probe}, plan(shop.url), environ=environ)


def test_an_answer_as_expected_passes_with_its_numbers(shop: Shop) -> None:
    """Status and time are evidence; the request goes to legacy's health path by itself."""
    found = http(shop)
    assert found.ok
    assert found.detail["status"] == 200
    assert found.detail["answered_in"] >= 0
    assert shop.seen[0][:2] == ("GET", "/health")


def test_a_request_carries_the_plans_headers_and_body(shop: Shop) -> None:
    """The header's secret comes from the worker's environment, and is nowhere in the result."""
    found = http(
        shop, {"SHOP_TOKEN": "Bearer s3cr3t-value"}, path="/orders", method="POST",
        headers={"Authorization": "env:SHOP_TOKEN", "X-Tenant": "t1"}, body={"item": 1},
    )  # fmt: skip
    method, path, headers, body = shop.seen[0]
    assert (method, path, json.loads(body)) == ("POST", "/orders", {"item": 1})
    lower = {name.lower(): value for name, value in headers.items()}
    assert (lower["authorization"], lower["x-tenant"]) == ("Bearer s3cr3t-value", "t1")
    assert "s3cr3t" not in json.dumps(found.to_dict())


@pytest.mark.parametrize(
    ("expect", "words"),
    [
        ({"status": 201}, "status 201 expected"),
        ({"values": {"state": "open"}}, "state is 'paid', 'open' expected"),
        ({"values": {"missing.deep": 1}}, "missing.deep is None, 1 expected"),
        ({"contains": "refunded"}, "does not contain 'refunded'"),
        ({"at_most": "1us"}, "at most 0.001 ms expected"),
    ],
)
def test_an_answer_that_differs_fails_and_says_how(
    shop: Shop, expect: dict[str, Any], words: str
) -> None:
    """With an excerpt of the answer."""
    found = http(shop, expect=expect)
    assert not found.ok
    assert words in found.summary
    assert "paid" in found.detail["excerpt"]


def test_values_and_text_that_are_there_pass(shop: Shop) -> None:
    """All expectations at once."""
    found = http(shop, expect={"values": {"state": "paid", "total": 12.5}, "contains": "Ada"})
    assert found.ok, found.summary


def test_a_truth_value_is_no_number(shop: Shop) -> None:
    """1 is not true, though Python says so."""
    shop.answer = b'{"on": 1}'
    assert not http(shop, expect={"values": {"on": True}}).ok


def test_an_answer_is_held_against_a_contract(shop: Shop, tmp_path: Path) -> None:
    """Its faults name the place and never the value."""
    schema = {"type": "object", "required": ["total"],
              "properties": {"customer": {"type": "string", "maxLength": 2}}}  # fmt: skip
    (tmp_path / "order.json").write_text(json.dumps(schema), "utf-8")
    probe = {"kind": "http", "expect": {"contract": "order.json"}}
    found = run(probe, plan(shop.url), tmp_path)
    assert not found.ok
    assert "it breaks order.json: $.customer" in found.summary
    assert "Ada" not in found.summary
    shop.answer = b'{"total": 1}'
    assert run(probe, plan(shop.url), tmp_path).ok


def test_what_the_plan_redacts_is_not_shown(shop: Shop) -> None:
    """Neither as a value nor in an excerpt."""
    agreement = {"fields": [{"path": "state"}], "redact": ["customer"]}
    found = run(
        {"kind": "http", "expect": {"values": {"customer": "Bo", "state": "open"}}},
        plan(shop.url, agreement=agreement),
    )
    assert not found.ok
    assert "'paid'" in found.summary
    assert "Ada" not in json.dumps(found.to_dict())


def test_secrets_in_a_wrong_answer_are_taken_out(shop: Shop) -> None:
    """Those of the environment, and those that look like one."""
    shop.status = 500
    shop.answer = b"db password=hunter2hunter2 token abcdef-key-of-shop"
    found = http(shop, {"SHOP_API_KEY": "abcdef-key-of-shop"})
    assert "hunter2" not in found.detail["excerpt"]
    assert "abcdef" not in found.detail["excerpt"]


def test_a_server_that_is_gone_or_silent_is_a_failed_probe(shop: Shop) -> None:
    """Within the probe's time limit."""
    gone = run({"kind": "http"})
    assert not gone.ok
    assert "no answer" in gone.summary
    shop.gate.clear()
    silent = http(shop, timeout="100ms")
    assert not silent.ok
    assert "no answer within 0.1 s" in silent.summary
    shop.gate.set()


def test_a_variable_that_is_not_set_is_named(shop: Shop) -> None:
    """Nothing is sent then."""
    with pytest.raises(InputError, match=r"SHOP_TOKEN is not set"):
        http(shop, headers={"Authorization": "env:SHOP_TOKEN"})
    assert shop.seen == []


@pytest.fixture(params=["sqlite", "postgresql"])
def database(request: pytest.FixtureRequest) -> str:
    """The address of a database with three orders, one of them unpaid."""
    name = "sqlite_url" if request.param == "sqlite" else "postgres_database"
    url: str = request.getfixturevalue(name)
    engine = sa.create_engine(url.replace("postgresql://", "postgresql+psycopg://"))
    with engine.begin() as connection:
        connection.execute(sa.text("CREATE TABLE orders (id INTEGER, paid BOOLEAN, note TEXT)"))
        connection.execute(
            sa.text("INSERT INTO orders VALUES (1, true, 'a:b'), (2, true, '%'), (3, false, '')")
        )
    engine.dispose()
    return url


Sql = Callable[..., CheckResult]


@pytest.fixture
def sql(database: str) -> Sql:
    """Asks the database one question."""

    def ask(query: str, **more: Any) -> CheckResult:
        probe = {"kind": "sql", "database": "env:SHOP_DB", "query": query, **more}
        return run(probe, environ={"SHOP_DB": database})

    return ask


@pytest.mark.parametrize(
    ("query", "expect", "ok"),
    [
        ("SELECT count(*) FROM orders", {"value": 3}, True),
        ("SELECT count(*) FROM orders", {"value": 4}, False),
        ("SELECT paid FROM orders WHERE id = 3", {"value": False}, True),
        ("SELECT note FROM orders WHERE note = 'a:b'", {"value": "a:b", "rows": 1}, True),
        ("SELECT id FROM orders WHERE note LIKE '%%'", {"rows": 3}, True),
        ("SELECT id FROM orders WHERE id > 7", {"rows": 0}, True),
        ("SELECT id FROM orders WHERE id > 7", {"at_most": 5}, False),
        ("SELECT count(*) FROM orders", {"at_least": 3, "at_most": 3}, True),
        ("SELECT count(*) FROM orders", {"at_least": 4}, False),
        ("SELECT avg(id) FROM orders", {"at_most": 1.5}, False),
        ("SELECT note FROM orders ORDER BY id LIMIT 1", {"at_least": 1}, False),
        ("WITH o AS (SELECT * FROM orders) SELECT id FROM o", {"rows": 2}, False),
    ],
)
def test_a_query_gives_what_is_expected(
    sql: Sql, query: str, expect: dict[str, Any], ok: bool
) -> None:
    """In words with the value that was found, which the ledger can keep."""
    found = sql(query, expect=expect)
    assert found.ok is ok, found.summary
    json.dumps(found.to_dict())
    if not ok:
        assert found.summary.endswith("expected")


def test_a_query_can_change_nothing(sql: Sql) -> None:
    """Whatever gets past the plan's rules, the connection refuses."""
    found = sql("SELECT 1", expect={"rows": 1})
    assert found.ok
    writing = "WITH x AS (DELETE FROM orders RETURNING id) SELECT count(*) FROM x"
    assert not sql(writing, expect={"value": 3}).ok
    assert sql("SELECT count(*) FROM orders", expect={"value": 3}).ok


def test_a_query_that_takes_too_long_or_is_wrong_is_a_failed_probe(sql: Sql) -> None:
    """The probe says what the database said, and ends in time."""
    forever = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT max(i) FROM n"
    slow = sql(forever, expect={"value": 1}, timeout="300ms")
    assert not slow.ok
    assert "the query fails" in slow.summary
    wrong = sql("SELECT nothing FROM orders", expect={"value": 1})
    assert not wrong.ok
    assert "nothing" in wrong.summary


def test_a_database_that_is_gone_is_a_failed_probe_without_its_password() -> None:
    """And a variable that is not set is an error that names it."""
    probe = {"kind": "sql", "database": "env:SHOP_DB", "query": "SELECT 1", "expect": {"rows": 1}}
    found = run(probe, environ={"SHOP_DB": "postgresql://u:s3cr3t-pw@127.0.0.1:9/none"})
    assert not found.ok
    assert "s3cr3t" not in json.dumps(found.to_dict())
    with pytest.raises(InputError, match="SHOP_DB is not set"):
        run(probe)


def block(at: float, n: int, bad: int = 0, value: float = 0.0, **more: Any) -> Block:
    sketch = {bucket_of(value): n} if value else {}
    given = {"metric": "error_rate", "system": "legacy", **more}
    return Block(f"b{at}", "demo", start=NOW + at, seconds=5, n=n, bad=bad, sketch=sketch,
                 total=value * n, total_squares=value * value * n, **given)  # fmt: skip


def metric(blocks: list[Block], since: float | None = -120, **probe: Any) -> CheckResult:
    def recorded(migration: str, begin: float, end: float) -> list[Block]:
        assert migration == "demo"
        return [each for each in blocks if begin <= each.start < end]

    given = {"kind": "metric", "metric": "error_rate", **probe}
    return run(given, blocks=recorded, since=None if since is None else NOW + since)


def test_a_metric_is_held_against_its_bound_since_the_rollback() -> None:
    """What was recorded before the rollback speaks of the candidate's time."""
    blocks = [block(-300, 1000, bad=900), block(-119, 100), block(-60, 100, bad=1)]
    found = metric(blocks, at_most="1%")
    assert found.ok, found.summary
    assert (found.detail["n"], found.detail["value"]) == (200, 0.005)
    assert not metric([*blocks, block(-30, 100, bad=20)], at_most="1%").ok


def test_too_few_observations_prove_nothing() -> None:
    """Missing evidence never passes (invariant 6)."""
    assert not metric([], at_most="1%").ok
    few = metric([block(-60, 100)], at_most="1%", minimum=101)
    assert not few.ok
    assert "100 of 101 observations" in few.summary
    assert metric([block(-60, 101)], at_most="1%", minimum=101).ok


def test_every_measure_has_its_own_reading() -> None:
    """Quantile, mean, count and a lower bound of a share."""
    fast = [block(-60, 100, value=0.05, metric="response_time_p95")]
    assert metric(fast, metric="response_time_p95", at_most="200ms").ok
    assert not metric(fast, metric="response_time_p95", at_most="20ms").ok
    long = [block(-60, 100, value=700.0, metric="duration_avg")]
    assert not metric(long, metric="duration_avg", at_most="10min").ok
    leak = [block(-60, 100, bad=1, metric="isolation_violations")]
    assert not metric(leak, metric="isolation_violations", at_most=0).ok
    sold = [block(-60, 100, bad=5, metric="success_rate")]
    assert metric(sold, metric="success_rate", at_least="90%").ok
    assert not metric(sold, metric="success_rate", at_least="96%").ok


def test_without_a_rollback_it_looks_back_for_a_while() -> None:
    """``over`` says how far; by itself it is a quarter of an hour."""
    blocks = [block(-1000, 100, bad=100), block(-500, 100, bad=50), block(-50, 100)]
    assert not metric(blocks, since=None, at_most="1%").ok
    assert metric(blocks, since=None, at_most="1%", over="1min").ok
    assert metric(blocks, since=None, at_most="26%").ok


def test_a_program_runs_only_when_the_operator_allows_it(tmp_path: Path) -> None:
    """Its end says whether the probe passes."""
    good = {"kind": "command", "argv": [sys.executable, "-c", "print('fine')"]}
    with pytest.raises(Refused, match="SWITCHOVER_ALLOW_COMMANDS"):
        run(good, directory=tmp_path)
    allow = frozenset({sys.executable})
    found = run(good, directory=tmp_path, allow=allow)
    assert found.ok
    assert (found.detail["kind"], found.detail["exit_code"]) == ("command", 0)
    bad = {"kind": "command", "argv": [sys.executable, "-c", "raise SystemExit(3)"]}
    assert "exit code 3" in run(bad, directory=tmp_path, allow=allow).summary
