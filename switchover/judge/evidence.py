"""Evidence that stays valid however often one looks: the two test martingales of a gate.

Rollback evidence W is a mixture of nine bets with restarts (an e-detector: Shin, Ramdas and
Rinaldo, "E-detectors", 2023). Before block t every component receives a share of new stake
pi_t, then each is multiplied by its bet's outcome, whose expectation is at most 1 while the
candidate keeps its limit (Waudby-Smith and Ramdas, "Estimating means of bounded random
variables by betting", 2023). Stake laid before a change goes on being lost while all is well;
stake laid at the change grows from there, so a sudden failure is found in a few blocks.

W plus the stake not yet laid is a non-negative supermartingale that starts at 1, so by
Ville's inequality P(it ever reaches 1/alpha) <= alpha. The decision uses W alone. That is
never larger, hence as valid, and costs at most half a unit of the hundred; in return a
gate without data reads 0 rather than 1, and a change of the planned looks changes no reading.

Looks may come more often than planned. A look then lays that part of a planned look's stake which
the look before it took of a planned look's time: known before the look's data are, and in sum the
same stake over the same time, so that neither the bound nor the sense for a late change depends
on how often somebody looks.

Promote evidence G starts at 1 with each stage and has no restarts: a cumulative bet that the
candidate keeps its limit. All numbers are logarithms; memory is constant.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, fields, replace
from math import exp, expm1, log, log1p
from operator import add
from typing import Any

#: Alternatives to the limit, as shifts of its logit.
SHIFTS = (0.03, 0.06, 0.12, 0.25, 0.5, 1.0, 1.5, 2.0, 3.0)
#: The logarithm of nothing, finite so that it can be written as JSON.
LOG_ZERO = -1e300
#: Evidence is shown up to this figure.
CAP = 1e300

_LOG_CAP = log(CAP)
#: Below e^700 a number is finite.
_FAR = 700.0
_WORSE = tuple((shift, expm1(shift)) for shift in SHIFTS)
_BETTER = tuple((-shift, expm1(-shift)) for shift in SHIFTS)


@dataclass(slots=True)
class GateEvidence:
    """What is kept of one gate between looks; plain values only.

    Kinds work on a copy that :func:`switchover.judge.rollout.observe` hands them, as making a
    new value at every step would cost more than the statistics. Mappings are never changed.

    ``against`` holds log W by component, ``blocks`` and ``spent`` count the stake laid; ``clock``
    is how many planned looks that was the time of, ``weight`` the next look's part of one.
    ``moment`` is the present look's time in planned looks, ``bet_at`` that of the last bet.
    ``recent_*`` the block counts since the evidence last began to build and ``building`` what each
    bet has won since then. ``favour`` holds log G by component (empty: nothing seen in this stage),
    ``n``, ``bad`` and ``information`` the stage's counts. ``memory`` belongs to the kind for the
    rollout, ``stage`` for the stage; a mapping inside them is a sketch. ``bursts`` and
    ``stage_bursts`` belong to :mod:`switchover.judge.bursty` in the same way.
    ``split`` is the candidate's wanted share of the stage, where there is a split. ``began`` and
    ``latest`` are the times of the stage's first and latest look with data, ``first`` the
    observations of that first one: they tell the present rate. ``pending`` belongs to
    :mod:`switchover.judge.pace`.
    """

    against: tuple[float, ...] = (LOG_ZERO,) * len(SHIFTS)
    blocks: int = 0
    spent: float = 0.0
    recent_n: float = 0
    recent_bad: float = 0
    building: tuple[float, ...] = ()
    favour: tuple[float, ...] = ()
    n: int = 0
    bad: int = 0
    information: float = 0.0
    memory: Mapping[str, Any] = field(default_factory=dict)
    stage: Mapping[str, Any] = field(default_factory=dict)
    bursts: Mapping[str, Any] = field(default_factory=dict)
    stage_bursts: Mapping[str, Any] = field(default_factory=dict)
    split: float | None = None
    began: float | None = None
    latest: float | None = None
    first: int = 0
    clock: float = 0.0
    weight: float = 1.0
    moment: float | None = None
    bet_at: float | None = None
    pending: Mapping[str, Any] = field(default_factory=dict)

    def copy(self) -> GateEvidence:
        """A copy to work on."""
        return GateEvidence(
            self.against,
            self.blocks,
            self.spent,
            self.recent_n,
            self.recent_bad,
            self.building,
            self.favour,
            self.n,
            self.bad,
            self.information,
            self.memory,
            self.stage,
            self.bursts,
            self.stage_bursts,
            self.split,
            self.began,
            self.latest,
            self.first,
            self.clock,
            self.weight,
            self.moment,
            self.bet_at,
            self.pending,
        )

    def entering_stage(self, split: float | None = None) -> GateEvidence:
        """The same, with everything that belongs to a stage begun anew."""
        return replace(
            self,
            favour=(),
            n=0,
            bad=0,
            information=0.0,
            stage={},
            stage_bursts={},
            split=split,
            began=None,
            latest=None,
            first=0,
            pending={**self.pending, "stage": {}} if self.pending else {},
        )

    def tick(self, at: float) -> None:
        """Note the time of a look that brought observations of the stage."""
        if self.began is None:
            self.began, self.first = at, self.n
        self.latest = at

    @property
    def rate(self) -> float | None:
        """Observations per second in this stage; None as long as it can't be told."""
        if self.began is None or self.latest is None or self.latest <= self.began:
            return None
        return (self.n - self.first) / (self.latest - self.began) or None

    def to_dict(self) -> dict[str, Any]:
        """Plain JSON values."""
        document = {entry.name: getattr(self, entry.name) for entry in fields(self)}
        for name in ("against", "building", "favour"):
            document[name] = list(document[name])
        for name in ("bursts", "stage_bursts", "pending"):
            document[name] = dict(document[name])
        for name in ("memory", "stage"):
            document[name] = {
                key: {str(bucket): count for bucket, count in value.items()}
                if isinstance(value, Mapping)
                else value
                for key, value in document[name].items()
            }
        return document

    @classmethod
    def from_dict(cls, document: Mapping[str, Any]) -> GateEvidence:
        """Read :meth:`to_dict`; raises ``ValueError`` on anything else."""
        known = {entry.name for entry in fields(cls)}
        if not isinstance(document, Mapping) or not set(document) <= known:
            raise ValueError("not the evidence of a gate: unknown fields")
        # From before looks had weights: each was a planned one.
        values = {"clock": float(document.get("blocks", 0)), **document}
        for name in ("against", "building", "favour"):
            values[name] = tuple(float(entry) for entry in values.get(name, ()))
        for name in ("memory", "stage"):
            values[name] = {
                key: {int(bucket): int(count) for bucket, count in value.items()}
                if isinstance(value, Mapping)
                else value
                for key, value in values.get(name, {}).items()
            }
        if not values["against"]:
            raise ValueError("not the evidence of a gate: no rollback evidence in it")
        return cls(**values)


