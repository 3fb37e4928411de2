"""Adapter validation with real files, real modules and real schemas."""

from __future__ import annotations

import json
import sys
import tracemalloc
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from switchover.contracts.replay import part_lines, read_lines, read_part
from switchover.contracts.validate import RecordedAdapterValidator
from switchover.errors import InputError
from switchover.plan.spec import Consumer
from switchover.ports import CheckResult

SCHEMA = {
    "type": "object",
    "additionalProperties": False,
    "required": ["subject", "risk_score"],
    "properties": {
        "subject": {"type": "string"},
        "risk_score": {"type": "number"},
        "extra": {"type": "object"},
    },
}
MODULE = """
def to_v1(answer):
    return {"subject": answer["subject"], "risk_score": answer["forecast"]["risk"]}

def to_v1_leaking(answer):
    return {**to_v1(answer), "extra": {"notes": [{"forecast": answer["forecast"]}]}}

def to_v1_mutating(answer):
    answer["risk_score"] = answer.pop("forecast")["risk"]
    return {"subject": answer["subject"], "risk_score": answer["risk_score"]}

def broken_invariants(answer):
    return [] if 0 <= answer["risk_score"] <= 1 else ["risk_score lies outside [0, 1]"]

def useless_invariants(answer):
    return True
"""
Validate = Callable[..., CheckResult]


def recorded(risk: Any, subject: str = "s1") -> dict[str, Any]:
    return {"subject": subject, "forecast": {"risk": risk, "window": "24h"}, "current": {}}


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A plan's directory with an adapter module on the Python path."""
    (tmp_path / "consumer_adapters.py").write_text(MODULE)
    (tmp_path / "v1.schema.json").write_text(json.dumps(SCHEMA))
    monkeypatch.syspath_prepend(str(tmp_path))
    yield tmp_path
    sys.modules.pop("consumer_adapters", None)


@pytest.fixture
def validate(folder: Path) -> Validate:
    """Validate lines of recordings against one consumer, whose settings may be changed."""

    def run(lines: list[Any] | None, **changes: Any) -> CheckResult:
        if lines is not None:
            text = "".join(
                (line if isinstance(line, str) else json.dumps(line)) + "\n" for line in lines
            )
            (folder / "candidate.jsonl").write_text(text)
        values: dict[str, Any] = {
            "name": "cds-v1",
            "adapter": "consumer_adapters:to_v1",
            "contract": "v1.schema.json",
            "invariants": "consumer_adapters:broken_invariants",
            "forbidden": ["forecast", "current"],
            "recordings": "candidate.jsonl",
            "minimum": 2,
        }
        return in_parts(Consumer(**(values | changes)), str(folder), 10_000)

    return run


def in_parts(consumer: Consumer, directory: str, lines: int) -> CheckResult:
    """Validate in parts of so many lines, as the flow does; no time is told."""
    validator = RecordedAdapterValidator(lines)
    parts = validator.parts(consumer, directory)
    found = [validator.examine(consumer, directory, part) for part in parts]
    return validator.conclude(consumer, directory, json.loads(json.dumps(found)), 0.0)


@pytest.mark.req("P4")
@pytest.mark.req("C1")
def test_recorded_answers_that_keep_the_contract_pass(validate: Validate) -> None:
    """Bare answers and exchanges alike; the contract's own sharpness is shown."""
    exchange = {"request": {}, "legacy": {"risk_score": 0.1}, "candidate": recorded(0.9)}
    result = validate([recorded(0.5), exchange])
    assert result.ok, result.summary
    assert result.name == "cds-v1"
    assert "all 2 recorded answers keep the contract" in result.summary
    assert result.detail["passed"] == 2
    assert result.detail["mutants"] == {"tried": 7, "refused": 7, "survivors": []}
    json.dumps(result.to_dict())


@pytest.mark.req("P4")
@pytest.mark.req("C2")
def test_each_kind_of_fault_is_counted_with_its_line(validate: Validate) -> None:
    """Shape, invariant, exception and unreadable line; good ones do not hide the bad ones."""
    missing = {"request": {}, "legacy": {}, "candidate": None}
    lines = [recorded(0.5), recorded("high"), recorded(7), {"subject": "s"}, "{cut off", missing]
    result = validate(lines)
    assert not result.ok
    assert result.detail["recordings"] == 6
    assert result.detail["passed"] == 1
    assert result.detail["faults"] == {
        "schema": 1, "invariant": 1, "exception": 1, "unreadable": 2,
    }  # fmt: skip
    by_line = {each["line"]: each["faults"][0] for each in result.detail["examples"]}
    assert by_line[2].startswith("$.risk_score: the value is not of type")
    assert by_line[3] == "risk_score lies outside [0, 1]"
    assert by_line[4] == "the adapter raises KeyError: 'forecast'"
    assert "candidate.jsonl:5: not JSON" in by_line[5]
    assert by_line[6] == "no candidate answer was recorded"
    assert "5 of 6 recorded answers break the contract" in result.summary
    assert "first at candidate.jsonl:2: $.risk_score" in result.summary


@pytest.mark.req("C2")
def test_a_candidate_only_field_deep_in_the_answer_is_a_leak(validate: Validate) -> None:
    """Although the schema lets it through."""
    result = validate([recorded(0.5)] * 3, adapter="consumer_adapters:to_v1_leaking")
    assert not result.ok
    assert result.detail["faults"] == {"leak": 3}
    assert "$.extra.notes[0].forecast: must not reach this consumer" in result.summary


@pytest.mark.req("P4")
def test_an_adapter_that_changes_its_input_is_refused(validate: Validate) -> None:
    """The same answer goes to several consumers: one must not spoil it for the next."""
    result = validate([recorded(0.5)] * 2, adapter="consumer_adapters:to_v1_mutating")
    assert not result.ok
    assert result.detail["faults"] == {"mutation": 2}


