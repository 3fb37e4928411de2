"""How a wave of the validation is told: in words, and as a document."""

from __future__ import annotations

import pytest

from switchover.engine.validate import Validation, WaveOutcome
from switchover.ports import CheckResult

pytestmark = pytest.mark.req("R4")


def result(name: str, ok: bool) -> CheckResult:
    """What a probe found."""
    return CheckResult(name=name, ok=ok, summary="status 503", detail={}, seconds=0.1)


@pytest.mark.parametrize(
    ("passed", "said"),
    [
        ((True,), "functional: its probe passes"),
        ((True, True), "functional: all 2 probes pass"),
        ((True, False), "functional: failed, 1 of 2 probes pass; p1: status 503"),
    ],
)
def test_a_wave_counts_its_probes_in_whole_sentences(passed: tuple[bool, ...], said: str) -> None:
    """One probe is not *all 1 probes*."""
    results = tuple(result(f"p{i}", ok) for i, ok in enumerate(passed))
    assert WaveOutcome("functional", all(passed), 0.0, results).sentence == said


def test_times_of_a_document_are_iso_8601() -> None:
    """Like those of every other document of the command line and the API."""
    wave = WaveOutcome("functional", True, 1_767_225_660.0, (result("p", True),))
    document = Validation("demo", "demo-1", (wave,), 1_767_225_600.0).to_dict()
    assert document["next_at"] == "2026-01-01T00:00:00+00:00"
    assert document["waves"][0]["deadline"] == "2026-01-01T00:01:00+00:00"
    assert Validation("demo", "demo-1").to_dict()["next_at"] is None
