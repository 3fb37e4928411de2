"""Running the rollouts on many processes, each judged by every rule; results kept by digest."""

from __future__ import annotations

import hashlib
import inspect
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from multiprocessing.pool import Pool
from pathlib import Path
from typing import Any

import switchover.judge
from benchmarks.judge import argo, draws, flagger, growthbook, kayenta, rule, streams
from benchmarks.judge.ours import Ours
from benchmarks.judge.rule import Outcome, Rule
from benchmarks.judge.scenarios import LIMIT, Scenario

OURS = Ours()
RULES: tuple[Rule, ...] = (
    OURS,
    *argo.RULES,
    *flagger.RULES,
    *kayenta.RULES,
    *growthbook.RULES,
)
#: Rollouts that one process takes at a time.
_CHUNK = 5
#: Of ours on the limit, where a bound on one in a hundred is to be shown.
_MANY = 2000
#: Parts of the judge that gates never call.
_NOT_GATES = {"agreement.py", "comparator.py", "path.py", "replay.py"}
_NEVER = float("inf")

Row = dict[str, Any]


@dataclass(frozen=True, slots=True)
class _Chunk:
    scenario: Scenario
    rules: tuple[Rule, ...]
    numbers: range


def simulate(
    scenarios: Sequence[Scenario],
    rules: Sequence[Rule],
    known: Mapping[tuple[str, str], Row],
    pool: Pool,
    rollouts: int | None = None,
) -> Iterator[tuple[Scenario, list[Row]]]:
    """The rows of each scenario as they come, one per rule.

    ``known`` rows (by scenario and rule) are taken over when nothing they depend on has
    changed since. ``rollouts`` replaces every scenario's own number.
    """
    for scenario in scenarios:
        if rollouts is not None:
            scenario = replace(scenario, rollouts=rollouts)
        judges = [one for one in rules if one is OURS or not scenario.alone]
        many = {one.name: scenario.rollouts if rollouts else _wanted(scenario, one)
                for one in judges}  # fmt: skip
        digests = {
            one.name: digest(replace(scenario, rollouts=many[one.name]), one) for one in judges
        }
        rows = {
            name: known[scenario.name, name]
            for name, wanted in digests.items()
            if known.get((scenario.name, name), {}).get("digest") == wanted
        }
        missing = tuple(one for one in judges if one.name not in rows)
        outcomes: dict[str, list[tuple[Outcome, int | None]]] = {one.name: [] for one in missing}
        most = max((many[one.name] for one in missing), default=0)
        chunks = [
            _Chunk(
                scenario,
                tuple(one for one in missing if begin < many[one.name]),
                range(begin, min(begin + _CHUNK, most)),
            )
            for begin in range(0, most, _CHUNK)
        ]
        for part in pool.imap(_judged, chunks if missing else []):
            for name, ended in part.items():
                outcomes[name].extend(ended)
        for one in missing:
            rows[one.name] = {
                "scenario": scenario.name,
                "rule": one.name,
                **summary(outcomes[one.name]),
                "digest": digests[one.name],
            }
        yield scenario, [rows[one.name] for one in judges]


def _wanted(scenario: Scenario, one: Rule) -> int:
    """How many rollouts a rule judges; ours more, on the limit."""
    more = one is OURS and scenario.truth == LIMIT and scenario.rollouts >= 1000
    return max(scenario.rollouts, _MANY) if more else scenario.rollouts


def _judged(chunk: _Chunk) -> dict[str, list[tuple[Outcome, int | None]]]:
    outcomes: dict[str, list[tuple[Outcome, int | None]]] = {one.name: [] for one in chunk.rules}
    limit = chunk.scenario.limit
    for number in chunk.numbers:
        stream, bad_from = chunk.scenario.rollout(number)
        for one in chunk.rules:
            outcomes[one.name].append((one.judge(stream, limit, number), bad_from))
    return outcomes


def summary(ended: Sequence[tuple[Outcome, int | None]]) -> Row:
    """The figures of one rule in one scenario, from each outcome and when it became bad.

    ``false`` counts rollbacks of a candidate that was within its limit at the time, ``upper``
    bounds their share at 95 % confidence. ``delay`` holds p10, p50 and p90 in minutes over the
    rollouts without one (None: not within the day), ``missed`` how many were never rolled back.
    ``passes`` counts the rollouts that would have been promoted at some minute.
    """
    false, delays = 0, []
    for outcome, bad_from in ended:
        at = outcome.rolled_back
        if at is not None and (bad_from is None or at < bad_from):
            false += 1
        elif bad_from is not None:
            delays.append(_NEVER if at is None else at - bad_from + 1)
    delays.sort()
    return {
        "rollouts": len(ended),
        "false": false,
        "upper": round(upper_bound(false, len(ended)), 5),
        "promoted": sum(outcome.promoted for outcome, _ in ended),
        "passes": sum(outcome.passes is not None for outcome, _ in ended),
        "missed": sum(delay == _NEVER for delay in delays),
        "delay": [_within(delays, share) for share in (0.1, 0.5, 0.9)] if delays else None,
    }


def _within(delays: Sequence[float], share: float) -> int | None:
    delay = delays[min(len(delays) - 1, int(share * len(delays)))]
    return None if delay == _NEVER else int(delay)


def upper_bound(count: int, n: int, confidence: float = 0.95) -> float:
    """The one-sided bound of Clopper and Pearson (1934) on a share of ``count`` in ``n``."""
    if count >= n:
        return 1.0
    low, high = count / n, 1.0
    while high - low > 1e-7:
        middle = (low + high) / 2.0
        term = total = (1.0 - middle) ** n
        for k in range(count):
            term *= (n - k) / (k + 1) * middle / (1.0 - middle)
            total += term
        low, high = (middle, high) if total > 1.0 - confidence else (low, middle)
    return high


def digest(scenario: Scenario, one: Rule) -> str:
    """Of everything that a row depends on: the scenario, the draws and the rule's code."""
    sources = [inspect.getsource(module) for module in (draws, streams, rule)]
    sources.append(inspect.getsource(inspect.getmodule(type(one)) or rule))
    if one is OURS:
        folder = Path(switchover.judge.__file__).parent
        gates = (file for file in sorted(folder.glob("*.py")) if file.name not in _NOT_GATES)
        sources += [file.read_text(encoding="utf-8") for file in gates]
    if isinstance(one, flagger.Flagger):
        sources.append(inspect.getsource(argo.against))
    whole = "\n".join((repr(scenario), repr(one), *sources))
    return hashlib.sha256(whole.encode()).hexdigest()[:16]


def on_the_limit(scenarios: Sequence[Scenario]) -> list[Scenario]:
    """Those whose candidate is exactly on its limit."""
    return [scenario for scenario in scenarios if scenario.truth == LIMIT]
