"""Adapter validation (P4): recorded answers through an adapter, against the consumer's contract."""

from __future__ import annotations

import copy
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from switchover.contracts.adapter import Function, adapt, named, resolve
from switchover.contracts.leaks import leaks
from switchover.contracts.mutants import Sharpness, sharpness
from switchover.contracts.replay import LINES, Exchange, part_lines, read_part
from switchover.contracts.schema import Schema, load_schema
from switchover.errors import InputError
from switchover.plan.spec import Consumer
from switchover.ports import CheckResult, RecordedPart

#: Faulty recordings shown in full; the rest are counted.
EXAMPLES = 5

Fault = tuple[str, str]


@dataclass(frozen=True, slots=True)
class Contract:
    """What a consumer relies on: shape, invariants, and fields it must not see."""

    schema: Schema
    invariants: Function | None = None
    forbidden: Sequence[str] = ()

    def faults(self, answer: Any) -> list[Fault]:
        """``(kind, message)`` for everything wrong; the kinds are ``schema``, ``invariant`` and
        ``leak``. Raises ``InputError`` when the invariants function gives no list of strings."""
        found = [("schema", message) for message in self.schema.faults(answer)]
        found += [("leak", f"{path}: must not reach this consumer")
                  for path in leaks(answer, self.forbidden)]  # fmt: skip
        # Invariants may take the shape for granted.
        if not any(kind == "schema" for kind, _ in found):
            found += [("invariant", message) for message in self._broken(answer)]
        return found

    def _broken(self, answer: Any) -> list[str]:
        if self.invariants is None:
            return []
        try:
            broken = self.invariants(copy.deepcopy(answer))
        except (Exception, SystemExit) as error:
            return [f"the invariants function raises {named(error)}"]
        if not isinstance(broken, list | tuple) or not all(isinstance(x, str) for x in broken):
            raise InputError(
                f"invariants function {self.invariants.__module__}:{self.invariants.__name__} gave "
                f"{type(broken).__name__}; return a list of strings, empty when all hold"
            )
        return list(broken)


@dataclass(slots=True)
class Findings:
    """What the recordings showed so far; plain JSON by :meth:`to_dict`, as it may come from
    another process."""

    recordings: int = 0
    passed: int = 0
    faults: Counter[str] = field(default_factory=Counter)
    examples: list[dict[str, Any]] = field(default_factory=list)
    good: Any = None

    def add(self, line: int, faults: Sequence[Fault], answer: Any) -> None:
        """Count one recording; each kind counts once per recording."""
        self.recordings += 1
        if not faults:
            self.good = answer if self.passed == 0 else self.good
            self.passed += 1
            return
        self.faults.update(sorted({kind for kind, _ in faults}))
        if len(self.examples) < EXAMPLES:
            self.examples.append({"line": line, "faults": [message for _, message in faults[:3]]})

    def join(self, later: Mapping[str, Any]) -> None:
        """Take in what the part after this one showed."""
        self.good = later["good"] if self.passed == 0 else self.good
        self.recordings += later["recordings"]
        self.passed += later["passed"]
        self.faults.update(later["faults"])
        self.examples = [*self.examples, *later["examples"]][:EXAMPLES]

    def to_dict(self) -> dict[str, Any]:
        return {
            "recordings": self.recordings, "passed": self.passed, "faults": dict(self.faults),
            "examples": self.examples, "good": self.good,
        }  # fmt: skip


class RecordedAdapterValidator:
    """Validates adapters on recorded candidate answers; implements ``AdapterValidator``.

    ``lines`` is how many recordings make a part: no more of them are in memory than one, and what
    a part shows is small.
    """

    def __init__(self, lines: int = LINES) -> None:
        self._lines = lines

    def parts(self, consumer: Consumer, directory: str) -> list[RecordedPart]:
        """The recordings, parted; none where there is no file."""
        path = Path(directory) / consumer.recordings
        return list(part_lines(path, self._lines)) if path.is_file() else []

    def examine(self, consumer: Consumer, directory: str, part: RecordedPart) -> dict[str, Any]:
        """Run a part's recordings through the consumer's adapter and contract."""
        adapter, contract = _loaded(consumer, directory)
        findings = Findings()
        for line, faults, answer in _judged(part, adapter, contract):
            findings.add(line, faults, answer)
        return findings.to_dict()

    def conclude(
        self, consumer: Consumer, directory: str, found: Sequence[Mapping[str, Any]], seconds: float
    ) -> CheckResult:
        """Sum up the parts, and try how sharp the contract is."""
        _, contract = _loaded(consumer, directory)
        recordings = Path(directory) / consumer.recordings
        if not recordings.is_file():
            summary = (
                f"no recordings at {recordings}; record candidate answers "
                "there, one JSON line each, and run the validation again"
            )
            return CheckResult(consumer.name, False, summary, seconds, {"recordings": 0})
        findings = Findings()
        for each in found:
            findings.join(each)
        sharp = None
        if findings.passed:
            sharp = sharpness(findings.good, lambda answer: not contract.faults(answer))
        return _conclude(consumer, findings, sharp, recordings, seconds)


