from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from switchover.errors import PlanError
from switchover.plan.load import lint_plan, load_plan, restore_plan
from switchover.plan.steps import CanaryStage

MOOD = Path(__file__).parents[3] / "examples" / "mood" / "plan.yaml"


def messages(path: Path, *overlays: Path) -> list[str]:
    return [str(fault) for fault in lint_plan(path, overlays).faults]


@pytest.mark.req("P2")
def test_the_mood_plan_loads() -> None:
    """The reference plan has no fault, and units are read."""
    plan = load_plan(MOOD).plan
    assert plan.migration == "mood"
    assert [stage.percent for stage in plan.stages if isinstance(stage, CanaryStage)] == [
        10, 25, 50, 100,
    ]  # fmt: skip
    assert plan.gates[1].at_most == 0.2
    assert plan.approvals is not None
    assert plan.approvals.expires == 72 * 3600


@pytest.mark.req("P2")
def test_a_loaded_plan_knows_where_it_comes_from(write: Any, tmp_path: Path) -> None:
    """Directory and files are absolute, the source is the plan's own text."""
    plan = write()
    loaded = load_plan(plan, [write(text="title: Other\n", name="over.yaml")])
    assert loaded.directory == tmp_path
    assert loaded.files == (tmp_path / "plan.yaml", tmp_path / "over.yaml")
    assert loaded.source == plan.read_text()
    assert loaded.plan.title == "Other"


@pytest.mark.req("K4")
def test_a_document_restores_to_the_same_plan() -> None:
    """What the ledger keeps as JSON reads back equal, dates and durations included."""
    loaded = load_plan(MOOD)
    assert restore_plan(json.loads(json.dumps(loaded.document))) == loaded.plan


@pytest.mark.req("K4")
def test_a_dumped_plan_validates_again() -> None:
    """A plan that went through pydantic's own dump holds seconds, and they stay valid."""
    plan = load_plan(MOOD).plan
    assert type(plan).model_validate(plan.model_dump(mode="json")) == plan


@pytest.mark.req("K4")
def test_the_digest_is_of_the_meaning_not_of_the_layout(write: Any) -> None:
    """Comments and the order of keys don't change it; a value does."""
    first = load_plan(write()).digest
    moved = write(("title: Shop 1 to 2\n", ""), add="title: Shop 1 to 2 # the same\n")
    assert load_plan(moved).digest == first
    assert load_plan(write(("bake: 1h", "bake: 2h"))).digest != first


@pytest.mark.req("P2")
def test_an_overlay_merges_mappings_and_replaces_lists(write: Any) -> None:
    """Keys that the overlay does not name stay; a list is taken whole."""
    over = write(
        name="over.yaml",
        text="systems: {candidate: {url: 'http://127.0.0.1:9000'}}\n"
        "stages: [{kind: canary, percent: 100, bake: 1m}]\n",
    )
    plan = load_plan(write(), [over]).plan
    assert plan.systems.candidate.url == "http://127.0.0.1:9000"
    assert plan.systems.candidate.version == "2.0"
    assert len(plan.stages) == 1


@pytest.mark.req("P2")
def test_a_fault_of_an_overlay_names_the_overlay_and_its_line(write: Any) -> None:
    """Wrong values and unknown keys point at the file that wrote them."""
    plan = write(("title: Shop 1 to 2", "title: 7"))
    over = write(
        name="over.yaml", text="# faster\njudgement:\n  look_every: 5\nrolback: {target: 5s}\n"
    )
    assert messages(plan, over) == [
        'plan.yaml:3:8: title: expected text, found the number 7; put it in quotes: "7"',
        "over.yaml:3:15: judgement.look_every: 5 has no unit; write a duration like 5s or 5h",
        "over.yaml:4:1: rolback: unknown key 'rolback'; did you mean 'rollback'?",
    ]


@pytest.mark.req("P2")
def test_a_rule_across_files_points_at_the_value_that_breaks_it(write: Any) -> None:
    """An overlay that makes the stages end below 100 % gets the fault."""
    over = write(name="over.yaml", text="stages: [{kind: canary, percent: 50, bake: 1m}]\n")
    assert messages(write(), over) == [
        "over.yaml:1:34: stages[0].percent: the last canary stage ends at 50 %; "
        "add a canary stage with percent: 100 after it"
    ]


@pytest.mark.req("P2")
def test_later_overlays_win(write: Any) -> None:
    """Overlays are laid on in the order they are given."""
    first = write(name="a.yaml", text="title: A\n")
    second = write(name="b.yaml", text="title: B\n")
    assert load_plan(write(), [first, second]).plan.title == "B"


