from __future__ import annotations

from pathlib import Path

import pytest

from switchover.errors import PlanError
from switchover.plan.load import load_plan

REFUSED = Path(__file__).parents[3] / "examples" / "refused"
PLANS = sorted(REFUSED.glob("*.yaml"))


@pytest.mark.req("P2")
def test_there_are_plans_to_refuse() -> None:
    """The parametrised test below has something to run on."""
    assert len(PLANS) >= 30


@pytest.mark.req("P2")
@pytest.mark.parametrize("plan", PLANS, ids=lambda plan: plan.stem)
def test_a_refused_plan_gets_exactly_its_messages(
    plan: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Every fault is found, with file, line, column, field, words and advice; and no other."""
    monkeypatch.chdir(REFUSED)
    text = plan.read_bytes().decode("utf-8", "replace")
    expected = [
        line.removeprefix("# expect: ")
        for line in text.splitlines()
        if line.startswith("# expect: ")
    ]
    with pytest.raises(PlanError) as refused:
        load_plan(plan.name)
    assert [str(fault) for fault in refused.value.faults] == expected
