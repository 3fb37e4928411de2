from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import pytest

from switchover.machine.inquiry import Inquiry
from switchover.machine.state import Phase, State
from switchover.plan.stages import Stage
from switchover.ports import Entry
from switchover.reporting.markdown import (
    gate_table,
    stage_table,
    status_paragraph,
    verdict_markdown,
)
from switchover.reporting.tables import gate_rows, stage_rows

STATE = State("mood", stage=2, split=2500, shadow=2000, not_before=1_772_442_000.0)


def cells(table: str) -> list[int]:
    """How many unescaped column borders each line of a table has."""
    lines = [line for line in table.splitlines() if line.startswith("|")]
    return [line.replace("\\|", "").count("|") for line in lines]


@pytest.mark.req("P11")
def test_stage_table_is_even_and_marks_the_current_stage(
    stages: Sequence[Stage], entries: list[Entry]
) -> None:
    """Every line has the same columns, and only the current stage is bold."""
    table = stage_table(stage_rows(stages, entries))
    assert set(cells(table)) == {9}
    bold = [line for line in table.splitlines() if "**" in line]
    assert len(bold) == 1
    assert "**canary 25 %** | **current**" in bold[0]


@pytest.mark.req("P11")
def test_gate_table_is_even_with_any_sentence(reading: dict[str, Any]) -> None:
    """A bar in a sentence does not break the row, and no float is wider than a few digits."""
    table = gate_table(gate_rows(reading))
    assert set(cells(table)) == {10}
    assert "0.0412345" not in table
    assert "> 1,000,000 of 20" in table


@pytest.mark.req("P11")
def test_stage_without_gates_says_so() -> None:
    """No empty table is shown."""
    assert gate_table(()) == "This stage has no gates: it is judged by its work."


@pytest.mark.req("P11")
def test_verdict_comes_before_its_numbers(reading: dict[str, Any]) -> None:
    """Verdict, sentence and the sum against its threshold open the page; a freeze is told."""
    text = verdict_markdown(reading)
    assert text.startswith("**Verdict: hold.** memory holds back")
    assert "all gates together: 0.3 of 100." in text
    assert "frozen" not in text.split("\n\n")[1]
    assert "frozen" in verdict_markdown({**reading, "frozen": True}).split("\n\n")[1]


@pytest.mark.req("P11")
def test_status_says_where_and_until_when(stages: Sequence[Stage]) -> None:
    """One paragraph: phase, stage, split, shadow, bake."""
    said = status_paragraph("Mood", STATE, stages)
    assert said == (
        "**Mood** is running, in stage 3 of 5 (*canary 25 %*). The candidate serves 25 %. "
        "20 % of the requests are shadowed. The stage bakes until 2026-03-02 09:00 UTC."
    )


@pytest.mark.req("P11")
@pytest.mark.parametrize("phase", list(Phase))
def test_every_phase_has_words(phase: Phase, stages: Sequence[Stage]) -> None:
    """No phase is shown by its raw name, and a rollback names its incident."""
    state = replace(STATE, phase=phase, reason="gates <b>fell</b>.", incident="mood-1")
    said = status_paragraph("Mood", state, stages)
    assert phase.value not in said or phase.value in ("running", "held", "aborted", "complete")
    assert "Last word: gates &lt;b&gt;fell&lt;/b&gt;." in said
    assert ("`mood-1`" in said) == (phase is Phase.ROLLED_BACK)


@pytest.mark.req("P11", "R6")
def test_a_rollback_shows_what_another_attempt_waits_for(stages: Sequence[Stage]) -> None:
    """State and open points stand where people look first."""
    inquiry = Inquiry("mood-1", 0.0, (("mended", "it is mended"),), turned=True,
                      written=("root_cause", "impact", "actions"))  # fmt: skip
    state = replace(STATE, phase=Phase.ROLLED_BACK, incident="mood-1", inquiries=(inquiry,))
    said = status_paragraph("Mood", state, stages)
    assert "Incident `mood-1` is mitigated. Open points: the analysis lacks prevention; " in said
    assert "criteria not ticked: mended." in said