def worse(n: float, bad: float, limit: float) -> list[float]:
    """Log likelihood ratios of nine bad rates above ``limit`` for ``bad`` of ``n``.

    With the odds of the limit times e^s, ln(q/q0) = s - ln(1 + q0(e^s - 1)) and
    ln((1-q)/(1-q0)) is the same without s. ``limit`` lies strictly between 0 and 1.
    """
    return [bad * shift - n * log1p(limit * grown) for shift, grown in _WORSE]


def better(n: float, bad: float, limit: float) -> list[float]:
    """The same for nine bad rates below ``limit``."""
    return [bad * shift - n * log1p(limit * grown) for shift, grown in _BETTER]


def stake(block: int, planned: int | None) -> float:
    """The stake laid before block number ``block`` (from 0); all of them sum to 1 at most.

    One half at once. The other half open-ended: 1/(2k(k+1)). With ``planned`` blocks, 0.4
    evenly over them, so that a late change is found as fast as an early one, and 0.1 for
    whatever comes after: a rollout that lasts longer than planned stays guarded.
    """
    if block == 0:
        return 0.5
    if planned is None:
        return 0.5 / (block * (block + 1))
    if block <= planned:
        return 0.4 / planned
    later = block - planned
    return 0.1 / (later * (later + 1))


