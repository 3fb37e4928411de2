from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import pytest

from switchover.judge.verdict import Verdict
from switchover.plan.stages import Stage
from switchover.ports import Entry
from switchover.reporting.tables import (
    gate_rows,
    progress,
    stage_changes,
    stage_rows,
    verdict_words,
)

Stages = tuple[Stage, ...]
Later = Callable[..., Sequence[Entry]]


@pytest.mark.req("P11")
def test_stage_table_shows_done_current_and_next(stages: Stages, entries: list[Entry]) -> None:
    """Each stage says where it stands, and one is current."""
    rows = stage_rows(stages, entries)
    assert [row.place for row in rows] == ["done", "done", "current", "next", "next"]
    assert [row.title for row in rows][1:3] == ["canary 10 %", "canary 25 %"]
    assert [row.percent for row in rows] == ["0 %", "10 %", "25 %", "100 %", "100 %"]
    assert [row.bake for row in rows] == ["–", "24 h", "1 min 30 s", "1 h 30 min", "–"]
    assert rows[2].began == "2026-03-03 09:36"
    assert progress(rows) == 40.0


@pytest.mark.req("P11")
def test_stage_table_shows_what_was_found_and_who_allowed_it(
    stages: Stages, entries: list[Entry]
) -> None:
    """Verdicts stand in the stage that was judged, approvals in the stage they opened."""
    rows = stage_rows(stages, entries)
    assert [row.verdict for row in rows] == ["✓ passed", "✓ promote", "", "", ""]
    assert [row.approval for row in rows] == ["", "", "approved by chris.ohm", "needed", ""]


@pytest.mark.req("P11")
@pytest.mark.parametrize(
    ("kind", "payload", "place"),
    [
        ("held", {}, "held"),
        ("rolled_back", {}, "rolled back"),
        ("aborted", {}, "aborted"),
        ("approval_requested", {"id": "a2", "stage": 3}, "waiting"),
        ("noted", {}, "current"),
    ],
)
def test_stage_that_does_not_go_on_says_why(
    stages: Stages, later: Later, kind: str, payload: dict[str, Any], place: str
) -> None:
    """The current stage shows a hold, a wait, a rollback or an abort."""
    assert stage_rows(stages, later(kind, **payload))[2].place == place


@pytest.mark.req("P11")
def test_rejected_approval_holds_the_stage_before(stages: Stages, later: Later) -> None:
    """A rejection shows in the stage asked for, and the present one is held."""
    entries = [*later("approval_requested", id="a2", stage=3)]
    entries += later("approval_decided", id="a2", status="rejected", approver="ada")[-1:]
    rows = stage_rows(stages, entries)
    assert (rows[2].place, rows[3].approval) == ("held", "rejected by ada")


@pytest.mark.req("P11")
def test_complete_migration_is_done_everywhere(stages: Stages, later: Later) -> None:
    """Entering the last stage ends the table: nothing stays current."""
    entries = [*later("stage_entered", stage=3, title="canary 100 %", split=10_000)]
    entries += later("stage_entered", stage=4, title="complete", split=10_000)[-1:]
    rows = stage_rows(stages, entries)
    assert {row.place for row in rows} == {"done"}
    assert progress(rows) == 100.0


@pytest.mark.req("P11")
def test_table_tells_the_present_attempt_only(stages: Stages, later: Later) -> None:
    """After a rollback and a new start, all is ahead again."""
    rows = stage_rows(stages, [*later("rolled_back"), *later("started")[-1:]])
    assert [row.place for row in rows] == ["current", "next", "next", "next", "next"]
    assert rows[1].verdict == ""


@pytest.mark.req("P11")
def test_plan_that_never_started_has_only_next_stages(stages: Stages) -> None:
    """Without entries the table is the plan."""
    rows = stage_rows(stages, [])
    assert {row.place for row in rows} == {"next"}
    assert progress(rows) == progress(()) == 0.0


@pytest.mark.req("P11")
def test_stage_changes_end_with_the_rollback(later: Later) -> None:
    """The picture's steps are the ledger's, down to zero."""
    changes = stage_changes(later("rolled_back"))
    assert [(title, share) for _, title, share in changes] == [
        ("canary 10 %", 10.0),
        ("canary 25 %", 25.0),
        ("rolled back", 0.0),
    ]


@pytest.mark.req("P11")
def test_gate_table_has_the_numbers_with_units_and_thresholds(reading: dict[str, Any]) -> None:
    """Estimates are in the gate's unit, evidence stands beside what it faces."""
    agreement, latency, memory = gate_rows(reading)
    assert (agreement.estimate, agreement.limit, agreement.n) == ("4.12 % bad", "15 % bad", "4,210")
    assert (agreement.against, agreement.favour) == ("< 0.01 of 10", "> 1,000,000 of 20")
    assert (latency.estimate, latency.limit) == ("183 ms", "200 ms")
    assert (memory.estimate, memory.limit, memory.need) == ("–", "+20 %", "never")
    assert agreement.sentence == "4.12 % of 4,210 bad | promoted"


@pytest.mark.req("P11")
def test_every_verdict_has_a_sign_of_its_own() -> None:
    """Verdicts are told apart without colour."""
    said = {verdict_words(verdict.value) for verdict in Verdict}
    assert len({words[0] for words in said}) == len(Verdict)
    assert "… insufficient evidence" in said
