"""The scenarios: what the candidate does, the gate that judges it, and what would be right."""

from __future__ import annotations

from dataclasses import dataclass, replace
from itertools import product
from math import exp
from statistics import NormalDist

import numpy as np

from benchmarks.judge.draws import SIGMA, Course, Noise, draw, generator
from benchmarks.judge.rule import Limit
from benchmarks.judge.streams import METRIC, Stream
from switchover.judge.gate import GateSpec

#: Requests a minute that each system serves.
TRAFFIC = {"20/h": 1 / 3, "1/s": 60.0, "1,000/s": 60_000.0}
GOOD, LIMIT, BAD = "good", "limit", "bad"
_QUIET = Noise()
_FAMILIES = {"memory": "gauges", "quantile": "p99", "relative_quantile": "p99", "mean": "mean",
             "drift": "mean", "paired": "pairs"}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Scenario:
    """One line of the tables.

    ``truth``: good (within its limit), limit (exactly on it) or bad (beyond it, from the start,
    from a sudden change on, or from where a drift crosses the limit).
    """

    name: str
    title: str
    gate: GateSpec
    candidate: Course
    legacy: Course
    truth: str
    traffic: str = "1/s"
    noise: Noise = _QUIET
    rollouts: int = 1000

    @property
    def family(self) -> str:
        """What is observed."""
        return _FAMILIES.get(self.gate.kind, "rates")

    @property
    def limit(self) -> Limit:
        """The gate's limit, as other tools would be told."""
        kind = self.gate.kind
        value = self.gate.limit if kind in ("proportion", "quantile", "mean") else None
        return Limit(self.gate, value, self.edge / self.legacy.level)

    @property
    def edge(self) -> float:
        """The candidate's level that is exactly on the limit."""
        limit, legacy = self.gate.limit, self.legacy.level
        levels = {
            "relative_rate": limit * legacy,
            "relative_quantile": limit * legacy,
            "memory": (1.0 + limit) * legacy,
            "paired": legacy + limit,
            # Apart by that share at most, where two normals of one spread are furthest apart.
            "drift": legacy * exp(2.0 * SIGMA * NormalDist().inv_cdf((1.0 + limit) / 2.0))
            if self.gate.kind == "drift"
            else legacy,
        }
        return levels.get(self.gate.kind, limit)

    @property
    def alone(self) -> bool:
        """Whether no other tool has a rule for it."""
        return self.gate.kind == "drift"

    def rollout(self, number: int) -> tuple[Stream, int | None]:
        """A day, and the minute from which the candidate is bad (None: it never is)."""
        rng = generator(self.name, number)
        stream, at = draw(
            rng, self.family, TRAFFIC[self.traffic], self.candidate, self.legacy, self.noise
        )
        if self.truth != BAD:
            return stream, None
        beyond = self.candidate.levels(at) > self.edge * (1.0 + 1e-9)
        # Where the levels do not show it (a wider spread), it is bad from the start.
        return stream, int(np.argmax(beyond))


FAILURES = GateSpec("failures", "proportion", METRIC, 0.15)
ERRORS = GateSpec("errors", "relative_rate", METRIC, 1.5)
SLOW = GateSpec("p99", "quantile", METRIC, 0.3)
SLOWER = GateSpec("p99 to legacy", "relative_quantile", METRIC, 1.5)
HARDLY_SLOWER = GateSpec("p99 to legacy", "relative_quantile", METRIC, 1.2)
MEAN = GateSpec("mean", "mean", METRIC, 0.25)
SCORE = GateSpec("score", "drift", METRIC, 0.1)
PAIRS = GateSpec("pairs", "paired", METRIC, 0.02)
MEMORY = GateSpec("memory", "memory", METRIC, 0.2)