@pytest.mark.req("P2")
@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("nowhere.yaml", "nowhere.yaml:0: there is no such file; check the path"),
        (".", ".:0: this is a directory; name the plan file in it"),
    ],
)
def test_a_file_that_is_not_there_is_told(write: Any, name: str, message: str) -> None:
    """Missing files and directories are faults of the whole file, not tracebacks."""
    write()
    assert messages(Path(name)) == [message]


@pytest.mark.req("P2")
def test_a_huge_file_is_not_read(write: Any) -> None:
    """More than 1 MiB is refused before it is parsed."""
    plan = write(text=b"#" * (1 << 20) + b"\ntitle: x\n")
    assert messages(plan) == [
        "plan.yaml:0: the file is larger than 1 MiB; a plan is text of some hundred lines"
    ]


@pytest.mark.req("P2")
def test_faults_of_all_files_come_together(write: Any) -> None:
    """A syntax error in the overlay does not hide the duplicate key of the plan."""
    plan = write(add="title: again\n")
    over = write(name="over.yaml", text="a: [\n")
    with pytest.raises(PlanError) as refused:
        load_plan(plan, [over])
    assert [fault.file for fault in refused.value.faults] == ["plan.yaml", "over.yaml"]


@pytest.mark.req("P2")
def test_a_misspelt_required_key_is_one_fault(write: Any) -> None:
    """The misspelling is told; that the right key is missing would be saying it twice."""
    assert messages(write(("request_key", "requestKey"))) == [
        "plan.yaml:7:1: requestKey: unknown key 'requestKey'; did you mean 'request_key'?"
    ]


@pytest.mark.req("P2")
def test_rules_still_run_on_the_sections_that_are_whole(write: Any) -> None:
    """A fault in one section does not hide a broken rule in another."""
    plan = write(("title: Shop 1 to 2", "title: 7"), ("percent: 10,", "percent: 100,"))
    assert [fault.field for fault in lint_plan(plan).faults] == ["title", "stages[2].percent"]


@pytest.mark.req("P2")
def test_a_rule_keeps_quiet_about_a_section_that_is_misspelt(write: Any) -> None:
    """Nobody is told that consumers are missing when they are there as 'consumer'."""
    plan = write(
        (
            "  - {kind: canary, percent: 10,",
            "  - {kind: adapters}\n  - {kind: canary, percent: 10,",
        ),
        add="consumer: []\n",
    )
    assert [fault.field for fault in lint_plan(plan).faults] == ["consumer"]


@pytest.mark.req("P2")
@pytest.mark.parametrize(
    ("written", "read"),
    [("yes", None), ("on", None), ("true", True), ("True", True), ("false", False), ("1", None)],
)
def test_only_true_and_false_are_yes_and_no(write: Any, written: str, read: bool | None) -> None:
    """YAML 1.1's yes and on, and the number 1, are refused rather than guessed."""
    report = lint_plan(write(add=f"rollback: {{automatic: {written}}}\n"))
    if read is None:
        assert [fault.field for fault in report.faults] == ["rollback.automatic"]
    else:
        assert report.plan is not None
        assert report.plan.plan.rollback.automatic is read


@pytest.mark.req("P2")
@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("switchover: 1", "switchover: 2", "'2' is not known here; use 1"),
        ("percent: 10,", 'percent: "10",', "the number 10 is in quotes; remove them"),
        (
            "at_least: 99%",
            "at_least: true",
            "true is not a limit; write a number, 200ms, 20% or 1.5x",
        ),
        ("field: customer", "field: null", "the value is empty; write a value"),
        ("field: customer", 'field: ""', "the text is empty; write one"),
        ("percent: 10,", "percent: 0,", "0 is too small; write a value above 0"),
    ],
)
def test_wrong_values_are_told_in_plain_words(write: Any, old: str, new: str, message: str) -> None:
    """What is wrong and what to do, without the words of the library that found it."""
    (fault,) = lint_plan(write((old, new))).faults
    assert f"{fault.message}; {fault.suggestion}" == message


@pytest.mark.req("P7")
@pytest.mark.parametrize("moment", ["2030-01-02", "2030-01-02T03:04", "2030-01-02 03:04:05"])
def test_dates_are_read_as_moments_not_by_yaml(write: Any, moment: str) -> None:
    """A date stays JSON-able text in the document and becomes a moment in the plan."""
    loaded = load_plan(
        write(
            add="schedule:\n  freeze:\n"
            f"    - {{start: '{moment}', end: 2030-02-01, reason: x}}\n"
            f"    - {{start: {moment}, end: 2030-02-01, reason: x}}\n"
        )
    )
    first, second = loaded.plan.schedule.freeze
    assert first == second
    assert loaded.document["schedule"]["freeze"][0]["start"] == moment
