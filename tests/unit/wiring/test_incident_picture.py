"""The picture shows what fired: a RED trigger's own metric, and not the worst gate's."""

from __future__ import annotations

from typing import Any

import pytest

from switchover.clock import ManualClock
from switchover.incidents.record import Incident, incident_of
from switchover.judge.block import Block
from switchover.machine.event import RolledBack
from switchover.plan.load import restore_plan
from switchover.reporting.incident_plot import Fired
from switchover.testing.ledger import InMemoryLedger, begin_migration
from switchover.wiring.incident_picture import draw_incident, what_fired

pytestmark = pytest.mark.req("R3", "R5")

READING = {"gates": [{"gate": "success_rate", "verdict": "hold", "rollback_evidence": 90.0}]}
PLAN: dict[str, Any] = {
    "switchover": 1,
    "migration": "mood",
    "title": "Mood",
    "systems": {
        "legacy": {"version": "1", "url": "http://127.0.0.1:1"},
        "candidate": {"version": "2", "url": "http://127.0.0.1:2"},
    },
    "request_key": {"field": "id"},
    "gates": [
        {"metric": "success_rate", "at_least": "90%"},
        {"metric": "prediction_latency_p99", "at_most": "200ms"},
        {"metric": "isolation_violations", "at_most": 0},
        {"name": "no more memory", "metric": "memory_usage_delta", "at_most": "20%"},
    ],
    "triggers": {
        "red": [
            {"name": "isolation", "metric": "isolation_violations", "at_most": 0},
            {"name": "failing", "metric": "success_rate", "at_least": "70%"},
            {"name": "slower", "metric": "response_time_p95", "above_legacy": "50%"},
            {"name": "late", "metric": "response_time_p95", "at_most": "2s"},
            {"name": "path", "probe": {"kind": "http", "name": "p", "system": "candidate"}},
        ]
    },
}


def incident(trigger: str, reason: str = "bad", verdict: str = "hold") -> Incident:
    """An incident of this trigger; a gate on another metric was the worst one then."""
    ledger = InMemoryLedger()
    record = begin_migration(ledger, document=PLAN)
    gates = [{**READING["gates"][0], "verdict": verdict}]
    back = RolledBack(
        1_772_442_000.0, "guard", trigger, reason, "i-1", "i-1", reading={"gates": gates}
    )
    now = ManualClock().now()
    ledger.append("mood", record.state.revision, back, at=now, actor="guard")
    return incident_of(ledger.entries("mood"), PLAN, "i-1")


@pytest.mark.parametrize(
    ("trigger", "wanted"),
    [
        ("red: isolation", Fired("isolation_violations", "isolation", "events", limit=0.0)),
        ("red: failing", Fired("success_rate", "failing", "share", limit=0.3)),
        ("red: slower", Fired("response_time_p95", "slower", "mean", ratio=1.5, seconds=True)),
        ("red: late", Fired("response_time_p95", "late", "quantile", limit=2.0, seconds=True)),
        ("red: path", Fired(name="path", said="a probe fired: bad")),
        ("red: of an older plan", Fired("success_rate", "success_rate", limit=0.1)),
        ("judge", Fired("success_rate", "success_rate", limit=0.1)),
    ],
)
def test_what_fired_is_found_by_the_triggers_name(trigger: str, wanted: Fired) -> None:
    """With its limit as it is drawn: the share of bad ones, events, or what legacy allows."""
    found = what_fired(restore_plan(PLAN), incident(trigger))
    assert (found.metric, found.name, found.reads) == (wanted.metric, wanted.name, wanted.reads)
    assert found.limit == (None if wanted.limit is None else pytest.approx(wanted.limit))
    assert (found.ratio, found.seconds, found.said) == (wanted.ratio, wanted.seconds, wanted.said)


def test_the_blocks_of_that_metric_are_drawn(monkeypatch: pytest.MonkeyPatch) -> None:
    """Out of the ledger, with the rollback's incident as its title."""
    from switchover.reporting import incident_plot as module

    ledger = InMemoryLedger()
    record = begin_migration(ledger, document=PLAN)
    at = 1_772_442_000.0
    ledger.ingest(
        "mood",
        [Block("b1", "mood", "isolation_violations", "candidate", at - 60, 60, 10, 1, 0.0, 0.0, {}),
         Block("b2", "mood", "success_rate", "candidate", at - 60, 60, 10, 9, 0.0, 0.0, {})],
        "1-0",
        lambda stored, fresh: stored or {},
    )  # fmt: skip
    back = RolledBack(at, "guard", "red: isolation", "bad", "i-1", "i-1", reading=READING)
    now = ManualClock().now()
    ledger.append("mood", record.state.revision, back, at=now, actor="guard")
    drawn: list[tuple[Any, ...]] = []

    def draw(series: Any, fired: Fired, **told: Any) -> bytes:
        drawn.append((series, fired, told))
        return b"png"

    monkeypatch.setattr(module, "incident_plot", draw)
    draw_incident(ledger, incident_of(ledger.entries("mood"), PLAN, "i-1"))
    ((series, fired, told),) = drawn
    assert [value for _, value in series["candidate"]] == [1.0]
    assert fired.metric == "isolation_violations"
    assert told["title"] == "Mood: isolation (isolation_violations)"
    assert told["trigger"] == "red: isolation"
