"""A migration that was rolled back at 10 %, as ledger entries."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import fields
from datetime import UTC, datetime
from typing import Any

import pytest

from switchover.incidents.record import Incident, incident_of
from switchover.machine.event import KINDS
from switchover.plan.criteria import DEFAULT_CRITERIA
from switchover.ports import Entry

NINE = datetime(2026, 3, 2, 9, 0, tzinfo=UTC).timestamp()
READING = {
    "verdict": "rollback",
    "gates": [
        {
            "gate": "latency",
            "kind": "quantile",
            "metric": "prediction_latency_p99",
            "verdict": "hold",
            "estimate": 0.19,
            "limit": 0.2,
            "n": 4200,
            "rollback_evidence": 0.4,
            "promote_evidence": 1.5,
            "need": 900,
            "sentence": "near",
        },
        {
            "gate": "agreement",
            "kind": "proportion",
            "metric": "prediction_agreement_rate",
            "verdict": "rollback",
            "estimate": 0.31,
            "limit": 0.15,
            "n": 4200,
            "rollback_evidence": 5.4e7,
            "promote_evidence": 0.001,
            "need": None,
            "sentence": "agreement: 31 % of 4,200 pairs disagree | limit 15 %",
        },
    ],
    "rollback_evidence": 5.4e7,
    "rollback_threshold": 100.0,
    "frozen": True,
    "sentence": "agreement is too low",
}
PLAN = {"title": "Mood detector 0.2.0 to 0.3.0", "rollback": {"target": 60.0}}


def entry(revision: int, kind: str, after: float, actor: str = "guard", **payload: Any) -> Entry:
    """An entry of an event ``after`` seconds past nine, written down at once."""
    at = NINE + after
    moment = datetime.fromtimestamp(at, UTC)
    if "actor" in {field.name for field in fields(KINDS[kind])} if kind in KINDS else False:
        payload["actor"] = actor
    return Entry("mood", revision, moment, actor, kind, {"at": at, **payload}, "", "")


def stage(revision: int, after: float, title: str, split: int, shadow: int = 0) -> Entry:
    return entry(
        revision,
        "stage_entered",
        after,
        stage=revision,
        title=title,
        mode="gradual",
        split=split,
        shadow=shadow,
        not_before=0.0,
    )


def attempt(first: int = 1, incident: str = "mood-1", **changes: Any) -> list[Entry]:
    """Start, shadow for an hour, 10 % for half an hour, rollback after 0.42 s."""
    rolled_back = {
        "actor": "guard",
        "trigger": "gate",
        "reason": "agreement is too low",
        "halt": "h1",
        "incident": incident,
        "flags": ["dual-temporal-output"],
        "reading": READING,
        "criteria": [criterion.model_dump() for criterion in DEFAULT_CRITERIA],
        **changes,
    }
    return [
        entry(first, "started", 0, "ada.meyer", plan="p", salt="s", key="string"),
        stage(first + 1, 60, "shadow", 0, 10_000),
        stage(first + 2, 3660, "canary 10 %", 1000),
        entry(first + 3, "rolled_back", 5460, **rolled_back),
        entry(
            first + 4,
            "rollback_measured",
            5461,
            incident=incident,
            seconds=0.42,
            routers=3,
            complete=True,
        ),
    ]


@pytest.fixture
def incident() -> Incident:
    return incident_of(attempt(), PLAN, "mood-1")


@pytest.fixture
def make_incident() -> Callable[..., Incident]:
    """The incident with further entries: ``(kind, payload)``, one a minute."""

    def make(*events: tuple[str, dict[str, Any]], **changes: Any) -> Incident:
        entries = attempt(**changes)
        for number, (kind, payload) in enumerate(events, 1):
            named = {"incident": "mood-1", **payload}
            entries.append(entry(5 + number, kind, 5461 + 60 * number, "ada", **named))
        return incident_of(entries, PLAN, "mood-1")

    return make


@pytest.fixture
def make_entry() -> Callable[..., Entry]:
    return entry


@pytest.fixture
def make_attempt() -> Callable[..., list[Entry]]:
    return attempt