@pytest.mark.req("P4")
@pytest.mark.req("INV6")
def test_too_few_recordings_are_no_proof(validate: Validate) -> None:
    """All of them good, and still not enough."""
    result = validate([recorded(0.5)], minimum=20)
    assert not result.ok
    assert "holds 1 of the 20 recordings needed; record more" in result.summary


@pytest.mark.req("P4")
@pytest.mark.req("INV6")
@pytest.mark.parametrize(("lines", "message"), [(None, "no recordings at"), ([], "holds 0 of")])
def test_without_recordings_nothing_passes(
    validate: Validate, lines: list[Any] | None, message: str
) -> None:
    """A missing or empty file is a failed validation that says what to do."""
    result = validate(lines, minimum=1)
    assert not result.ok
    assert message in result.summary
    assert "record" in result.summary


@pytest.mark.req("C2")
def test_a_contract_that_refuses_nothing_fails(folder: Path, validate: Validate) -> None:
    """A vacuous contract would pass anything the candidate ever says."""
    (folder / "v1.schema.json").write_text("{}")
    result = validate([recorded(0.5)] * 2, invariants=None, forbidden=[])
    assert not result.ok
    assert "refuses nothing" in result.summary


@pytest.mark.req("C2")
def test_a_lax_contract_passes_with_a_warning(folder: Path, validate: Validate) -> None:
    """Accepting {} or unknown fields is said, not hidden."""
    lax = {"type": "object", "properties": {"risk_score": {"type": "number"}}}
    (folder / "v1.schema.json").write_text(json.dumps(lax))
    result = validate([recorded(0.5)] * 2, invariants=None)
    assert result.ok
    assert len(result.detail["warnings"]) == 2
    assert "warning: v1.schema.json accepts an empty object" in result.summary
    assert "set additionalProperties to false" in result.summary


@pytest.mark.req("P4")
@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"adapter": "consumer_adapters:nothing"}, "nothing does not exist in consumer_adapters"),
        ({"invariants": "consumer_adapters:useless_invariants"}, "return a list of strings"),
        ({"contract": "none.json"}, "the contract can't be read"),
    ],
)
def test_mistakes_in_the_plan_are_errors_and_not_results(
    validate: Validate, settings: dict[str, str], message: str
) -> None:
    """So that nobody reads them as a failing candidate."""
    with pytest.raises(InputError, match=message):
        validate([recorded(0.5)] * 2, **settings)


@pytest.mark.req("P4")
def test_examples_are_limited_and_counts_are_not(validate: Validate) -> None:
    """A thousand faults make five examples."""
    result = validate([recorded(9)] * 1000)
    assert result.detail["faults"] == {"invariant": 1000}
    assert [each["line"] for each in result.detail["examples"]] == [1, 2, 3, 4, 5]


_LINES = st.lists(
    st.one_of(
        st.just(b'{"subject": "s", "forecast": {"risk": 0.5}}'),
        st.just(b'{"subject": "s", "forecast": {"risk": 7}}'),
        st.just(b'{"subject": "s", "forecast": {"risk": "high"}}'),
        st.just(b'{"subject": "s"}'),
        st.just('{"subject": "ä\u2028", "forecast": {"risk": 0.1}}'.encode()),
        st.just(b"{cut off"),
        st.just(b"\xff"),
        st.just(b""),
        st.just(b"   "),
    ),
    max_size=30,
)


@pytest.mark.req("P4", "P10")
@settings(
    max_examples=120, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(lines=_LINES, size=st.integers(1, 8), ending=st.sampled_from([b"", b"\n", b"\r\n"]),
       mark=st.booleans())  # fmt: skip
def test_however_recordings_are_parted_the_result_is_the_same(
    folder: Path, lines: list[bytes], size: int, ending: bytes, mark: bool
) -> None:
    """Counts, line numbers, examples, words: all as from one piece."""
    text = (b"\xef\xbb\xbf" if mark else b"") + b"\n".join(lines) + ending
    (folder / "candidate.jsonl").write_bytes(text)
    consumer = Consumer(
        name="v1", adapter="consumer_adapters:to_v1", contract="v1.schema.json",
        invariants="consumer_adapters:broken_invariants", forbidden=["forecast"],
        recordings="candidate.jsonl", minimum=2,
    )  # fmt: skip
    whole = in_parts(consumer, str(folder), 10_000)
    assert in_parts(consumer, str(folder), size) == whole
    numbered = [line.number for line in read_lines(folder / "candidate.jsonl")]
    by_hand = text.split(b"\n")
    assert numbered == [n for n, raw in enumerate(by_hand, start=1) if raw.strip()]


@pytest.mark.req("P10")
def test_a_part_never_holds_more_recordings_than_it_may(folder: Path) -> None:
    """The size of the file does not show in memory."""
    path = folder / "large.jsonl"
    line = json.dumps(recorded(0.5, "s" * 200)) + "\n"
    path.write_text(line * 40_000)
    tracemalloc.start()
    parts = list(part_lines(path, 1000))
    count = sum(1 for part in parts for _ in read_part(part))
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert (len(parts), count) == (40, 40_000)
    assert peak < path.stat().st_size / 10


@pytest.mark.req("P4")
def test_recordings_that_change_on_the_way_are_no_evidence(folder: Path) -> None:
    """A part of what was there before is not mixed with one of what is there now."""
    path = folder / "growing.jsonl"
    path.write_text("1\n" * 10)
    first, _ = part_lines(path, 5)
    with path.open("a") as file:
        file.write("2\n")
    with pytest.raises(InputError, match="changed while it was read"):
        list(read_part(first))
