"""The error bounds and time scales that all gates of a rollout share."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Rules:
    """How sure the judge has to be.

    ``alpha`` bounds P(a good candidate is ever rolled back) over the whole rollout,
    ``alpha_promote`` P(a bad candidate passes a gate) per stage. ``planned_looks`` is the
    expected number of looks of the rollout (None: open-ended); it tunes how fast a late change
    is found, never the bound. ``freeze_at`` is the rollback evidence of a gate from which the
    ramp is frozen. ``gauge_seconds`` is what a planned look takes, and the interval into which
    gauges are averaged.
    """

    alpha: float = 0.01
    alpha_promote: float = 0.05
    planned_looks: int | None = None
    freeze_at: float = 10.0
    gauge_seconds: float = 60.0

    def __post_init__(self) -> None:
        for name in ("alpha", "alpha_promote"):
            if not 0.0 < getattr(self, name) < 1.0:
                raise ValueError(f"{name} must lie between 0 and 1, not {getattr(self, name)}")
        if self.planned_looks is not None and self.planned_looks < 1:
            raise ValueError(f"planned_looks must be at least 1, not {self.planned_looks}")
        if not 1.0 < self.freeze_at <= 1.0 / self.alpha:
            raise ValueError(
                f"freeze_at must lie above 1 and not above 1/alpha, not {self.freeze_at}"
            )
        if not self.gauge_seconds > 0.0:
            raise ValueError(f"gauge_seconds must be positive, not {self.gauge_seconds}")
