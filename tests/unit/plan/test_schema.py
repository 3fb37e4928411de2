from __future__ import annotations

from pathlib import Path

import jsonschema_rs
import pytest

from switchover.plan import reference
from switchover.plan.load import load_plan
from switchover.plan.schema import plan_schema

ROOT = Path(__file__).parents[3]


@pytest.mark.req("P2")
def test_the_schema_is_a_schema_and_takes_the_mood_plan() -> None:
    """Editors can trust it: it is valid 2020-12 and accepts what loading accepts."""
    schema = plan_schema()
    jsonschema_rs.meta.validate(schema)
    document = load_plan(ROOT / "examples" / "mood" / "plan.yaml").document
    jsonschema_rs.validate(schema, document)


@pytest.mark.req("P2")
def test_the_schema_refuses_unknown_keys_and_bare_durations() -> None:
    """The two most common mistakes are seen while typing."""
    schema = plan_schema()
    document = load_plan(ROOT / "examples" / "mood" / "plan.yaml").document
    assert not jsonschema_rs.is_valid(schema, document | {"colour": "blue"})
    assert not jsonschema_rs.is_valid(schema, document | {"judgement": {"look_every": 60}})


@pytest.mark.req("P2")
def test_every_key_of_a_plan_says_what_it_means() -> None:
    """No key without a description, so none without words in the reference."""
    schema = plan_schema()
    models = {"Plan": schema, **schema["$defs"]}
    silent = [
        f"{name}.{key}"
        for name, model in models.items()
        for key, value in model["properties"].items()
        if not value.get("description")
    ]
    assert silent == []


@pytest.mark.req("P2")
def test_the_reference_in_the_docs_is_current(monkeypatch: pytest.MonkeyPatch) -> None:
    """docs/reference/plan.md is what the models say today."""
    monkeypatch.chdir(ROOT)
    assert reference.main(["--check"]) == 0


@pytest.mark.req("P2")
def test_an_old_reference_is_noticed_and_rewritten(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """--check answers 1 and says what to run; running it makes the check pass."""
    monkeypatch.chdir(tmp_path)
    assert reference.main(["--check"]) == 1
    assert "python -m switchover.plan.reference" in capsys.readouterr().err
    assert reference.main() == 0
    assert reference.main(["--check"]) == 0
