"""A stand-in for clinical decision support: it uses answers, and refuses broken ones."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

import jsonschema_rs

CONTRACTS = Path(__file__).parent / "contracts"
VERSIONS = ("v1", "v2")


class Refused(ValueError):
    """The answer breaks the consumer's contract; ``reasons`` says where and how."""

    def __init__(self, version: str, reasons: list[str]) -> None:
        super().__init__(f"CDS {version} refuses the answer: {'; '.join(reasons)}")
        self.version, self.reasons = version, reasons


@dataclass(frozen=True)
class Triage:
    """What the clinic's list shows."""

    subject: str
    urgency: str
    risk: float


class DecisionSupport:
    """One version of the consumer: ``v1`` takes the legacy shape, ``v2`` the full assessment."""

    def __init__(self, version: str) -> None:
        if version not in VERSIONS:
            raise ValueError(f"no CDS version {version!r}; one of {', '.join(VERSIONS)}")
        self.version = version
        schema = json.loads((CONTRACTS / f"cds-{version}.schema.json").read_text(encoding="utf-8"))
        self._schema = jsonschema_rs.validator_for(schema, validate_formats=True)

    def consume(self, answer: Any) -> Triage:
        """Sort the patient by urgency. Raises ``Refused``."""
        if reasons := self.faults(answer):
            raise Refused(self.version, reasons)
        if self.version == "v1":
            risk = float(answer["risk_score"])
        else:
            risk = max(float(answer[half]["risk"]) for half in ("current", "forecast"))
        urgency = "urgent" if risk >= 0.7 else "watch" if risk >= 0.4 else "routine"
        return Triage(answer["subject"], urgency, risk)

    def faults(self, answer: Any) -> list[str]:
        """Every breach of the contract: first the schema's, then, if none, the invariants'."""
        breaches = [
            f"{'.'.join(map(str, error.instance_path)) or 'answer'}: {error.message}"
            for error in self._schema.iter_errors(answer)
        ]
        invariants = broken_invariants_v1 if self.version == "v1" else broken_invariants_v2
        return breaches or invariants(answer)


def broken_invariants_v1(answer: Mapping[str, Any]) -> list[str]:
    """What v1 relies on beyond the schema: two moments, and a finite risk."""
    end, made = _time(answer["window_end"]), _time(answer["generated_at"])
    if end is None or made is None:
        return ["window_end, generated_at: need a time zone each"]
    if not 0.0 <= answer["risk_score"] <= 1.0:
        return ["risk_score: outside 0 to 1"]
    return []


def broken_invariants_v2(answer: Mapping[str, Any]) -> list[str]:
    """What v2 relies on beyond the schema: shares in range and the order of times."""
    current, forecast = answer["current"], answer["forecast"]
    timestamp, target = _time(current["timestamp"]), _time(forecast["prediction_for"])
    if timestamp is None or target is None:
        return ["current.timestamp, forecast.prediction_for: need a time zone each"]
    found = [
        f"{name}.{share}: outside 0 to 1"
        for name, half in (("current", current), ("forecast", forecast))
        for share in ("risk", "confidence")
        if not 0.0 <= half[share] <= 1.0
    ]
    if target <= timestamp:
        found.append("forecast.prediction_for: not later than current.timestamp")
    for name, half in (("current", current), ("forecast", forecast)):
        start, end = _time(half["window"]["start"]), _time(half["window"]["end"])
        if start is None or end is None:
            found.append(f"{name}.window: needs a time zone on both times")
        elif start >= end:
            found.append(f"{name}.window: does not end after its start")
        elif end > timestamp:
            found.append(f"{name}.window: reaches beyond current.timestamp")
    return found


def _time(text: str) -> datetime | None:
    """The moment, or nothing where the text names none."""
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        return None
    return moment if moment.tzinfo else None