def _failures() -> list[Scenario]:
    """At most 15 % may fail; of legacy's requests 5 % do."""
    courses = (
        ("good", "5 % fail", Course(0.05), GOOD),
        ("limit", "15 % fail, exactly the limit", Course(0.15), LIMIT),
        ("slightly", "17 % fail", Course(0.17), BAD),
        ("very", "35 % fail", Course(0.35), BAD),
        ("sudden-35", "5 %, suddenly 35 %", Course(0.05, 0.35, "sudden"), BAD),
        ("sudden-20", "5 %, suddenly 20 %", Course(0.05, 0.20, "sudden"), BAD),
    )
    whole = [
        Scenario(f"failures-{name}-{traffic}", title, FAILURES, course, Course(0.05), truth,
                 traffic)
        for traffic, (name, title, course, truth) in product(TRAFFIC, courses)
    ]  # fmt: skip
    drift = Course(0.05, 0.35, "drift")
    return [
        *(replace(one, rollouts=_many(one)) for one in whole),
        Scenario("failures-drift-1/s", "5 %, drifting to 35 % in 12 h", FAILURES, drift,
                 Course(0.05), BAD),
    ]  # fmt: skip


def _bursts() -> list[Scenario]:
    """The same where failures come in bursts, of which legacy has as many: 0.1 within a minute."""
    bursts = Noise(clumps=0.1)
    return [
        Scenario("bursts-good", "5 % fail, in bursts", FAILURES, Course(0.05), Course(0.05), GOOD,
                 noise=bursts),
        Scenario("bursts-limit", "15 % fail, in bursts, exactly the limit", FAILURES,
                 Course(0.15), Course(0.05), LIMIT, noise=bursts),
        Scenario("bursts-sudden-35", "5 %, suddenly 35 %, in bursts", FAILURES,
                 Course(0.05, 0.35, "sudden"), Course(0.05), BAD, noise=bursts),
        Scenario("bursts-errors-good", "as many errors as legacy, in bursts", ERRORS,
                 Course(0.01), Course(0.01), GOOD, noise=bursts),
        Scenario("bursts-errors-limit", "1.5 times legacy's, in bursts, exactly the limit", ERRORS,
                 Course(0.015), Course(0.01), LIMIT, noise=bursts),
    ]  # fmt: skip


def _pairs() -> list[Scenario]:
    """In shadow: at most two points more failures than legacy's 10 %; four in five hit both."""
    legacy, noise = Course(0.1), Noise(shared=0.8)
    courses = (
        ("good", "as many failures as legacy, in pairs", Course(0.1), GOOD),
        ("limit", "two points more, in pairs, exactly the limit", Course(0.12), LIMIT),
        ("sudden", "suddenly five points more, in pairs", Course(0.1, 0.15, "sudden"), BAD),
    )
    return [
        Scenario(f"pairs-{name}", title, PAIRS, course, legacy, truth, noise=noise)
        for name, title, course, truth in courses
    ]


def _many(scenario: Scenario) -> int:
    """More rollouts where a figure of one in a thousand is to be shown, or a bound."""
    rare = scenario.name in ("failures-good-20/h", "failures-very-20/h")
    return 4000 if rare else 2000 if scenario.name == "failures-limit-1/s" else 1000


def _errors() -> list[Scenario]:
    """At most half as many errors again as legacy, which has 1 %."""
    legacy = Course(0.01)
    return [
        Scenario("errors-good-1/s", "as many errors as legacy", ERRORS, legacy, legacy, GOOD),
        Scenario("errors-outage-1/s", "both fail for an hour", ERRORS, legacy, legacy, GOOD,
                 noise=Noise(outage=0.5)),
        Scenario("errors-limit-20/h", "1.5 times legacy's, exactly the limit", ERRORS,
                 Course(0.015), legacy, LIMIT, "20/h"),
        Scenario("errors-limit-1/s", "1.5 times legacy's, exactly the limit", ERRORS,
                 Course(0.015), legacy, LIMIT),
        Scenario("errors-limit-1,000/s", "1.5 times legacy's, exactly the limit", ERRORS,
                 Course(0.015), legacy, LIMIT, "1,000/s"),
        Scenario("errors-2-1/s", "suddenly twice legacy's", ERRORS,
                 Course(0.01, 0.02, "sudden"), legacy, BAD),
        Scenario("errors-5-1/s", "suddenly five times legacy's", ERRORS,
                 Course(0.01, 0.05, "sudden"), legacy, BAD),
    ]  # fmt: skip


