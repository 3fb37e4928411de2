"""A plan's stages and the entries of an attempt that stands at 25 %."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from typing import Any

import pytest

from switchover.plan.stages import Stage
from switchover.ports import Entry

NINE = datetime(2026, 3, 2, 9, 0, tzinfo=UTC).timestamp()
HOUR = 3600.0


def entry(kind: str, hours: float, **payload: Any) -> Entry:
    at = NINE + hours * HOUR
    return Entry(
        "mood", 0, datetime.fromtimestamp(at, UTC), "ada", kind, {"at": at, **payload}, "", ""
    )


def entered(hours: float, stage: int, title: str, split: int) -> Entry:
    return entry("stage_entered", hours, stage=stage, title=title, split=split, shadow=0)


@pytest.fixture
def stages() -> tuple[Stage, ...]:
    return (
        Stage(0, "checks", "checks", "legacy_only", work=True),
        Stage(1, "canary-10", "canary", "gradual", split=1000, bake=86_400.0),
        Stage(2, "canary-25", "canary", "gradual", split=2500, bake=90.0, approval=True),
        Stage(3, "canary-100", "canary", "gradual", split=10_000, bake=5400.0, approval=True),
        Stage(4, "complete", "complete", "candidate_only", split=10_000),
    )


@pytest.fixture
def entries() -> list[Entry]:
    return [
        entry("started", 0),
        entry("work_recorded", 0.1, stage=0, ok=True, summary="5 of 5"),
        entered(0.2, 1, "canary 10 %", 1000),
        entry("judged", 20, stage=1, verdict="promote", sentence="all gates hold"),
        entry("approval_requested", 24.2, id="a1", stage=2),
        entry("approval_decided", 24.5, id="a1", status="approved", approver="chris.ohm"),
        entered(24.6, 2, "canary 25 %", 2500),
    ]


@pytest.fixture
def later(entries: list[Entry]) -> Callable[..., Sequence[Entry]]:
    """The entries and one more."""
    return lambda kind, **payload: [*entries, entry(kind, 25, **payload)]


@pytest.fixture
def reading() -> dict[str, Any]:
    gate = {
        "verdict": "promote",
        "n": 4210,
        "rollback_evidence": 0.0041,
        "promote_evidence": 5.23e12,
        "need": 0,
    }
    return {
        "verdict": "hold",
        "rollback_evidence": 0.3,
        "rollback_threshold": 100.0,
        "frozen": False,
        "sentence": "memory holds back",
        "gates": [
            {
                **gate,
                "gate": "agreement",
                "kind": "proportion",
                "metric": "prediction_agreement_rate",
                "estimate": 0.0412345,
                "limit": 0.15,
                "sentence": "agreement: 4.12 % of 4,210 bad | promoted",
            },
            {
                **gate,
                "gate": "latency",
                "kind": "quantile",
                "metric": "prediction_latency_p99",
                "estimate": 0.1834567,
                "limit": 0.2,
                "sentence": "latency: p99 0.183",
            },
            {
                **gate,
                "gate": "memory",
                "kind": "memory",
                "metric": "memory_usage_delta",
                "verdict": "insufficient_evidence",
                "estimate": None,
                "limit": 0.2,
                "need": None,
                "n": 0,
                "sentence": "memory: no data",
            },
        ],
    }
