"""Many migrations on real servers, each in its shadow stage."""

from __future__ import annotations

import itertools
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from switchover.engine.advance import take_step
from switchover.engine.context import Context
from switchover.engine.start import start
from switchover.engine.work import record_work
from switchover.judge.block import Block
from switchover.judge.sketch import bucket_of
from switchover.ledger.schema import upgrade
from switchover.observe.stream import RedisBlockStream
from switchover.plan.load import LoadedPlan, digest, restore_plan
from switchover.ports import CheckResult
from switchover.testing.embedded import Postgres, Valkey
from switchover.wiring import build_context, load_settings

_numbers = itertools.count()

#: How long each answer takes, in seconds; the plan allows four times as much.
LATENCY = 0.05
_TIMED = (600 * LATENCY, 600 * LATENCY**2, {bucket_of(LATENCY): 600})


def document(migration: str, bake: str = "24h") -> dict[str, Any]:
    """A plan as teams write it: checks, shadow, two canary stages, three gates, approvals."""
    return {
        "switchover": 1,
        "migration": migration,
        "title": f"Scores of {migration}",
        "systems": {
            "legacy": {"version": "1", "url": "http://127.0.0.1:1"},
            "candidate": {"version": "2", "url": "http://127.0.0.1:2"},
        },
        "request_key": {"field": "id"},
        "checks": [{"name": "up", "kind": "health"}],
        "stages": [
            {"kind": "checks"},
            {"kind": "shadow", "bake": bake},
            {"kind": "canary", "percent": 25, "bake": bake, "approval": bake != "24h"},
            {"kind": "canary", "percent": 100, "bake": "24h", "approval": True},
        ],
        "gates": [
            {"metric": "success_rate", "at_least": "99%"},
            {"metric": "prediction_agreement_rate", "at_least": "95%"},
            {"metric": "prediction_latency_p99", "at_most": "200ms"},
        ],
        "agreement": {"fields": [{"path": "score", "compare": "number", "absolute": 0.05}]},
        "approvals": {"approvers": ["ada", "bo"], "expires": "24h"},
    }


@contextmanager
def servers(directory: Path) -> Iterator[tuple[dict[str, str], Postgres]]:
    """PostgreSQL and Valkey; gives the settings that reach them, and the former."""
    with Postgres(directory / "postgres") as postgres, Valkey(directory / "valkey") as valkey:
        database = postgres.create_database("fleet")
        upgrade(database)
        settings = {
            "SWITCHOVER_STATE_DIR": str(directory),
            "SWITCHOVER_INCIDENTS_DIR": str(directory / "incidents"),
            "SWITCHOVER_DATABASE_URL": database,
            "SWITCHOVER_REDIS_URL": valkey.url,
        }
        yield settings, postgres


class Fleet:
    """``names`` grows on demand; each migration is in its shadow stage."""

    def __init__(self, settings: dict[str, str]) -> None:
        self.settings = settings
        self.context: Context = build_context(load_settings(settings))
        self.stream = RedisBlockStream(settings["SWITCHOVER_REDIS_URL"])
        self.names: list[str] = []

    def grow(self, count: int) -> None:
        """Start migrations until there are ``count``."""
        new = [f"m{number:05d}" for number in range(len(self.names), count)]
        with ThreadPoolExecutor(4) as pool:
            list(pool.map(self.begin, new))
        self.names += new

    def observe(self, names: Sequence[str]) -> None:
        """Let a recorder of each migration ship what a minute brings."""
        for name in names:
            now = time.time()
            payloads, shipped = [], 0
            for metric, system in (
                ("success_rate", "legacy"), ("success_rate", "candidate"),
                ("prediction_latency_p99", "legacy"), ("prediction_latency_p99", "candidate"),
                ("prediction_agreement_rate", "pair"),
            ):  # fmt: skip
                shipped += 600
                sums = _TIMED if metric == "prediction_latency_p99" else ()
                block = Block(
                    f"{name}:{next(_numbers)}", name, metric, system, now - 0.001, 0.001, 600, 0,
                    *sums,
                    recorder=f"{name}-r", upto=shipped,
                )  # fmt: skip
                payloads.append(block.to_json())
            self.stream.append(name, payloads)

    def begin(self, name: str, bake: str = "24h") -> None:
        """Start a migration and take it to its shadow stage."""
        plan = document(name, bake)
        loaded = LoadedPlan(
            plan=restore_plan(plan), directory=Path.cwd(), files=(), source="",
            digest=digest(plan), document=plan,
        )  # fmt: skip
        start(self.context, loaded, actor="bench")
        fine = [CheckResult("up", True, "fine", 0.0)]
        record_work(self.context, name, "checks", fine, actor="bench")
        take_step(self.context, name, actor="bench")
