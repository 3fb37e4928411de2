from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from switchover.contracts.schema import compile_schema, json_path, load_schema
from switchover.errors import InputError

SCHEMA = {
    "$schema": "https://json-schema.org/draft/2020-12/schema",
    "type": "object",
    "additionalProperties": False,
    "required": ["risk", "at"],
    "properties": {
        "risk": {"type": "number", "minimum": 0, "maximum": 1},
        "at": {"type": "string", "format": "date-time"},
        "rows": {"type": "array", "items": {"type": "object", "required": ["id"]}},
    },
}
GOOD = {"risk": 0.5, "at": "2026-01-02T03:04:05Z"}


@pytest.fixture
def contract(tmp_path: Path) -> Path:
    path = tmp_path / "contract.json"
    path.write_text(json.dumps(SCHEMA))
    return path


@pytest.mark.req("C2")
@pytest.mark.parametrize(
    ("change", "fault"),
    [
        ({"risk": 1.5}, "$.risk: the value is greater than the maximum of 1"),
        ({"at": "yesterday"}, '$.at: the value is not a "date-time"'),
        ({"rows": [{"id": 1}, {}]}, '$.rows[1]: "id" is a required property'),
        ({"risk": float("nan")}, "$.risk: "),
    ],
)
def test_faults_name_the_place_and_the_rule(
    contract: Path, change: dict[str, Any], fault: str
) -> None:
    """Formats are checked, and a fault says where."""
    schema = load_schema(contract)
    assert schema.faults(GOOD) == []
    assert schema.accepts(GOOD)
    [found] = schema.faults(GOOD | change)
    assert found.startswith(fault)
    assert not schema.accepts(GOOD | change)


@pytest.mark.req("C2")
def test_faults_do_not_show_the_answers_values(contract: Path) -> None:
    """Faults are kept for good, and answers hold people's data."""
    faults = load_schema(contract).faults({"risk": "Jane Roe", "at": "Jane Roe", "x": "Jane Roe"})
    assert len(faults) == 3
    assert "Jane" not in " ".join(faults)


@pytest.mark.req("C2")
def test_every_fault_is_listed_up_to_the_limit(contract: Path) -> None:
    """A thousand bad rows do not make a thousand lines."""
    answer = GOOD | {"rows": [{}] * 1000}
    assert len(load_schema(contract).faults(answer, limit=7)) == 7


@pytest.mark.req("C2")
@pytest.mark.parametrize(
    ("text", "message"),
    [
        ('{"type": \n oops}', ":2:2: not JSON"),
        ("[]", ": a JSON Schema is an object"),
        ('{"properties": {"a/b": {"type": 5}}}', "#/properties/a~1b/type: not a valid JSON Schema"),
        ('{"format": "bogus"}', "#/format: not a valid JSON Schema: Unknown format: 'bogus'"),
        ('{"$ref": "#/$defs/none"}', "#: not a valid JSON Schema: Pointer '/$defs/none' does not"),
    ],
)
def test_a_bad_contract_is_an_error_with_its_place(tmp_path: Path, text: str, message: str) -> None:
    """File and position or JSON pointer, so that the author finds it."""
    path = tmp_path / "bad.json"
    path.write_text(text)
    with pytest.raises(InputError) as caught:
        load_schema(path)
    assert str(caught.value).startswith(f"{path}{message}")


@pytest.mark.req("C2")
@pytest.mark.parametrize("reference", ["http://127.0.0.1:1/s.json", "file:///etc/hostname",
                                       "other.json"])  # fmt: skip
def test_nothing_outside_the_file_is_ever_fetched(tmp_path: Path, reference: str) -> None:
    """A contract that points elsewhere is refused, not followed."""
    path = tmp_path / "remote.json"
    path.write_text(json.dumps({"properties": {"a": {"$ref": reference}}}))
    with pytest.raises(InputError, match=r"(lies outside this file|No base URI)"):
        load_schema(path)


@pytest.mark.req("C2")
def test_a_missing_contract_is_an_error(tmp_path: Path) -> None:
    """With the path and what to do."""
    with pytest.raises(InputError, match="No such file or directory; name a JSON Schema file"):
        load_schema(tmp_path / "none.json")


@pytest.mark.req("C2")
def test_equal_content_is_compiled_once_and_changed_content_anew(contract: Path) -> None:
    """The cache goes by content: an edited contract counts at once."""
    first = load_schema(contract)
    assert load_schema(contract) is first
    contract.write_text("{}")
    assert load_schema(contract).accepts({"anything": 1})
    assert compile_schema(json.dumps(SCHEMA)) is first


@pytest.mark.req("C2")
def test_paths_read_like_json_paths() -> None:
    """Indexes in brackets, odd keys quoted."""
    assert json_path(["a", 3, "b c", "d"]) == "$.a[3]['b c'].d"