def bet_against(
    state: GateEvidence, log_gains: Sequence[float], n: float, bad: float, planned: int | None
) -> None:
    """W after one block: new stake first, then the outcome."""
    laid = min(state.weight * stake(int(state.clock), planned), max(0.0, 1.0 - state.spent))
    share = log(laid / len(log_gains)) if laid > 0.0 else LOG_ZERO
    bets = state.against
    if len(bets) != len(log_gains):
        # Another number of bets shares what there is evenly, which changes no sum.
        bets = (max(LOG_ZERO, log_total(bets) - log(len(log_gains))),) * len(log_gains)
    # When no bet has won since the evidence began to build, it begins anew here. What is told of
    # a rollback is then beyond the limit: all that a bet wins, it wins from a share above that.
    begins = len(state.building) != len(log_gains) or max(state.building) <= 0.0
    won = (0.0,) * len(log_gains) if begins else state.building
    state.building = tuple(map(add, won, log_gains))
    state.against = raised(bets, share, log_gains)
    state.blocks += 1
    state.spent += laid
    state.clock += state.weight
    if state.moment is not None and state.bet_at is not None:
        state.weight = min(1.0, max(0.0, state.moment - state.bet_at))
    state.bet_at = state.moment
    state.recent_n = n + (0 if begins else state.recent_n)
    state.recent_bad = bad + (0 if begins else state.recent_bad)


def raised(bets: Sequence[float], share: float, log_gains: Sequence[float]) -> tuple[float, ...]:
    """Each bet with a stake of logarithm ``share`` added, then its outcome."""
    if max(bets) - share < _FAR:
        return tuple(
            [
                share + log1p(exp(old - share)) + gain
                for old, gain in zip(bets, log_gains, strict=True)
            ]
        )
    return tuple(
        [
            (old if old > share else share) + log1p(exp(-abs(old - share))) + gain
            for old, gain in zip(bets, log_gains, strict=True)
        ]
    )


def bet_in_favour(
    state: GateEvidence, log_gains: Sequence[float], n: int, bad: int, information: float
) -> None:
    """G after one block. ``information`` is n q0 (1-q0): how much the block can tell.

    Another number of bets than before (the plan was changed) begins G anew.
    """
    start = state.favour
    if len(start) != len(log_gains):
        start = (-log(len(log_gains)),) * len(log_gains)
    state.favour = tuple(map(add, start, log_gains))
    state.n += n
    state.bad += bad
    state.information += information


def log_total(logs: Sequence[float]) -> float:
    """The logarithm of the sum of the components; 0 (evidence 1) when there are none."""
    if not logs:
        return 0.0
    top = max(logs)
    return top + log(sum([exp(entry - top) for entry in logs]))


def natural(logarithm: float) -> float:
    """Evidence as a natural number, cut off at :data:`CAP`."""
    return exp(logarithm) if logarithm < _LOG_CAP else CAP


def observations_to_go(state: GateEvidence, target: float) -> int | None:
    """How many more until log G reaches ``target``, if they come as those of this stage did.

    The fastest component decides. Its growth is close to KL(estimate || limit), so from the
    beginning of a stage this is about ln(9 / alpha_promote) / KL. None when no component grows.
    """
    if log_total(state.favour) >= target:
        return 0
    if not state.favour or state.n == 0:
        return None
    start = -log(len(state.favour))
    growing = [(entry, (entry - start) / state.n) for entry in state.favour if entry > start]
    if not growing:
        return None
    to_go = min((target - entry) / growth for entry, growth in growing)
    return int(to_go) + 1 if to_go < 1e12 else None
