"""The legacy service: ``python -m examples.mood.legacy --port N --models DIR``."""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from typing import Any

from examples.mood.models import Model
from examples.mood.service import HORIZON_HOURS, Call, parser, serve

VERSION = "0.2.0"


def answer(call: Call, models: Mapping[str, Model]) -> dict[str, Any]:
    """The legacy shape: exactly these fields."""
    end = call.week.window_end
    risk, _ = models["forecast"].risk(call.activity, call.sleep, end.hour)
    return {
        "model_version": VERSION,
        "subject": call.week.subject,
        "window_end": end.isoformat(),
        "horizon_hours": HORIZON_HOURS,
        "risk_score": round(risk, 4),
        "generated_at": call.now.isoformat(),
    }


def main(arguments: Sequence[str] | None = None) -> int:
    """The command line."""
    options = parser("examples.mood.legacy", VERSION).parse_args(arguments)
    return serve(options, "legacy", VERSION, ["forecast"], answer)


if __name__ == "__main__":
    sys.exit(main())
