"""The forecast of a plan."""

from __future__ import annotations

import json
from typing import Any

import pytest

from switchover.judge import forecast as judged
from switchover.judge.expected import Expected
from switchover.plan.forecast import Forecast, GateForecast, forecast
from switchover.plan.spec import Plan
from switchover.plan.traffic import Traffic, hours

DOCUMENT: dict[str, Any] = {
    "switchover": 1,
    "migration": "demo",
    "title": "Demo",
    "systems": {
        "legacy": {"version": "1", "url": "http://127.0.0.1:1"},
        "candidate": {"version": "2", "url": "http://127.0.0.1:2"},
    },
    "request_key": {"field": "id"},
    "stages": [
        {"kind": "shadow", "bake": "1h"},
        {"kind": "canary", "percent": 10, "bake": "1h", "shadow": 0},
        {"kind": "canary", "percent": 100, "bake": "1h", "shadow": 0},
    ],
    "gates": [
        {"name": "success", "metric": "success_rate", "at_least": "90%"},
        {"name": "agreement", "metric": "prediction_agreement_rate", "stages": ["shadow"]},
    ],
}


def told(traffic: Traffic, changes: dict[str, Any] | None = None, **expected: Any) -> Forecast:
    return forecast(Plan.model_validate({**DOCUMENT, **(changes or {})}), traffic, **expected)


def gate(found: Forecast, stage: int, name: str = "success") -> GateForecast:
    return next(gate for gate in found.stages[stage].gates if gate.gate == name)


@pytest.mark.req("O5")
def test_fewer_answers_take_longer() -> None:
    """A tenth of the traffic takes ten times as long; the need stays what it is."""
    found = told(Traffic(1.0, own={"legacy": 0.0}))
    shadow, tenth = gate(found, 0), gate(found, 1)
    assert shadow.need == pytest.approx(tenth.need, rel=0.05)
    assert shadow.seconds is not None
    assert tenth.seconds == pytest.approx(10 * shadow.seconds, rel=0.25)
    assert (shadow.available, tenth.available) == pytest.approx((3600, 360))
    assert [stage.title for stage in found.stages] == ["shadow", "canary 10 %", "canary 100 %"]
    assert found.seconds == 3 * 3600.0
    assert found.warnings == ()


@pytest.mark.req("O5")
def test_a_legacy_that_is_recorded_is_watched_for_bursts_first() -> None:
    """The first stage takes longer for it, and a later one hardly."""
    watched, alone = told(Traffic(1.0)), told(Traffic(1.0, own={"legacy": 0.0}))
    first, last = (
        (gate(watched, stage).seconds or 0.0) / (gate(alone, stage).seconds or 1.0)
        for stage in (0, 2)
    )
    assert first > 2.0
    assert last == pytest.approx(1.0, rel=0.1)


@pytest.mark.req("O5")
def test_a_gate_that_cannot_decide_is_named() -> None:
    """With its stage, what it needs and what comes; the stage takes as long as it takes."""
    found = told(Traffic(0.1, own={"legacy": 0.0}))
    [warning] = found.warnings
    assert warning.startswith("canary 10 %: gate success can't decide in the bake time of 1 h: it")
    assert "and 36 come" in warning
    late = found.stages[1]
    assert (late.slowest, late.seconds) == ("success", gate(found, 1).seconds)
    assert late.seconds is not None
    assert late.seconds > 3600.0
    assert found.stages[2].begins == 3600.0 + late.seconds


@pytest.mark.req("O5")
def test_without_pairs_agreement_never_decides() -> None:
    """A stage without a shadow sample has none, and the advice says so."""
    gates = [{"name": "agreement", "metric": "prediction_agreement_rate"}]
    found = told(Traffic(5.0), {"gates": gates})
    assert [line.split(":")[0] for line in found.warnings] == ["canary 10 %", "canary 100 %"]
    assert "brings it no observations; raise the shadow sample" in found.warnings[0]
    assert found.seconds is None
    assert found.stages[1].seconds is None


