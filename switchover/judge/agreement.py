"""Agreement of two answers, field by field: the yes/no metric of shadowed requests.

    rules = Agreement.from_dict({"default": "ignore", "fields": [
        {"path": "risk_score", "compare": "number", "absolute": 0.1}]})
    rules.compare(legacy_answer, candidate_answer).agree

Fields that no path names are compared by ``default``. Rules are compiled once, by
:mod:`switchover.judge.matcher`. Standard library only, because the light SDK carries it.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from switchover.judge.comparator import Comparator, build, exact, ignore
from switchover.judge.matcher import MISSING, MOST, Difference, Node, compiled
from switchover.judge.path import ANY, Step, parse, spell
from switchover.judge.redaction import REDACTED, redaction

__all__ = ["FAILURES", "MOST", "REDACTED", "Agreement", "Comparison", "Mismatch"]

#: What there can be instead of two answers to compare; each a disagreement of its own kind.
FAILURES = ("error", "timeout", "shed", "incomparable")

_KEYS = frozenset({"default", "fields", "redact"})


@dataclass(frozen=True, slots=True)
class Mismatch:
    """One field in which the answers differ; a missing value reads None, and ``why`` says so."""

    path: str
    legacy: object
    candidate: object
    why: str

    def to_dict(self) -> dict[str, object]:
        """Plain JSON values under the fields' names."""
        return {name: getattr(self, name) for name in self.__slots__}


@dataclass(frozen=True, slots=True)
class Comparison:
    """Whether two answers agree. ``failure`` is set when there was no answer to compare."""

    agree: bool
    mismatches: tuple[Mismatch, ...] = ()
    failure: str = ""

    @classmethod
    def failed(cls, kind: str) -> Comparison:
        """There is no pair to compare, for one of :data:`FAILURES`. A disagreement."""
        if kind not in FAILURES:
            raise ValueError(f"unknown failure {kind!r}; one of {', '.join(FAILURES)}")
        return cls(agree=False, mismatches=(Mismatch("$", None, None, kind),), failure=kind)


_AGREES = Comparison(agree=True)
_NOTHING = Comparison(False, (Mismatch("$", None, None, "no compared field is in either"),))
_TOO_DEEP = Comparison(False, (Mismatch("$", None, None, "is nested too deeply to compare"),))


class Agreement:
    """Compiled rules for when two answers agree; safe to share between threads.

    ``expires`` is when the next rule that ignores a field ends, in seconds since the Unix epoch:
    compile the document again then. Infinity without such a rule.
    """

    def __init__(
        self, root: Node, default: Comparator, redacted: Iterable[str], expires: float
    ) -> None:
        self._check, self._redact = compiled(root, default), redaction(redacted)
        self.expires = expires

    @classmethod
    def from_dict(cls, document: Mapping[str, Any], now: datetime | None = None) -> Agreement:
        """Compile a plan's ``agreement`` section.

        ``{"default": "exact" | "ignore", "fields": [{"path", "compare", ...}], "redact": [path]}``.
        A field whose rule to ignore it has expired by ``now`` is compared exactly. Raises
        ``ValueError`` naming the field.
        """
        unknown = sorted(set(document) - _KEYS)
        if unknown:
            raise ValueError(f"agreement: unknown key {unknown[0]!r}")
        default = document.get("default", "exact")
        if default not in ("exact", "ignore"):
            raise ValueError(f"agreement: default must be exact or ignore, not {default!r}")
        root, expires = Node(), float("inf")
        moment = (now or datetime.now(UTC)).timestamp()
        for entry in document.get("fields") or ():
            if not isinstance(entry, Mapping) or not isinstance(entry.get("path"), str):
                raise ValueError(f"agreement: a field needs a path, got {entry!r}")
            node = Node(comparator=build(entry))
            end = _end(entry)
            if node.comparator is ignore and end <= moment:
                node.comparator = exact
            elif end < expires:
                expires = end
            if entry.get("compare") == "keyed":
                node = Node(key=_key(entry))
            _plant(root, parse(entry["path"]), node)
        return cls(
            root, ignore if default == "ignore" else exact, document.get("redact") or (), expires
        )

    def compare(self, legacy: object, candidate: object) -> Comparison:
        """Compare two answers as parsed from JSON.

        Answers in which there was nothing to compare do not agree: a misspelt path must not
        pass for a perfect candidate.
        """
        try:
            found = self._check(legacy, candidate)
        except RecursionError:
            return _TOO_DEEP
        if found is None:
            return _NOTHING
        return Comparison(False, self._shown(found)) if found else _AGREES

    def _shown(self, found: Iterable[Difference]) -> tuple[Mismatch, ...]:
        shown: dict[tuple[str, str], Mismatch] = {}
        for difference in found:
            steps = tuple(reversed(difference.steps))
            told, hidden = self._redact(steps)
            path, why = spell(told), difference.why
            left, right = (
                None if side is MISSING else REDACTED if hidden else side
                for side in (difference.legacy, difference.candidate)
            )
            if len(told) < len(steps):
                # Something below a redacted field: that it is there, and on which side, is hidden.
                left, right, why = REDACTED, REDACTED, "differs"
            # Differences below one redacted field are one difference of that field.
            shown.setdefault((path, "" if hidden else why), Mismatch(path, left, right, why))
        return tuple(shown.values())


def _end(entry: Mapping[str, Any]) -> float:
    """When a rule to ignore a field ends: after its last day, in UTC."""
    until = entry.get("until")
    if until is None:
        return float("inf")
    try:
        day = datetime.fromisoformat(str(until)).replace(tzinfo=UTC)
    except ValueError:
        raise ValueError(f"field {entry['path']}: until is a day like 2026-12-31") from None
    return (day + timedelta(days=1)).timestamp()


def _key(entry: Mapping[str, Any]) -> str:
    key, path = entry.get("key"), entry["path"]
    if not isinstance(key, str):
        raise ValueError(f"field {path}: keyed needs key, a path inside the items")
    try:
        found = parse(key)
    except ValueError as error:
        raise ValueError(f"field {path}: {error}") from None
    if ANY in found:
        raise ValueError(f"field {path}: the key {key!r} has a wildcard; name one value")
    return key


def _plant(root: Node, steps: tuple[Step, ...], rule: Node) -> None:
    node = root
    for step in steps:
        if node.comparator is not None:
            raise ValueError(f"agreement: {spell(steps)} lies below a field that is compared whole")
        if node.key is not None and step != ANY:
            raise ValueError(f"agreement: {spell(steps)} names one item of a list that is keyed")
        node = node.children.setdefault(step, Node())
    below = bool(node.children) and (rule.key is None or set(node.children) != {ANY})
    if node.comparator is not None or node.key is not None or below:
        raise ValueError(f"agreement: {spell(steps)} is named twice, or has named fields below it")
    node.comparator, node.key = rule.comparator, rule.key