def _loaded(consumer: Consumer, directory: str) -> tuple[Function, Contract]:
    """The consumer's adapter and contract; raises ``InputError`` when one can't be loaded."""
    schema = load_schema(Path(directory) / consumer.contract)
    adapter = resolve(consumer.adapter, "adapter")
    invariants = resolve(consumer.invariants, "invariants") if consumer.invariants else None
    return adapter, Contract(schema, invariants, consumer.forbidden)


def _judged(
    part: RecordedPart, adapter: Function, contract: Contract
) -> Iterator[tuple[int, list[Fault], Any]]:
    for line in read_part(part):
        if line.fault:
            yield line.number, [("unreadable", f"{part.path}:{line.number}: {line.fault}")], None
            continue
        recorded = Exchange.of(line.value).candidate
        if recorded is None:
            yield line.number, [("unreadable", "no candidate answer was recorded")], None
            continue
        adapted = adapt(adapter, recorded)
        if adapted.kind:
            yield line.number, [(adapted.kind, adapted.fault)], None
        else:
            yield line.number, contract.faults(adapted.answer), adapted.answer


def _conclude(
    consumer: Consumer, findings: Findings, sharp: Sharpness | None, path: Path, seconds: float
) -> CheckResult:
    broken = findings.recordings - findings.passed
    parts = []
    if findings.recordings < consumer.minimum:
        parts.append(f"{path} holds {findings.recordings} of the {consumer.minimum} recordings "
                     "needed; record more candidate answers")  # fmt: skip
    if broken:
        # Ties by name: in the order of the file they would depend on how it was parted.
        counted = sorted(findings.faults.items(), key=lambda pair: (-pair[1], pair[0]))
        kinds = ", ".join(f"{count} {kind}" for kind, count in counted)
        first = findings.examples[0]
        parts.append(
            f"{broken} of {findings.recordings} recorded answers break the contract ({kinds}); "
            f"first at {path.name}:{first['line']}: {first['faults'][0]}; "
            f"correct {consumer.adapter} or {consumer.contract}"
        )
    if sharp and not sharp.refused:
        parts.append(f"{consumer.contract} refuses nothing, not even an empty answer; "
                     "give it a type, required fields and limits")  # fmt: skip
    ok = not parts
    if ok:
        parts.append(f"all {findings.recordings} recorded answers keep the contract")
    warnings = _warnings(consumer, sharp)
    summary = "; ".join([*parts, *(f"warning: {w}" for w in warnings)])
    detail = {
        "recordings": findings.recordings,
        "minimum": consumer.minimum,
        "passed": findings.passed,
        "faults": dict(findings.faults),
        "examples": findings.examples,
        "warnings": warnings,
        "mutants": {"tried": sharp.tried, "refused": sharp.refused,
                    "survivors": list(sharp.survivors)} if sharp else None,
    }  # fmt: skip
    return CheckResult(consumer.name, ok, summary, seconds, detail)


def _warnings(consumer: Consumer, sharp: Sharpness | None) -> list[str]:
    if sharp is None or not sharp.refused:
        return []
    found = []
    if "an empty object" in sharp.survivors:
        found.append(f"{consumer.contract} accepts an empty object; list its required fields")
    if consumer.forbidden and "a field that is unknown" in sharp.survivors:
        found.append(
            f"{consumer.contract} accepts unknown fields, so only the forbidden ones are noticed; "
            "set additionalProperties to false"
        )
    return found