@pytest.mark.req("O5")
def test_expectations_are_given_in_the_terms_of_the_plan() -> None:
    """A share of good ones where the plan counts those; by the gate's name before the metric's."""
    assert gate(told(Traffic(1.0)), 0).expected == pytest.approx(0.05)
    found = told(Traffic(1.0), candidate={"success_rate": 0.99})
    assert gate(found, 0).expected == pytest.approx(0.01)
    better = gate(told(Traffic(1.0), candidate={"success_rate": 0.5, "success": 0.98}), 0)
    assert better.expected == pytest.approx(0.02)
    worse = told(Traffic(1.0), candidate={"success_rate": 0.89})
    assert "shadow: gate success never decides at what is expected; 3,600" in worse.warnings[0]


@pytest.mark.req("O5")
def test_legacys_figures_can_be_given_too() -> None:
    """A relative gate needs fewer observations where legacy fails more often."""
    gates = [{"name": "failures", "metric": "error_rate", "kind": "relative_rate", "at_most": 2}]
    needs = [
        gate(told(Traffic(5.0), {"gates": gates}, legacy={"error_rate": base}), 1, "failures").need
        for base in (0.02, 0.05)
    ]
    assert None not in needs
    assert needs[0] > 2 * needs[1]  # type: ignore[operator]


@pytest.mark.req("O5")
def test_a_warm_up_comes_on_top() -> None:
    """Ten minutes later, and with less of the bake time."""
    gates = [{"name": "success", "metric": "success_rate", "at_least": "90%", "warm_up": "10m"}]
    late, early = gate(told(Traffic(1.0), {"gates": gates}), 0), gate(told(Traffic(1.0)), 0)
    assert late.seconds == (early.seconds or 0.0) + 600.0
    assert late.available == pytest.approx(3000)


@pytest.mark.req("O5")
def test_quiet_hours_take_longer() -> None:
    """A stage that begins in the night waits for the morning."""
    day = hours("0=0,8=1,20=0")
    night = gate(told(Traffic(1.0, day, begins=4.0)), 0)
    assert night.seconds is not None
    assert 4 * 3600.0 < night.seconds < 4.2 * 3600.0
    assert (night.in_bake, night.available) == (False, 0.0)


@pytest.mark.req("O5")
def test_longer_stages_find_less() -> None:
    """What is detectable comes closer to the limit with the bake time."""
    found = [
        gate(told(Traffic(1.0), {"stages": [{"kind": "shadow", "bake": bake}]}), 0).detectable
        for bake in ("10m", "1h", "24h")
    ]
    assert None not in found
    assert 0.3 > found[0] > found[1] > found[2] > 0.1  # type: ignore[operator]


@pytest.mark.req("O5")
def test_a_gate_for_report_only_holds_nothing_up() -> None:
    """It is told, and the stage does not wait for it."""
    gates = [
        {"name": "success", "metric": "success_rate", "at_least": "90%"},
        {"name": "errors", "metric": "error_rate", "at_most": "0.1%", "report_only": True},
    ]
    found = told(Traffic(1.0), {"gates": gates})
    assert gate(found, 0, "errors").report_only
    assert not gate(found, 0, "errors").in_bake
    assert [stage.seconds for stage in found.stages] == [3600.0] * 3


@pytest.mark.req("O5")
def test_a_kind_without_a_forecast_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    """Rather than a figure that nobody worked out."""

    def without(paired: frozenset[str]) -> dict[str, Expected]:
        kept = dict(judged.forecastable(paired))
        del kept["proportion"]
        return kept

    monkeypatch.setattr("switchover.plan.forecast.forecastable", without)
    found = told(Traffic(1.0))
    assert gate(found, 0).note == "kind proportion is not forecast"
    assert "shadow: gate success: kind proportion is not forecast" in found.warnings


@pytest.mark.req("O5")
def test_the_document_is_plain_json() -> None:
    """As the command prints it: never is null, not infinite."""
    text = json.dumps(told(Traffic(0.001)).to_dict(), allow_nan=False)
    assert json.loads(text)["stages"][0]["gates"][0]["gate"] == "success"
