"""Units as people write them in a plan: durations, percentages, ratios."""

from __future__ import annotations

import re
from datetime import date, datetime
from typing import Annotated, Any

from pydantic import BeforeValidator, Field, ValidationInfo, WithJsonSchema

#: Validation context of a plan that people wrote: there a bare number is no duration.
WRITTEN = {"written": True}

_SECONDS = {"us": 1e-6, "ms": 1e-3, "s": 1.0, "m": 60.0, "min": 60.0, "h": 3600.0, "d": 86400.0,
            "w": 604800.0}  # fmt: skip
_DURATION = re.compile(r"(\d+(?:\.\d+)?)\s*(us|ms|s|min|m|h|d|w)")


def seconds(value: Any) -> float:
    """Seconds of ``24h``, ``90s``, ``1h30m``, ``200ms``; a bare number is refused, as its
    unit would be a guess. Raises ``ValueError``."""
    if isinstance(value, str):
        text = value.strip()
        parts = _DURATION.findall(text)
        if parts and _DURATION.sub("", text).strip() == "":
            return float(sum(float(number) * _SECONDS[unit] for number, unit in parts))
    if isinstance(value, float) and not isinstance(value, bool):
        # A plan read back from the ledger holds seconds already.
        return value
    if isinstance(value, int) and not isinstance(value, bool):
        raise ValueError(f"{value} has no unit; write a duration like {value}s or {value}h")
    raise ValueError(
        f"{_shown(value)} is not a duration; write a number and a unit, like 24h or 200ms"
    )


def spoken(value: float) -> str:
    """Seconds as people say them: ``24 h``, ``1 h 30 min``, ``200 ms``."""
    if value < 1:
        return f"{value * 1000:g} ms" if value else "0 s"
    parts: list[str] = []
    # Days only where they are whole: a bake of 36 h is not said as 1 d 12 h.
    days = value >= 172800 and value % 86400 == 0
    for size, name in ((86400, "d"), (3600, "h"), (60, "min")):
        if value >= size and (name != "d" or days):
            count, value = divmod(value, size)
            parts.append(f"{count:g} {name}")
    if value:
        parts.append(f"{value:g} s")
    return " ".join(parts)


def _written_seconds(value: Any, info: ValidationInfo) -> float:
    if isinstance(value, float) and info.context == WRITTEN:
        raise ValueError(f"{value:g} has no unit; write a duration like {value:g}s or {value:g}h")
    return seconds(value)


def moment(value: Any) -> datetime:
    """A date and time of ``2026-12-21T09:00`` or ``2026-12-21T09:00+01:00``; raises
    ``ValueError``."""
    if isinstance(value, datetime):
        return value
    if isinstance(value, str):
        try:
            return datetime.fromisoformat(value.strip())
        except ValueError as error:
            raise ValueError(
                f"{_shown(value)} is not a moment ({error}); write it like 2026-12-21T09:00"
            ) from None
    raise ValueError(f"{_shown(value)} is not a moment; write it like 2026-12-21T09:00")


def day(value: Any) -> date:
    """A day of ``2026-12-31``; raises ``ValueError``."""
    if isinstance(value, date) and not isinstance(value, datetime):
        return value
    try:
        return date.fromisoformat(value.strip())
    except (ValueError, AttributeError):
        raise ValueError(f"{_shown(value)} is not a day; write it like 2026-12-31") from None


def fraction(value: Any) -> float:
    """Fraction of ``20%`` or ``0.2``; raises ``ValueError``."""
    if isinstance(value, str) and value.strip().endswith("%"):
        try:
            return float(value.strip()[:-1]) / 100
        except ValueError:
            raise ValueError(f"{_shown(value)} is not a percentage; write it like 20%") from None
    if isinstance(value, int | float) and not isinstance(value, bool):
        return float(value)
    raise ValueError(f"{_shown(value)} is not a share; write it like 20% or 0.2")


def percent(value: Any) -> float:
    """Percentage points of ``25``, ``12.5`` or ``25%``; raises ``ValueError``."""
    if isinstance(value, str) and value.strip().endswith("%"):
        return fraction(value) * 100
    if isinstance(value, int | float) and not isinstance(value, bool):
        return float(value)
    raise ValueError(f"{_shown(value)} is not a percentage; write it like 25 or 25%")


def limit(value: Any) -> float:
    """A gate's limit: ``200ms``, ``20%``, ``1.5x`` or a plain number; raises ``ValueError``."""
    if isinstance(value, int | float) and not isinstance(value, bool):
        return float(value)
    text = value.strip() if isinstance(value, str) else ""
    if text.endswith("%"):
        return fraction(text)
    try:
        return float(text[:-1]) if text.endswith("x") else seconds(text)
    except ValueError:
        forms = "write a number, 200ms, 20% or 1.5x"
        raise ValueError(f"{_shown(value)} is not a limit; {forms}") from None


def _shown(value: Any) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    text = value if isinstance(value, str) else repr(value)
    text = text if len(text) <= 40 else text[:39] + "…"
    return f"'{text}'" if isinstance(value, str) else text


Moment = Annotated[
    datetime,
    BeforeValidator(moment),
    WithJsonSchema({"type": "string", "examples": ["2026-12-21T09:00"], "unit": "moment"}),
]
Day = Annotated[
    date,
    BeforeValidator(day),
    WithJsonSchema({"type": "string", "examples": ["2026-12-31"], "unit": "day"}),
]
Seconds = Annotated[
    float,
    BeforeValidator(_written_seconds),
    Field(ge=0),
    WithJsonSchema(
        {
            "type": "string",
            "pattern": r"^\s*(\d+(\.\d+)?\s*(us|ms|s|min|m|h|d|w)\s*)+$",
            "examples": ["24h", "90s", "200ms"],
            "unit": "duration",
        }
    ),
]
Fraction = Annotated[
    float,
    BeforeValidator(fraction),
    Field(ge=0, le=1),
    WithJsonSchema({"type": ["string", "number"], "examples": ["20%", 0.2], "unit": "share"}),
]
Percent = Annotated[
    float,
    BeforeValidator(percent),
    Field(ge=0, le=100),
    WithJsonSchema({"type": ["string", "number"], "examples": [25, "25%"], "unit": "percent"}),
]
Limit = Annotated[
    float,
    BeforeValidator(limit),
    Field(ge=0),
    WithJsonSchema(
        {
            "type": ["string", "number"],
            "examples": ["200ms", "20%", "1.5x", 0.85],
            "unit": "limit",
        }
    ),
]
