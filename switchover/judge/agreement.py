"""Agreement of two answers, field by field: the yes/no metric of shadowed requests.

    rules = Agreement.from_dict({"default": "ignore", "fields": [
        {"path": "risk_score", "compare": "number", "absolute": 0.1}]})
    rules.compare(legacy_answer, candidate_answer).agree

Fields that no path names are compared by ``default``. Paths are compiled once, into a tree
that is walked along with both answers. Standard library only, because the light SDK carries it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from itertools import zip_longest
from typing import Any

from switchover.judge.comparator import Comparator, build, exact, ignore
from switchover.judge.path import ANY, Step, parse, spell

#: What there can be instead of two answers to compare; each a disagreement of its own kind.
FAILURES = ("error", "timeout", "shed", "incomparable")
#: What stands for a redacted value.
REDACTED = "[redacted]"
#: Differences reported of one pair of answers at most.
MOST = 20

_MISSING = object()


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


@dataclass(slots=True)
class _Node:
    comparator: Comparator | None = None
    children: dict[Step, _Node] = field(default_factory=dict)

    def child(self, step: Step) -> _Node | None:
        return self.children.get(step) or self.children.get(ANY)


class Agreement:
    """Compiled rules for when two answers agree; safe to share between threads."""

    def __init__(
        self, root: _Node, default: Comparator, redacted: tuple[tuple[Step, ...], ...]
    ) -> None:
        self._root, self._default, self._redacted = root, default, redacted

    @classmethod
    def from_dict(cls, document: Mapping[str, Any]) -> Agreement:
        """Compile a plan's ``agreement`` section.

        ``{"default": "exact" | "ignore", "fields": [{"path", "compare", ...}], "redact": [path]}``.
        Raises ``ValueError`` naming the field.
        """
        unknown = sorted(set(document) - {"default", "fields", "redact"})
        if unknown:
            raise ValueError(f"agreement: unknown key {unknown[0]!r}")
        default = document.get("default", "exact")
        if default not in ("exact", "ignore"):
            raise ValueError(f"agreement: default must be exact or ignore, not {default!r}")
        root = _Node()
        for entry in document.get("fields") or ():
            if not isinstance(entry, Mapping) or not isinstance(entry.get("path"), str):
                raise ValueError(f"agreement: a field needs a path, got {entry!r}")
            _plant(root, parse(entry["path"]), build(entry))
        redacted = tuple(parse(path) for path in document.get("redact") or ())
        return cls(root, ignore if default == "ignore" else exact, redacted)

    def compare(self, legacy: object, candidate: object) -> Comparison:
        """Compare two answers as parsed from JSON.

        Answers in which there was nothing to compare do not agree: a misspelt path must not
        pass for a perfect candidate.
        """
        walk = _Walk(self._default)
        walk.visit(self._root, (), legacy, candidate)
        if not walk.compared and not walk.found:
            return Comparison(False, (Mismatch("$", None, None, "no compared field is in either"),))
        found = tuple(self._shown(*difference) for difference in walk.found)
        return Comparison(agree=not found, mismatches=found)

    def _shown(
        self, steps: tuple[Step, ...], legacy: object, candidate: object, why: str
    ) -> Mismatch:
        hidden = any(_touches(path, steps) for path in self._redacted)
        left, right = (
            None if side is _MISSING else REDACTED if hidden else side
            for side in (legacy, candidate)
        )
        return Mismatch(spell(steps), left, right, why)


class _Walk:
    """One pass along both answers and the tree of rules."""

    __slots__ = ("compared", "default", "found")

    def __init__(self, default: Comparator) -> None:
        self.default = default
        self.compared = 0
        self.found: list[tuple[tuple[Step, ...], object, object, str]] = []

    def visit(
        self, node: _Node | None, steps: tuple[Step, ...], legacy: object, candidate: object
    ) -> None:
        """Compare one place. A side may be missing, never both."""
        if len(self.found) >= MOST:
            return
        if node is not None and node.comparator is not None:
            self._compare(node.comparator, steps, legacy, candidate)
            return
        if node is None or not node.children:
            node = None
            if self.default is ignore:
                return
            self.compared += 1
            if self.default(legacy, candidate) is None:
                return
        if isinstance(legacy, dict) and isinstance(candidate, dict):
            for name in [*legacy, *(name for name in candidate if name not in legacy)]:
                self.visit(
                    node and node.child(name),
                    (*steps, name),
                    legacy.get(name, _MISSING),
                    candidate.get(name, _MISSING),
                )
        elif isinstance(legacy, list) and isinstance(candidate, list):
            for index, (left, right) in enumerate(
                zip_longest(legacy, candidate, fillvalue=_MISSING)
            ):
                self.visit(node and node.child(index), (*steps, index), left, right)
        elif node is None or self.default is exact or _compares(node):
            self._compare(exact, steps, legacy, candidate)

    def _compare(
        self, comparator: Comparator, steps: tuple[Step, ...], legacy: object, candidate: object
    ) -> None:
        if comparator is ignore:
            return
        self.compared += 1
        if legacy is _MISSING or candidate is _MISSING:
            why: str | None = f"missing in {'legacy' if legacy is _MISSING else 'candidate'}"
        else:
            why = comparator(legacy, candidate)
        if why is not None:
            self.found.append((steps, legacy, candidate, why))


def _plant(root: _Node, steps: tuple[Step, ...], comparator: Comparator) -> None:
    node = root
    for step in steps:
        if node.comparator is not None:
            raise ValueError(f"agreement: {spell(steps)} lies below a field that is compared whole")
        node = node.children.setdefault(step, _Node())
    if node.comparator is not None or node.children:
        raise ValueError(f"agreement: {spell(steps)} is named twice, or has named fields below it")
    node.comparator = comparator


def _compares(node: _Node) -> bool:
    """Whether anything at or below a node is compared."""
    if node.comparator is not None:
        return node.comparator is not ignore
    return any(map(_compares, node.children.values()))


def _touches(redacted: tuple[Step, ...], steps: tuple[Step, ...]) -> bool:
    """Whether a difference at ``steps`` shows something of a redacted path: above or below it."""
    return all(ours in (theirs, ANY) for ours, theirs in zip(redacted, steps, strict=False))
