from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import pytest

from switchover.errors import DependencyUnavailable
from switchover.incidents.markdown import generated_part, render, sections_to_fill_in
from switchover.incidents.record import Incident
from switchover.incidents.report import report_path, write_report

SECTIONS = [
    "Summary",
    "Timeline",
    "Trigger",
    "Components",
    "Duration",
    "Impact",
    "Root cause",
    "Actions",
    "Prevention",
    "Re-migration criteria",
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
def test_remigration_criteria_are_boxes_to_tick(incident: Incident) -> None:
    """Criteria are unticked boxes that name the gate that failed."""
    criteria = render(incident).partition("## Re-migration criteria")[2]
    assert criteria.count("- [ ] ") == 5
    assert "failed `agreement`" in criteria


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
    waiting = replace(incident, state="open", rollback_seconds=None, complete=None)
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
    path = write_report(tmp_path, replace(incident, state="open", rollback_seconds=None))
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
def test_sections_to_fill_in_shrink_as_people_write(incident: Incident) -> None:
    """An incident is closed only when root cause, actions and prevention are written."""
    text = render(incident)
    assert sections_to_fill_in(text) == ("Root cause", "Actions", "Prevention")
    text = text.replace("## Actions\n\n_To be filled in._", "## Actions\n\nRolled back.")
    assert sections_to_fill_in(text) == ("Root cause", "Prevention")
    full = replace(incident, root_cause="Cache", actions="Rolled back", prevention="Test")
    assert sections_to_fill_in(render(full)) == ()


@pytest.mark.req("R5")
def test_incident_without_readings_says_so(incident: Incident) -> None:
    """A rollback by hand has no numbers, and the report does not invent any."""
    assert "No gate readings" in generated_part(replace(incident, readings=()))
    assert "The whole candidate" in generated_part(replace(incident, components=()))
