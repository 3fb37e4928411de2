from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import pytest

from switchover.errors import DependencyUnavailable
from switchover.incidents.findings import read_sections
from switchover.incidents.markdown import generated_part, refreshed, render
from switchover.incidents.record import Incident
from switchover.incidents.report import report_path, write_picture, write_report

Make = Callable[..., Incident]

SECTIONS = [
    "Summary",
    "Timeline",
    "Trigger",
    "Components",
    "Duration",
    "Exposure",
    "Recovery plan",
    "Criteria for another attempt",
    "Root cause",
    "Impact",
    "Actions",
    "Prevention",
]


@pytest.mark.req("R5")
def test_report_has_every_section_once(incident: Incident) -> None:
    """The report has the sections that the requirement names, in reading order."""
    lines = render(incident).splitlines()
    assert [line[3:] for line in lines if line.startswith("## ")] == SECTIONS


@pytest.mark.req("R5")
def test_report_tells_the_timeline_to_the_second(incident: Incident) -> None:
    """Each moment has its second, its actor and its sentence."""
    assert "| 2026-03-02 10:31:00 | guard | Rolled back to legacy (gate): agreement" in render(
        incident
    )


@pytest.mark.req("R1")
def test_report_holds_the_rollback_against_its_promise(incident: Incident) -> None:
    """The duration says whether the promised time was kept, and never so when routers lagged."""
    assert "0.420 s from the trigger to the last of 3 live routers" in render(incident)
    assert "promise of 60 s was kept" in render(incident)
    assert "promise of 60 s was missed" in render(replace(incident, rollback_seconds=61.0))
    assert "promise of 60 s was missed" in render(replace(incident, complete=False))


@pytest.mark.req("R6")
def test_criteria_show_who_ticked_them_and_what_is_open(make_incident: Make) -> None:
    """Unticked boxes name the gate that failed and the command; a ticked one its person."""
    ticked = ("criterion_ticked", {"criterion": "root-cause", "note": "a | stale cache"})
    criteria = render(make_incident(ticked)).partition("## Criteria for another attempt")[2]
    assert criteria.count("- [ ] ") - criteria.partition("## Actions")[2].count("- [ ] ") == 4
    assert "- [x] `root-cause`" in criteria
    assert "(ada, 2026-03-02 10:32:01: a | stale cache)" in criteria
    assert "failed `agreement`" in criteria
    assert "switchover incident tick mood-1 ID" in criteria


@pytest.mark.req("R6")
def test_the_recovery_plan_has_its_dates(incident: Incident) -> None:
    """Stabilise, analyse, improve and retry, each with the days that it takes."""
    text = render(incident)
    assert "| Stabilise | day 1 | 2026-03-02 |" in text
    assert "| Improve | days 4 to 7 | 2026-03-05 to 2026-03-08 |" in text
    assert "| Retry | week 2 and later | from 2026-03-09 |" in text


@pytest.mark.req("R4")
def test_waves_are_shown_with_the_evidence_of_every_probe(make_incident: Make) -> None:
    """What passed, what failed and what is awaited, and the state goes by it."""
    failed = ("wave_validated", {"wave": "immediate", "ok": False, "summary": "1 of 2",
              "results": [{"name": "orders", "ok": False, "summary": "answers 503"},
                          {"name": "login", "ok": True, "summary": "200"}]})  # fmt: skip
    incident = make_incident(failed, waves=["immediate", "business"])
    text = render(incident)
    assert "| immediate | orders | FAILED | answers 503 |" in text
    assert "| business | | awaited | | |" in text
    assert (incident.state, incident.severity) == ("open", "critical")


@pytest.mark.req("R5")
def test_text_from_elsewhere_breaks_neither_table_nor_marker(incident: Incident) -> None:
    """Pipes, line ends and comments in a reason stay text."""
    reason = "a | b\n<!-- switchover:end -->\n## Root cause"
    text = render(replace(incident, reason=reason))
    assert text.count("<!-- switchover:end -->") == 1
    assert text.count("\n## Root cause") == 1
    assert "| 31 % of 4,200 pairs disagree \\| limit 15 %" in text


@pytest.mark.req("R5")
def test_report_shows_no_secret(incident: Incident) -> None:
    """A password in a reason does not reach a file under version control."""
    reason = "cannot reach postgresql://bo:hunter22@db/x with token=abcdef123456"
    text = render(replace(incident, reason=reason))
    assert "hunter22" not in text
    assert "abcdef123456" not in text
    assert "postgresql://[redacted]@db/x" in text


@pytest.mark.req("R5")
def test_file_is_named_by_day_and_migration(tmp_path: Path, incident: Incident) -> None:
    """The second incident of a day gets a number."""
    first = write_report(tmp_path / "docs", incident)
    second = write_report(tmp_path / "docs", replace(incident, id="mood-2"))
    assert [first.name, second.name] == ["2026-03-02-mood.md", "2026-03-02-mood-2.md"]


@pytest.mark.req("INV4")
def test_writing_twice_leaves_one_unchanged_file(tmp_path: Path, incident: Incident) -> None:
    """The same incident written again touches nothing, and leaves no temporary file."""
    path = write_report(tmp_path, incident)
    before = path.stat()
    assert write_report(tmp_path, incident) == path
    assert path.stat().st_mtime_ns == before.st_mtime_ns
    assert [p.name for p in tmp_path.iterdir()] == [path.name]


