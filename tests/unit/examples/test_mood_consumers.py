"""The mood example's adapters and the decision support that consumes their output."""

from __future__ import annotations

import copy
from typing import Any

import pytest

from examples.mood.adapters import to_cds_v1, to_cds_v2
from examples.mood.cds import DecisionSupport, Refused

LEGACY_FIELDS = {
    "model_version", "subject", "window_end", "horizon_hours", "risk_score", "generated_at",
}  # fmt: skip


def candidate_answer() -> dict[str, Any]:
    return {
        "model_version": "0.3.0",
        "subject": "generated_0001-w3",
        "window_end": "2026-02-07T09:00:00+00:00",
        "horizon_hours": 24,
        "risk_score": 0.72,
        "generated_at": "2026-02-07T09:00:01.5+00:00",
        "current": {
            "source": "current-trees",
            "window": {"start": "2026-02-04T09:00:00+00:00", "end": "2026-02-07T09:00:00+00:00"},
            "risk": 0.2,
            "confidence": 0.7,
            "timestamp": "2026-02-07T09:00:00+00:00",
        },
        "forecast": {
            "source": "forecast-trees",
            "window": {"start": "2026-01-31T09:00:00+00:00", "end": "2026-02-07T09:00:00+00:00"},
            "risk": 0.72,
            "confidence": 0.98,
            "prediction_for": "2026-02-08T09:00:00+00:00",
        },
        "recommendations": [{"code": "watch", "text": "Watch over the next days."}],
    }


def changed(path: str, value: Any) -> dict[str, Any]:
    answer = copy.deepcopy(candidate_answer())
    *parents, last = path.split(".")
    place = answer
    for name in parents:
        place = place[name]
    if value is ...:
        del place[last]
    else:
        place[last] = value
    return answer


@pytest.mark.req("C1")
def test_the_legacy_consumer_gets_exactly_the_legacy_fields() -> None:
    """One risk score, and v1 takes it."""
    adapted = to_cds_v1(candidate_answer())
    assert set(adapted) == LEGACY_FIELDS
    assert DecisionSupport("v1").consume(adapted).urgency == "urgent"


@pytest.mark.req("C2")
def test_no_candidate_field_leaks_through_either_adapter() -> None:
    """Whatever a later candidate adds, at any depth, stays out."""
    answer = candidate_answer() | {"debug": {"weights": [1, 2]}}
    for half in ("current", "forecast"):
        answer[half] = answer[half] | {"internal_id": 7}
    answer["recommendations"] = [answer["recommendations"][0] | {"rule": "r-17"}]
    for version, adapt in (("v1", to_cds_v1), ("v2", to_cds_v2)):
        adapted = adapt(answer)
        assert not [name for name in ("debug", "internal_id", "rule") if name in str(adapted)]
        assert DecisionSupport(version).faults(adapted) == []


@pytest.mark.req("C1")
def test_the_new_consumer_gets_the_full_temporal_assessment() -> None:
    """Current, forecast and recommendations, each with its fields."""
    adapted = to_cds_v2(candidate_answer())
    assert set(adapted["current"]) == {"source", "window", "risk", "confidence", "timestamp"}
    assert set(adapted["forecast"]) == {"source", "window", "risk", "confidence", "prediction_for"}
    assert DecisionSupport("v2").consume(adapted).risk == 0.72


@pytest.mark.parametrize(
    "path",
    ["risk_score", "forecast", "current.timestamp", "forecast.prediction_for", "recommendations"],
)
@pytest.mark.req("C1")
def test_an_adapter_makes_nothing_up(path: str) -> None:
    """An answer that lacks a field of the shape is refused, naming the field."""
    adapt = to_cds_v1 if path == "risk_score" else to_cds_v2
    with pytest.raises(ValueError, match=f"no '{path}'"):
        adapt(changed(path, ...))


@pytest.mark.req("C2")
def test_an_unadapted_answer_is_refused_by_the_legacy_consumer() -> None:
    """The contract is closed: the candidate's own shape is no legacy shape."""
    with pytest.raises(Refused, match="CDS v1 refuses"):
        DecisionSupport("v1").consume(candidate_answer())


@pytest.mark.parametrize(
    ("path", "value"),
    [
        ("risk_score", 1.01), ("risk_score", -0.1), ("risk_score", "0.5"), ("risk_score", None),
        ("horizon_hours", 48), ("subject", ""), ("window_end", "yesterday"),
        ("model_version", "latest"),
    ],
)  # fmt: skip
@pytest.mark.req("C2")
def test_the_legacy_consumer_refuses_what_breaks_its_contract(path: str, value: Any) -> None:
    """Ranges, types and formats, with the field in the reason."""
    with pytest.raises(Refused) as caught:
        DecisionSupport("v1").consume(to_cds_v1(changed(path, value)))
    assert any(reason.startswith(path) for reason in caught.value.reasons)


@pytest.mark.parametrize(
    ("path", "value", "said"),
    [
        ("forecast.confidence", 1.7, "forecast.confidence"),
        ("current.risk", -0.2, "current.risk"),
        ("forecast.prediction_for", "2026-02-07T09:00:00+00:00", "not later than"),
        ("current.window.start", "2026-02-07T09:00:00+00:00", "does not end after its start"),
        ("forecast.window.end", "2026-02-07T10:00:00+00:00", "reaches beyond"),
        ("recommendations", [{"code": "Not A Code", "text": "x"}], "recommendations.0.code"),
    ],
)
@pytest.mark.req("C2")
def test_the_new_consumer_refuses_broken_values_and_times(path: str, value: Any, said: str) -> None:
    """The schema's ranges and the invariants about the order of times."""
    with pytest.raises(Refused, match=said):
        DecisionSupport("v2").consume(to_cds_v2(changed(path, value)))


@pytest.mark.parametrize("answer", [None, [], "0.5", {}, 0.5])
@pytest.mark.req("C2")
def test_anything_but_an_answer_is_refused_with_reasons(answer: Any) -> None:
    """No input makes the consumer break instead of refuse."""
    for version in ("v1", "v2"):
        assert DecisionSupport(version).faults(answer)