def _times() -> list[Scenario]:
    """A p99 of at most 0.3 s, or at most half as long again as legacy's."""
    fast, legacy = Course(0.2), Course(0.2)
    return [
        Scenario("p99-limit-1/s", "p99 exactly 0.3 s, the limit", SLOW, Course(0.3), legacy,
                 LIMIT),
        Scenario("p99-limit-1,000/s", "p99 exactly 0.3 s, the limit", SLOW, Course(0.3), legacy,
                 LIMIT, "1,000/s", rollouts=300),
        Scenario("p99-wide-1/s", "the same mean, ten times the variance", SLOW, fast, legacy, BAD,
                 noise=Noise(wide=10.0)),
        Scenario("slower-good-1/s", "as fast as legacy", SLOWER, fast, legacy, GOOD),
        Scenario("slower-limit-1/s", "p99 1.5 times legacy's, exactly the limit", SLOWER,
                 Course(0.3), legacy, LIMIT),
        Scenario("slower-1.8-1/s", "p99 suddenly 1.8 times legacy's", SLOWER,
                 Course(0.2, 0.36, "sudden"), legacy, BAD),
        Scenario("slower-1.8-of-1.2-1/s", "the same, where 1.2 times is allowed", HARDLY_SLOWER,
                 Course(0.2, 0.36, "sudden"), legacy, BAD),
        Scenario("slower-3-1/s", "p99 suddenly 3 times legacy's", SLOWER,
                 Course(0.2, 0.6, "sudden"), legacy, BAD),
        Scenario("slower-1.8-1,000/s", "p99 suddenly 1.8 times legacy's", SLOWER,
                 Course(0.2, 0.36, "sudden"), legacy, BAD, "1,000/s", rollouts=200),
    ]  # fmt: skip


def _means() -> list[Scenario]:
    """A mean of at most 0.25 s, and a score whose distribution is within ten points of legacy's."""
    legacy = Course(0.2)
    score = Scenario("", "", SCORE, legacy, legacy, GOOD).edge
    return [
        Scenario("mean-limit-1/s", "mean exactly 0.25 s, the limit", MEAN, Course(0.25), legacy,
                 LIMIT),
        Scenario("mean-sudden-1/s", "mean suddenly 0.3 s", MEAN, Course(0.2, 0.3, "sudden"),
                 legacy, BAD),
        Scenario("score-good-1/s", "scores spread as legacy's", SCORE, legacy, legacy, GOOD),
        Scenario("score-limit-1/s", "scores ten points apart, exactly the limit", SCORE,
                 Course(score), legacy, LIMIT),
        Scenario("score-drift-1/s", "scores drifting to twice legacy's in 12 h", SCORE,
                 Course(0.2, 0.4, "drift"), legacy, BAD),
    ]  # fmt: skip


def _memory() -> list[Scenario]:
    """At most 20 % more memory than legacy; readings follow each other (0.9 a minute)."""
    legacy, noise = Course(1.0), Noise(memory=0.9, spread=0.05)
    courses = (
        ("good", "as much memory as legacy", Course(1.0), GOOD),
        ("limit", "20 % more, exactly the limit", Course(1.2), LIMIT),
        ("sudden", "suddenly 50 % more", Course(1.0, 1.5, "sudden"), BAD),
        ("leak", "growing by 60 % in 12 h", Course(1.0, 1.6, "drift"), BAD),
    )
    slow = Scenario("memory-limit-slow", "20 % more, the limit, wandering slowly (0.97)", MEMORY,
                    Course(1.2), legacy, LIMIT, noise=Noise(memory=0.97, spread=0.05))  # fmt: skip
    return [
        *(
            Scenario(f"memory-{name}", title, MEMORY, course, legacy, truth, noise=noise)
            for name, title, course, truth in courses
        ),
        slow,
    ]


SCENARIOS: tuple[Scenario, ...] = (
    *_failures(),
    *_bursts(),
    *_errors(),
    *_pairs(),
    *_times(),
    *_means(),
    *_memory(),
)
