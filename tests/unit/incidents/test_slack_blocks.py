from __future__ import annotations

import json
from dataclasses import replace

import pytest

from switchover.incidents.record import Incident
from switchover.incidents.slack_blocks import (
    approval_blocks,
    approval_text,
    rollback_blocks,
    rollback_text,
)
from switchover.incidents.slack_limits import (
    CUT,
    MAX_BLOCKS,
    MAX_HEADER,
    MAX_SECTION,
    clip,
    fit,
)
from switchover.incidents.slack_thread import mitigated_text


@pytest.mark.req("P9")
def test_rollback_alert_answers_what_why_who_and_how_fast(incident: Incident) -> None:
    """A person on call learns the essentials without opening anything."""
    said = json.dumps(rollback_blocks(incident), ensure_ascii=False)
    for part in (
        "Rolled back: Mood detector",
        "agreement is too low",
        "guard",
        "0.420 s, 3 routers",
        "dual-temporal-output",
        "10 % for 30 min",
        "switchover incident show mood-1",
    ):
        assert part in said


@pytest.mark.req("P9")
def test_rollback_alert_shows_the_gate_that_failed_with_its_numbers(incident: Incident) -> None:
    """The failing gate is there with n and evidence; the ones that held are left out."""
    said = json.dumps(rollback_blocks(incident))
    assert "n = 4,200, evidence against 5.4e+07" in said
    assert "*latency*" not in said


@pytest.mark.req("P9")
def test_thread_reply_says_mitigated_only_when_all_routers_turned(incident: Incident) -> None:
    """An incomplete rollback asks for a look instead of giving the all-clear."""
    assert mitigated_text(incident).startswith("Mitigated: all 3 live routers")
    assert "Mitigated" not in mitigated_text(replace(incident, complete=False))
    assert "No router was alive" in mitigated_text(replace(incident, routers=0))
    assert "being measured" in mitigated_text(replace(incident, rollback_seconds=None))


@pytest.mark.req("P9")
def test_text_from_elsewhere_cannot_page_the_channel(incident: Incident) -> None:
    """A reason with Slack's control sequences is shown and not obeyed."""
    loud = replace(incident, reason="<!channel> <https://evil|click>", trigger="<!here>")
    said = json.dumps(rollback_blocks(loud)) + rollback_text(loud)
    assert "<!channel>" not in said
    assert "<!here>" not in said
    assert "&lt;https://evil|click&gt;" in said


@pytest.mark.req("P9")
def test_blocks_stay_within_slacks_limits(incident: Incident) -> None:
    """Long titles, reasons and lists are cut, saying where the rest is."""
    long = replace(incident, title="t" * 900, reason="&" * 9000, components=("f" * 5000,))
    blocks = rollback_blocks(long)
    assert len(blocks[0]["text"]["text"]) == MAX_HEADER
    assert len(blocks[1]["text"]["text"]) <= MAX_SECTION
    assert blocks[1]["text"]["text"].endswith("&amp;" + CUT)
    assert max(len(field["text"]) for field in blocks[2]["fields"]) <= 2000
    many = fit([blocks[0]] * 80)
    assert len(many) == MAX_BLOCKS
    assert CUT in json.dumps(many[-1], ensure_ascii=False)


@pytest.mark.req("P9")
def test_short_text_is_left_as_it_is() -> None:
    """Nothing is cut that fits."""
    assert clip("x" * 100, 100) == "x" * 100


@pytest.mark.req("P6")
def test_approval_message_shows_evidence_and_every_way_to_decide() -> None:
    """An approver sees the numbers, the deadline, the command and the link."""
    reading = {
        "sentence": "all gates hold",
        "gates": [
            {"gate": "agreement", "sentence": "4.1 % disagree", "n": 9000, "rollback_evidence": 0.2}
        ],
    }
    said = json.dumps(
        approval_blocks(
            migration="mood",
            title="Mood",
            stage="canary 25 %",
            request="a-1",
            expires_at=1_772_442_000.0,
            approvers=["ada.meyer", "chris.ohm"],
            reading=reading,
            link="http://127.0.0.1:4200/runs/flow-run/1",
        )
    )
    for part in (
        "canary 25 %",
        "all gates hold",
        "4.1 % disagree",
        "n = 9,000",
        "2026-03-02",
        "switchover approve mood",
        "switchover reject mood",
        "<http://127.0.0.1:4200/runs/flow-run/1|",
        "ada.meyer, chris.ohm",
        "a-1",
    ):
        assert part in said
    assert "canary 25 %" in approval_text("mood", "canary 25 %")