@pytest.mark.req("R5")
def test_refresh_keeps_what_people_wrote(tmp_path: Path, incident: Incident) -> None:
    """The generated part follows the ledger; every other character stays, also after a rename."""
    waiting = replace(incident, rollback_seconds=None, complete=None)
    path = write_report(tmp_path, waiting)
    edited = path.read_text().replace(
        "## Root cause\n\n_To be filled in._", "## Root cause\n\nA stale caf\udce9 cache.\r\n"
    )
    renamed = path.rename(tmp_path / "the-stale-cache.md")
    renamed.write_bytes(("---\nauthor: Bo\n---\n" + edited).encode(errors="surrogateescape"))
    assert write_report(tmp_path, incident) == renamed
    text = renamed.read_bytes().decode(errors="surrogateescape")
    assert text.startswith("---\nauthor: Bo\n---\n")
    assert "A stale caf\udce9 cache.\r\n" in text
    assert "0.420 s" in text
    assert "Not measured yet" not in text
    assert text.endswith(edited[edited.index("## Actions") :])


@pytest.mark.req("R5")
def test_edited_generated_part_is_left_alone(
    tmp_path: Path, incident: Incident, caplog: pytest.LogCaptureFixture
) -> None:
    """A correction inside the generated part is a person's, so it is kept, and logged."""
    path = write_report(tmp_path, replace(incident, rollback_seconds=None))
    path.write_text(path.read_text().replace("Not measured yet.", "About a minute, says Bo."))
    edited = path.read_text()
    assert write_report(tmp_path, incident) == path
    assert path.read_text() == edited
    assert "left as it is" in caplog.text


@pytest.mark.req("INV4")
def test_concurrent_writers_make_one_file_per_incident(tmp_path: Path, incident: Incident) -> None:
    """Writers at once neither share a name nor write one incident twice."""
    incidents = [replace(incident, id=f"mood-{number % 4}") for number in range(16)]
    with ThreadPoolExecutor(8) as pool:
        paths = list(pool.map(lambda one: write_report(tmp_path, one), incidents))
    assert len(set(paths)) == len(list(tmp_path.iterdir())) == 4
    for one, path in zip(incidents, paths, strict=True):
        assert report_path(tmp_path, one.id) == path


@pytest.mark.req("R8")
def test_unwritable_directory_is_a_dependency_that_is_away(
    tmp_path: Path, incident: Incident
) -> None:
    """A directory that can't be made is named, so that the effect is tried again."""
    (tmp_path / "docs").write_text("a file in the way")
    with pytest.raises(DependencyUnavailable, match="the incident directory"):
        write_report(tmp_path / "docs", incident)


@pytest.mark.req("R5")
def test_what_is_on_record_stands_in_the_file_until_people_write_there(
    make_incident: Make,
) -> None:
    """A section that nobody touched follows the ledger; one that somebody changed is theirs."""
    first = ("incident_updated", {"root_cause": "a <stale> cache", "prevention": "a test"})
    second = ("incident_updated", {"root_cause": "no cache at all", "prevention": "two tests"})
    text = refreshed(render(make_incident()), make_incident(first))
    assert "## Root cause\n\na &lt;stale&gt; cache\n" in text
    text = text.replace("\na test\n", "\na better test\n")
    text = refreshed(text, make_incident(first, second))
    assert "no cache at all" in text
    assert "stale" not in text.partition("<!-- switchover:end -->")[2]
    assert "a better test" in text
    assert "two tests" not in text


@pytest.mark.req("R5")
def test_a_rendered_report_reads_back_as_what_was_written(make_incident: Make) -> None:
    """Record, file and record again: nothing is lost and nothing is escaped twice."""
    written = {
        "root_cause": "a < b & c\n\n# no heading\nmore",
        "impact": "nobody | noticed",
        "actions": [{"text": "pin it", "owner": "ada", "due": "2026-03-09"}],
        "prevention": "a test",
    }
    found = read_sections(render(make_incident(("incident_updated", written))))
    assert found.pop("actions") == tuple(written.pop("actions"))
    assert found == written


@pytest.mark.req("R5")
def test_an_untouched_report_has_nothing_to_read(incident: Incident) -> None:
    """What stands there for people to replace is not their word, nor is what to compensate."""
    assert read_sections(render(incident)) == {}
    assert read_sections(render(replace(incident, compensations=("copy the orders",)))) == {}


@pytest.mark.req("R5")
def test_the_picture_is_beside_the_report(tmp_path: Path, incident: Incident) -> None:
    """The generated part shows it; writing it twice leaves one file."""
    path = write_report(tmp_path, incident, "mood-1.png")
    for _ in range(2):
        write_picture(tmp_path, "mood-1.png", b"png")
    assert "](mood-1.png)" in path.read_text()
    assert sorted(p.name for p in tmp_path.iterdir()) == [path.name, "mood-1.png"]


@pytest.mark.req("R5")
def test_incident_without_readings_says_so(incident: Incident) -> None:
    """A rollback by hand has no numbers, and the report does not invent any."""
    assert "No gate readings" in generated_part(replace(incident, readings=()))
    assert "The whole candidate" in generated_part(replace(incident, components=()))
