"""The candidate service: ``python -m examples.mood.candidate --port N --models DIR``."""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

from examples.mood.candidate.faults import KINDS, MOMENTS, RATES, Fault
from examples.mood.candidate.recommendations import recommend
from examples.mood.models import DAYS, Model
from examples.mood.service import HORIZON_HOURS, Call, parser, serve

VERSION = "0.3.0"


def answer(call: Call, models: Mapping[str, Model]) -> dict[str, Any]:
    """Dual temporal output, and the legacy fields beside it."""
    end = call.week.window_end
    forecast_risk, forecast_confidence = models["forecast"].risk(
        call.activity, call.sleep, end.hour
    )
    current_risk, current_confidence = models["current"].risk(call.activity, call.sleep, end.hour)
    return {
        "model_version": VERSION,
        "subject": call.week.subject,
        "window_end": end.isoformat(),
        "horizon_hours": HORIZON_HOURS,
        "risk_score": round(forecast_risk, 4),
        "generated_at": call.now.isoformat(),
        "current": _half(models["current"], end, current_risk, current_confidence)
        | {"timestamp": end.isoformat()},
        "forecast": _half(models["forecast"], end, forecast_risk, forecast_confidence)
        | {"prediction_for": (end + timedelta(hours=HORIZON_HOURS)).isoformat()},
        "recommendations": recommend(current_risk, forecast_risk, call.sleep),
    }


def _half(model: Model, end: datetime, risk: float, confidence: float) -> dict[str, Any]:
    start = end - timedelta(days=DAYS[model.name])
    return {
        "source": model.source,
        "window": {"start": start.isoformat(), "end": end.isoformat()},
        "risk": round(risk, 4),
        "confidence": round(confidence, 4),
    }


def misjudging(fault: Fault) -> Callable[[Call, Mapping[str, Model]], dict[str, Any]]:
    """The answer as a candidate with this fault gives it."""
    return lambda call, models: fault.misjudge(call, answer(call, models))


def main(arguments: Sequence[str] | None = None) -> int:
    """The command line."""
    commands = parser("examples.mood.candidate", VERSION)
    commands.add_argument("--fault", choices=KINDS, default="none")
    commands.add_argument(
        "--fault-when",
        choices=MOMENTS,
        default="always",
        help="served: only where the answer is used, never in a shadow call",
    )
    commands.add_argument("--fault-rate", type=float, help="share of requests, 0 to 1")
    options = commands.parse_args(arguments)
    rate = RATES[options.fault] if options.fault_rate is None else options.fault_rate
    if not 0.0 <= rate <= 1.0:
        commands.error("--fault-rate is a share from 0 to 1")
    fault = Fault(options.fault, options.fault_when, rate)
    return serve(
        options,
        "candidate",
        VERSION,
        ["forecast", "current"],
        misjudging(fault),
        delay=fault.delay,
        outgoing=fault.garble,
    )


if __name__ == "__main__":
    sys.exit(main())
