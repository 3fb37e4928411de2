from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta

import pytest

from switchover.errors import InputError
from switchover.incidents.record import Incident, incident_of
from switchover.incidents.timeline import _SENTENCES
from switchover.incidents.wording import spell_evidence, spell_seconds
from switchover.machine import event
from switchover.ports import Entry

Attempt = Callable[..., list[Entry]]


@pytest.mark.req("R5")
def test_incident_is_told_from_the_entries(incident: Incident) -> None:
    """Who, why, what went off and which gate asked for it all come from the ledger."""
    assert (incident.trigger, incident.actor, incident.reason) == (
        "gate",
        "guard",
        "agreement is too low",
    )
    assert incident.components == ("dual-temporal-output",)
    assert [gate["gate"] for gate in incident.failing] == ["agreement"]
    assert incident.title == "Mood detector 0.2.0 to 0.3.0"


@pytest.mark.req("R1")
def test_measured_rollback_is_mitigated_with_its_seconds(incident: Incident) -> None:
    """Once measured, the record holds seconds, routers and the promise they are held against."""
    assert incident.state == "mitigated"
    assert (incident.rollback_seconds, incident.routers, incident.complete) == (0.42, 3, True)
    assert incident.target_seconds == 60.0


@pytest.mark.req("R5")
def test_unmeasured_rollback_is_open(make_attempt: Attempt) -> None:
    """Before the measurement the incident is open and claims no duration."""
    incident = incident_of(make_attempt()[:-1], {}, "mood-1")
    assert incident.state == "open"
    assert incident.rollback_seconds is None


@pytest.mark.req("R1")
def test_a_plan_that_names_no_target_promises_the_default(make_attempt: Attempt) -> None:
    """What a plan leaves out counts with its default, in the record as in the explanation."""
    assert incident_of(make_attempt(), {}, "mood-1").target_seconds == 60.0


@pytest.mark.req("R5")
def test_rollback_before_the_first_stage_has_no_exposure(make_attempt: Attempt) -> None:
    """Somebody rolled back while the checks were still to run: an incident without impact."""
    entries = [entry for entry in make_attempt() if entry.kind != "stage_entered"]
    assert incident_of(entries, {}, "mood-1").exposures == ()


@pytest.mark.req("R5")
def test_impact_counts_each_stage_until_the_next_or_the_rollback(incident: Incident) -> None:
    """Exposure ends with the next stage, the last one's with the rollback."""
    assert [(e.title, e.split, e.seconds) for e in incident.exposures] == [
        ("shadow", 0, 3600.0),
        ("canary 10 %", 1000, 1800.0),
    ]
    assert incident.reach == "The candidate served 10 % for 30 min."


@pytest.mark.req("R5")
def test_rollback_in_shadow_reached_nobody(make_attempt: Attempt) -> None:
    """Without a served share the impact says that people got legacy's answers only."""
    entries = [entry for entry in make_attempt() if entry.payload.get("split") != 1000]
    assert "served no request" in incident_of(entries, {}, "mood-1").reach


@pytest.mark.req("R5")
def test_incident_keeps_to_its_own_attempt(make_attempt: Attempt) -> None:
    """The first attempt's incident holds nothing of the second, and the other way round."""
    both = [*make_attempt(), *make_attempt(6, "mood-2", reason="slow")]
    first, second = (incident_of(both, {}, name) for name in ("mood-1", "mood-2"))
    assert (first.reason, second.reason) == ("agreement is too low", "slow")
    assert len(first.timeline) == len(second.timeline) == 5


@pytest.mark.req("INV7")
def test_timeline_shows_when_it_happened_and_not_when_it_was_written(
    make_attempt: Attempt,
) -> None:
    """A rollback completed after an outage stands at its own second, and says it came late."""
    entries = make_attempt()
    late = replace(entries[3], at=entries[3].at + timedelta(seconds=90))
    incident = incident_of([*entries[:3], late, entries[4]], {}, "mood-1")
    assert incident.opened_at == entries[3].at
    assert incident.timeline[3].at == entries[3].at
    assert incident.timeline[3].what.endswith("(written down 90 s later)")


@pytest.mark.req("R5")
def test_every_kind_of_event_reads_as_a_sentence(
    make_entry: Callable[..., Entry], make_attempt: Attempt
) -> None:
    """No raw event name is left in a timeline, and a newer version's event does not break it."""
    more = [
        make_entry(4, "work_recorded", 1, stage=0, ok=False, summary="2 of 5 failed"),
        make_entry(5, "data_checked", 2, stage=0, ok=True, summary="4 expectations"),
        make_entry(6, "judged", 3, verdict="insufficient_evidence", sentence="40 more needed"),
        make_entry(7, "approval_requested", 4, id="a1", stage=3),
        make_entry(
            8,
            "approval_decided",
            5,
            id="a1",
            status="approved",
            approver="chris.ohm",
            reason="looks good",
            via="prefect",
        ),
        make_entry(9, "held", 6, reason="lunch"),
        make_entry(10, "resumed", 7, reason=""),
        make_entry(11, "noted", 8, topic="no data", text="none for 10 min"),
        make_entry(12, "aborted", 8.5, reason="cancelled"),
        make_entry(13, "from_the_future", 9),
    ]
    start, *rest = make_attempt()
    said = [m.what for m in incident_of([start, *more, *rest], {}, "mood-1").timeline]
    assert said[1:11] == [
        "The stage's work failed: 2 of 5 failed",
        "Data checks passed: 4 expectations",
        "Verdict insufficient evidence: 40 more needed",
        "Approval a1 requested",
        "Approval approved by chris.ohm via prefect: looks good",
        "Held: lunch",
        "Resumed",
        "no data: none for 10 min",
        "Aborted: cancelled",
        "from the future",
    ]


@pytest.mark.req("INV11")
def test_every_event_of_the_machine_has_its_sentence() -> None:
    """A new kind of event can't be forgotten in the timeline."""
    assert set(event.KINDS) == set(_SENTENCES)


@pytest.mark.req("R5")
def test_entries_here_are_what_the_machine_writes(make_attempt: Attempt) -> None:
    """The payloads that these tests stand on are whole events of the machine."""
    for entry in make_attempt():
        written = event.event_from_dict(entry.kind, entry.payload).to_dict()
        assert entry.payload.items() <= written.items()


@pytest.mark.req("R5")
def test_unknown_incident_is_bad_input(make_attempt: Attempt) -> None:
    """Asking for an incident that the ledger never opened names it and where to look."""
    with pytest.raises(InputError, match=r"'mood-9'.*incident list"):
        incident_of(make_attempt(), {}, "mood-9")


@pytest.mark.req("R5")
@pytest.mark.parametrize(
    ("seconds", "said"),
    [(0.42, "0.42 s"), (59.6, "1 min"), (200, "3 min 20 s"), (3600, "1 h"), (93_600, "1 d 2 h")],
)
def test_durations_read_naturally(seconds: float, said: str) -> None:
    """Durations show their two largest units."""
    assert spell_seconds(seconds) == said


@pytest.mark.req("R5")
@pytest.mark.parametrize(
    ("evidence", "said"), [(0.3, "0.3"), (14.2, "14"), (2345.0, "2,345"), (1e300, "1e+300")]
)
def test_evidence_shows_no_false_precision(evidence: float, said: str) -> None:
    """Evidence spans hundreds of orders of magnitude and stays short."""
    assert spell_evidence(evidence) == said
