"""What a rule is and what it finds."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

from switchover.errors import Fault
from switchover.plan.draft import Draft
from switchover.plan.tree import Mapping, Path, dotted, place


@dataclass(frozen=True, slots=True)
class Finding:
    """Something about ``path``; a ``warning`` does not keep the plan from being used.
    With ``key`` the place is that of the key, not of its value."""

    path: Path
    message: str
    suggestion: str
    warning: bool = False
    key: bool = False


@dataclass(frozen=True, slots=True)
class Rule:
    """A check that reads some sections of the plan."""

    reads: frozenset[str]
    check: Callable[[Draft], Iterator[Finding]]


def rule(*sections: str) -> Callable[[Callable[[Draft], Iterator[Finding]]], Rule]:
    """Make a function a rule that runs where all ``sections`` are whole."""

    def make(check: Callable[[Draft], Iterator[Finding]]) -> Rule:
        return Rule(frozenset(sections), check)

    return make


def placed(found: Finding, tree: Mapping) -> Fault:
    """The finding as a fault with file, line and column."""
    mark = place(tree, found.path, key=found.key)
    return Fault(mark.file, mark.line, mark.column, dotted(found.path), found.message,
                 found.suggestion)  # fmt: skip
