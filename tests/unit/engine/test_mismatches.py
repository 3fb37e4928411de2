"""Sampled disagreements on their way into the ledger's database."""

from __future__ import annotations

from typing import Any

import pytest

from switchover.engine.collect import collect
from switchover.engine.mismatches import disagreements, keep_mismatches
from switchover.engine.roll_back import roll_back
from switchover.errors import DependencyUnavailable, InputError
from switchover.judge.agreement import Mismatch
from switchover.judge.sample import Sample
from switchover.reporting.markdown import mismatch_table

pytestmark = pytest.mark.req("O4")


def ship(world: Any, *ids: str, path: str = "a[3].b", at: float | None = None) -> None:
    moment = world.context.timestamp if at is None else at
    samples = [Sample(id, moment, 0, (Mismatch(path, 1, 2, "differs"),)) for id in ids]
    world.stream.append_mismatches("demo", [sample.to_json() for sample in samples])


def test_collecting_brings_samples_once_and_clears_the_stream(world: Any) -> None:
    """However often it runs; an idle collection writes nothing."""
    world.start()
    ship(world, "x1", "x2")
    collect(world.context, "demo")
    ship(world, "x2", "x3")
    collect(world.context, "demo")
    collect(world.context, "demo")
    found = disagreements(world.context, "demo")
    assert sorted(sample.id for sample, _ in found.mismatches) == ["x1", "x2", "x3"]
    assert world.stream.read_mismatches("demo") == ([], "")


@pytest.mark.req("INV4")
def test_a_collector_that_dies_before_it_trims_loses_and_doubles_nothing(
    world: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What is in both places is the same sample when it comes again."""
    world.start()
    ship(world, "x1")

    def gone(migration: str, upto: str) -> None:
        raise DependencyUnavailable("Redis", "gone")

    with monkeypatch.context() as patched:
        patched.setattr(world.stream, "trim_mismatches", gone)
        with pytest.raises(DependencyUnavailable):
            keep_mismatches(world.case)
    assert keep_mismatches(world.case) == 0
    assert disagreements(world.context, "demo").samples == 1


def test_a_late_sample_belongs_to_the_attempt_before(world: Any) -> None:
    """A new start begins with a clean table; what the old one saw stays with it."""
    world.start()
    before = world.context.timestamp
    roll_back(world.context, "demo", actor="ada", trigger="human", reason="no")
    world.wait(1)
    world.start()
    assert world.case.state.attempt == 2
    ship(world, "old", at=before)
    ship(world, "new")
    collect(world.context, "demo")
    ids = [
        [sample.id for sample, _ in disagreements(world.context, "demo", attempt=n).mismatches]
        for n in (1, 2)
    ]
    assert ids == [["old"], ["new"]]
    assert disagreements(world.context, "demo").attempt == 2


@pytest.mark.parametrize(
    ("field", "paths"),
    [
        ("", ["$", "a[0].b", "a[1]", "c.d", "c.*"]),
        ("a", ["a[0].b", "a[1]"]),
        ("a[*]", ["a[0].b", "a[1]"]),
        ("a[1]", ["a[1]"]),
        ("*.d", ["c.d"]),
        ("$", ["$"]),
        ("b", []),
    ],
)
def test_a_field_is_found_with_all_below_it(world: Any, field: str, paths: list[str]) -> None:
    """Wildcards stand for any step; the whole answer is a field of its own."""
    world.start()
    for number, path in enumerate(("$", "a[0].b", "a[1]", "c.d", "c.*")):
        ship(world, f"x{number}", path=path)
    collect(world.context, "demo")
    found = disagreements(world.context, "demo", field=field)
    assert sorted(m.path for _, m in found.mismatches) == sorted(paths)


def test_a_field_that_is_no_path_is_bad_input(world: Any) -> None:
    """Told as a mistake of the caller."""
    world.start()
    with pytest.raises(InputError, match="can't be read"):
        disagreements(world.context, "demo", field="a..b")


def test_the_table_of_fields_shows_no_values(world: Any) -> None:
    """The Prefect UI is open to more people than the ledger; a field's name can't break it."""
    world.start()
    ship(world, "x1", path="a[3].b")
    ship(world, "x2", path='["<b>|`x"]')
    collect(world.context, "demo")
    found = disagreements(world.context, "demo")
    text = mismatch_table(found.fields, found.samples)
    assert text.startswith("Of 2 sampled disagreements:")
    assert "| `a[*].b` | differs | 1 | 50% |" in text
    row = next(line for line in text.splitlines() if "x" in line)
    assert "<b>" not in row
    assert row.count("`") == 2
