"""A gate: a rule on a metric, and what every kind of gate has to be able to do."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from math import ceil
from typing import Protocol

from switchover.judge.block import Look, Tally
from switchover.judge.evidence import GateEvidence
from switchover.judge.rules import Rules
from switchover.judge.sketch import HIGHEST
from switchover.judge.verdict import GateReading

#: Fewest observations before any promotion.
LEAST = 50
#: The kinds that can bet on whole blocks.
BURSTY = ("proportion", "quantile", "relative_rate", "relative_quantile")


@dataclass(frozen=True, slots=True)
class GateSpec:
    """A gate as compiled from a plan.

    What ``limit`` means depends on ``kind``: proportion, the allowed bad rate (a plan's "at
    least 0.85" is 0.15); quantile, a value in the metric's unit that the ``quantile`` may
    not exceed; relative_rate and relative_quantile, the allowed ratio to legacy; memory, the
    allowed relative growth (0.2 for 20 %); count, the allowed number of events; paired, the
    allowed difference of two bad rates; mean, a value in the metric's unit; drift, the allowed
    distance of two distributions; sample_ratio, the allowed deviation of a share.

    ``limit`` is where the gate rolls back, ``promote_limit`` (the same by default, never laxer)
    where it promotes; between the two it holds. ``weight`` is the gate's share in the
    rollback sum. ``n_min`` is the least number of observations in a stage. ``stages``
    are the stage kinds it applies to. ``floor`` (relative_rate only) is a bad rate of the
    candidate that is good enough to promote when legacy has too few bad ones to compare with
    (1 % by default); 0 switches it off.

    ``critical`` gates share one half of the error budget, and each rolls back alone once its own
    evidence fills its share. A ``report_only`` gate is read and changes nothing. Observations of
    a stage's first ``warm_up`` seconds are not judged. ``cap`` (mean only) is where values are
    cut. ``noise`` (proportion only) names the metric of legacy against itself. ``bursty``: bet on
    blocks in any case. ``seconds``: the metric is a time, which sentences tell with its unit.
    Raises ``ValueError`` where a value makes no sense.
    """

    name: str
    kind: str
    metric: str
    limit: float
    promote_limit: float | None = None
    quantile: float = 0.99
    weight: float = 1.0
    n_min: int | None = None
    stages: tuple[str, ...] = ("shadow", "canary")
    floor: float | None = None
    critical: bool = False
    report_only: bool = False
    warm_up: float = 0.0
    cap: float | None = None
    noise: str | None = None
    bursty: bool = False
    seconds: bool = False

    def __post_init__(self) -> None:
        kind = kinds().get(self.kind)
        if kind is None:
            raise ValueError(
                f"gate {self.name}: unknown kind {self.kind!r}; one of {', '.join(sorted(kinds()))}"
            )
        for label in ("name", "metric"):
            if not getattr(self, label):
                raise ValueError(f"gate {self.name or '?'}: {label} is empty")
        if not 0.0 < self.weight < float("inf"):
            raise ValueError(f"gate {self.name}: weight must be positive, not {self.weight}")
        if self.n_min is not None and self.n_min < 1:
            raise ValueError(f"gate {self.name}: n_min must be at least 1, not {self.n_min}")
        if not 0.0 < self.quantile < 1.0:
            raise ValueError(
                f"gate {self.name}: quantile must lie between 0 and 1 (the 99th percentile "
                f"is 0.99), not {self.quantile}"
            )
        if self.floor is not None and (self.kind != "relative_rate" or not 0 <= self.floor < 1):
            raise ValueError(
                f"gate {self.name}: floor is a bad rate from 0 to below 1 of kind relative_rate"
            )
        for option, held in (("cap", ("mean",)), ("noise", ("proportion",)), ("bursty", BURSTY)):
            if getattr(self, option) and self.kind not in held:
                raise ValueError(f"gate {self.name}: {option} belongs to kind {' or '.join(held)}")
        if not 0.0 <= self.warm_up < float("inf"):
            raise ValueError(f"gate {self.name}: warm_up must not be negative: {self.warm_up}")
        if self.critical and self.report_only:
            raise ValueError(f"gate {self.name}: it can't be critical and report_only at once")
        if self.to_promote > self.limit:
            raise ValueError(
                f"gate {self.name}: promote_limit {self.promote_limit} is laxer than limit "
                f"{self.limit}; a candidate could pass it and be rolled back at once"
            )
        kind.check(self)

    @property
    def to_promote(self) -> float:
        """The limit that promotion is judged by."""
        return self.limit if self.promote_limit is None else self.promote_limit

    def least(self, bad_rate: float) -> int:
        """``n_min``, by default what shows five bad ones at ``bad_rate``, and 50 at least."""
        return self.n_min or max(LEAST, ceil(5.0 / bad_rate - 1e-9))


class Kind(Protocol):
    """What a kind of gate implements; all of it pure."""

    #: Whether its rollback evidence takes part in the weighted sum.
    weighted: bool
    #: The systems without which it learns nothing; ``candidate`` stands for pairs as well.
    needs: tuple[str, ...]

    def check(self, spec: GateSpec) -> None:
        """Raise ``ValueError`` if this kind can't work with the spec."""

    def observe(
        self,
        spec: GateSpec,
        rules: Rules,
        state: GateEvidence,
        look: Look,
        stage_look: Look,
        at: float | None,
    ) -> None:
        """Bring ``state`` up to date: ``look`` bets against, ``stage_look`` in favour."""

    def fired(self, spec: GateSpec, state: GateEvidence) -> bool:
        """Whether it demands a rollback by itself, evidence or not."""

    def read(
        self, spec: GateSpec, rules: Rules, state: GateEvidence, rolls_back: bool
    ) -> GateReading:
        """The reading; ``rolls_back`` says that the stage goes back because of this gate."""


def candidate_of(look: Look, metric: str) -> Tally | None:
    """What is fresh of a metric judged by itself: its pairs, else the candidate's own."""
    systems: Mapping[str, Tally] = look.get(metric, {})
    return systems.get("pair") or systems.get("candidate")


def outcomes(seen: Tally | None) -> Tally | None:
    """What was recorded as yes or no. Numbers under the same name, 0 and 1 too, are neither good
    nor bad: taken for observations, each of them would be a good one."""
    if seen is None or not seen.sketch:
        return seen
    return Tally(n=max(0, seen.n - sum(seen.sketch.values())), bad=seen.bad)


def readable(seen: Tally | None) -> Tally | None:
    """Without the values that are no finite numbers: of legacy they set no standard."""
    if seen is None or HIGHEST not in seen.sketch:
        return seen
    sketch = {bucket: count for bucket, count in seen.sketch.items() if bucket < HIGHEST}
    n = max(0, seen.n - seen.sketch[HIGHEST])
    return Tally(n, min(n, seen.bad), seen.total, seen.total_squares, sketch)


@cache
def kinds() -> Mapping[str, Kind]:
    """Every kind by its name in plans."""
    from switchover.judge.count import Count
    from switchover.judge.drift import Drift
    from switchover.judge.mean import Mean
    from switchover.judge.memory import Memory
    from switchover.judge.paired import Paired
    from switchover.judge.proportion import Proportion
    from switchover.judge.quantile import Quantile
    from switchover.judge.relative_quantile import RelativeQuantile
    from switchover.judge.relative_rate import RelativeRate
    from switchover.judge.sample_ratio import SampleRatio

    return {
        "proportion": Proportion(),
        "quantile": Quantile(),
        "relative_rate": RelativeRate(),
        "relative_quantile": RelativeQuantile(),
        "memory": Memory(),
        "count": Count(),
        "paired": Paired(),
        "mean": Mean(),
        "drift": Drift(),
        "sample_ratio": SampleRatio(),
    }
