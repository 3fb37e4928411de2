from __future__ import annotations

import copy
import json
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from switchover.plan.explain import explain
from switchover.plan.load import LintReport, lint_plan, load_plan, restore_plan
from switchover.plan.stages import compile_gates, compile_rules

MOOD = Path(__file__).parents[3] / "examples" / "mood"
TEXT = (MOOD / "plan.yaml").read_text("utf-8")
DOCUMENT = load_plan(MOOD / "plan.yaml").document

Path_ = tuple[str | int, ...]

quick = settings(
    max_examples=30,
    deadline=None,
    derandomize=True,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A place for mutated plans with the mood plan's contracts beside them."""
    folder = tmp_path_factory.mktemp("mutants")
    shutil.copytree(MOOD / "contracts", folder / "contracts")
    return folder


def places(node: Any, path: Path_ = ()) -> Iterator[Path_]:
    yield path
    if isinstance(node, dict):
        for key, value in node.items():
            yield from places(value, (*path, key))
    elif isinstance(node, list):
        for index, value in enumerate(node):
            yield from places(value, (*path, index))


PLACES = [path for path in places(DOCUMENT) if path]
KEYS = [path for path in PLACES if isinstance(path[-1], str)]
VALUES = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-(10**30), 10**30),
    st.floats(),
    st.text(max_size=30),
    st.sampled_from(["24h", "0s", "200%", "1.5x", "0 0 31 2 *", "2026-13-01", "::", "a:b"]),
    st.lists(st.integers(), max_size=3),
    st.dictionaries(st.text(max_size=5), st.integers(), max_size=3),
)


def judge(folder: Path, raw: bytes) -> LintReport:
    """Whatever the file holds: faults with a place in it and words, or a plan that compiles."""
    file = folder / "plan.yaml"
    file.write_bytes(raw)
    report = lint_plan(file)
    lines = max(1, len(raw.decode("utf-8", "replace").splitlines()))
    for fault in (*report.faults, *report.warnings):
        assert 1 <= fault.line <= lines
        assert fault.column >= 1
        assert fault.message
        assert fault.suggestion
        assert "\n" not in str(fault)
    assert (report.plan is None) == bool(report.faults)
    if report.plan is not None:
        assert restore_plan(report.plan.document) == report.plan.plan
        compile_gates(report.plan.plan)
        compile_rules(report.plan.plan)
        assert explain(report.plan).lines()
    return report


def dump(document: Any) -> bytes:
    """As JSON, which is YAML; half surrogates go in as escapes, where YAML can say them."""
    return json.dumps(document, indent=1).encode()


def holder(document: Any, path: Path_) -> Any:
    for step in path[:-1]:
        document = document[step]
    return document


@pytest.mark.req("P2")
@quick
@given(path=st.sampled_from(PLACES), value=VALUES)
def test_any_value_anywhere_gives_faults_or_a_plan(folder: Path, path: Path_, value: Any) -> None:
    """No type in any place of the plan makes loading fail in another way."""
    document = copy.deepcopy(DOCUMENT)
    holder(document, path)[path[-1]] = value
    judge(folder, dump(document))


@pytest.mark.req("P2")
@quick
@given(paths=st.lists(st.sampled_from(PLACES), min_size=1, max_size=4))
def test_deleted_keys_give_faults_or_a_plan(folder: Path, paths: list[Path_]) -> None:
    """Any part of a plan may be gone."""
    document = copy.deepcopy(DOCUMENT)
    for path in sorted(paths, key=len, reverse=True):
        try:
            del holder(document, path)[path[-1]]
        except (KeyError, IndexError, TypeError):
            continue  # gone already, with something above it
    judge(folder, dump(document))


@pytest.mark.req("P2")
@quick
@given(path=st.sampled_from(KEYS), place=st.integers(0, 30), letter=st.sampled_from("aeiou-_ "))
def test_a_misspelt_key_is_found(folder: Path, path: Path_, place: int, letter: str) -> None:
    """One wrong letter in a key is a fault with the key's own name in it."""
    document = copy.deepcopy(DOCUMENT)
    mapping, key = holder(document, path), str(path[-1])
    place %= len(key)
    misspelt = key[:place] + letter + key[place + 1 :]
    mapping[misspelt] = mapping.pop(key)
    faults = judge(folder, dump(document)).faults
    if misspelt.strip() != key and "arguments" not in path[:-1]:
        assert any(
            f"'{misspelt.strip()}'" in str(fault) or misspelt in str(fault) for fault in faults
        )


@pytest.mark.req("P2")
@quick
@given(
    cut=st.integers(0, len(TEXT)),
    length=st.integers(0, 40),
    insert=st.text("\t \n:-[]{}#&*!|>'\"%@`,?ab1", max_size=8),
)
def test_damaged_text_gives_faults_or_a_plan(
    folder: Path, cut: int, length: int, insert: str
) -> None:
    """Cut out a piece of the file and put signs of YAML in its place."""
    judge(folder, (TEXT[:cut] + insert + TEXT[cut + length :]).encode())


@pytest.mark.req("P2")
@quick
@given(raw=st.one_of(st.binary(max_size=200), st.text(max_size=200).map(str.encode)))
def test_noise_gives_faults(folder: Path, raw: bytes) -> None:
    """Random bytes and random text are never a traceback."""
    judge(folder, raw)


@pytest.mark.req("P2")
@quick
@given(text=st.text("\t \n:-[]{}#&*!|>'\"%@`,?ab1", max_size=60))
def test_signs_of_yaml_give_faults(folder: Path, text: str) -> None:
    """The same for text made of nothing but YAML's own signs."""
    judge(folder, text.encode())
