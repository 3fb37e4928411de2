"""Adapter validation (P4): recorded answers through an adapter, against the consumer's contract."""

from __future__ import annotations

import copy
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from switchover.contracts.adapter import Function, adapt, named, resolve
from switchover.contracts.leaks import leaks
from switchover.contracts.mutants import Sharpness, sharpness
from switchover.contracts.replay import Exchange, read_lines
from switchover.contracts.schema import Schema, load_schema
from switchover.errors import InputError
from switchover.plan.spec import Consumer
from switchover.ports import CheckResult

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
    """What the recordings showed so far."""

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
        self.faults.update({kind for kind, _ in faults})
        if len(self.examples) < EXAMPLES:
            self.examples.append({"line": line, "faults": [message for _, message in faults[:3]]})


class RecordedAdapterValidator:
    """Validates adapters on recorded candidate answers; implements ``AdapterValidator``."""

    def validate(self, consumer: Consumer, directory: str) -> CheckResult:
        """Run every recording through the consumer's adapter and contract.

        A broken contract is a result; raises ``InputError`` when the adapter, the invariants
        or the contract itself can't be loaded.
        """
        began = time.perf_counter()
        root = Path(directory)
        schema = load_schema(root / consumer.contract)
        adapter = resolve(consumer.adapter, "adapter")
        invariants = resolve(consumer.invariants, "invariants") if consumer.invariants else None
        contract = Contract(schema, invariants, consumer.forbidden)
        recordings = root / consumer.recordings
        if not recordings.is_file():
            summary = (
                f"no recordings at {recordings}; record candidate answers "
                "there, one JSON line each, and run the validation again"
            )
            return _result(consumer, False, summary, began, {"recordings": 0})
        findings = Findings()
        for line, faults, answer in _judged(recordings, adapter, contract):
            findings.add(line, faults, answer)
        sharp = None
        if findings.passed:
            sharp = sharpness(findings.good, lambda answer: not contract.faults(answer))
        return _conclude(consumer, findings, sharp, recordings, began)


def _judged(
    path: Path, adapter: Function, contract: Contract
) -> Iterator[tuple[int, list[Fault], Any]]:
    for line in read_lines(path):
        if line.fault:
            yield line.number, [("unreadable", f"{path}:{line.number}: {line.fault}")], None
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
    consumer: Consumer, findings: Findings, sharp: Sharpness | None, path: Path, began: float
) -> CheckResult:
    broken = findings.recordings - findings.passed
    parts = []
    if findings.recordings < consumer.minimum:
        parts.append(f"{path} holds {findings.recordings} of the {consumer.minimum} recordings "
                     "needed; record more candidate answers")  # fmt: skip
    if broken:
        kinds = ", ".join(f"{count} {kind}" for kind, count in findings.faults.most_common())
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
    return _result(consumer, ok, summary, began, detail)


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


def _result(
    consumer: Consumer, ok: bool, summary: str, began: float, detail: dict[str, Any]
) -> CheckResult:
    seconds = time.perf_counter() - began
    return CheckResult(consumer.name, ok, summary, seconds, detail)
