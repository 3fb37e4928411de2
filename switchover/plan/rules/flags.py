"""Feature flags: each can be evaluated, and none that a rollback switches off stays on."""

from __future__ import annotations

from collections.abc import Iterator

from switchover.machine.flag import check_flags
from switchover.plan.draft import Draft
from switchover.plan.flags import compile_flags
from switchover.plan.rules.finding import Finding, rule


@rule("flags", "rollback")
def flags_can_be_evaluated(draft: Draft) -> Iterator[Finding]:
    """Weights sum to 100 %, variants and prerequisites exist, and nothing goes in a circle."""
    whole = True
    for index, flag in enumerate(draft.plan.flags):
        try:
            flag.compile()
        except ValueError as error:
            whole = False
            yield Finding(("flags", index), str(error), "correct the flag")
    if whole:
        try:
            check_flags(compile_flags(draft.plan))
        except ValueError as error:
            yield Finding(("flags",), str(error), "correct what it requires")


@rule("flags", "rollback")
def a_rollback_reaches_its_flags(draft: Draft) -> Iterator[Finding]:
    """A flag that a rollback shall switch off has to follow the split."""
    for index, name in enumerate(draft.plan.rollback.flags):
        if any(flag.name == name and not flag.follows_split for flag in draft.plan.flags):
            yield Finding(
                ("rollback", "flags", index),
                f"'{name}' does not follow the split, so a rollback leaves it as it is",
                "set follows_split: true at the flag, or take it out of rollback.flags",
            )
