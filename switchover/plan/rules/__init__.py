"""Rules across the fields of a plan, by section; each says where and what to do."""

from __future__ import annotations

from switchover.errors import Fault
from switchover.plan.draft import Draft
from switchover.plan.rules import (
    agreement,
    finding,
    flags,
    gates,
    integrity,
    names,
    people,
    probes,
    references,
    rollback,
    schedule,
    secrets,
    sources,
    stages,
    targets,
    together,
    triggers,
    work_items,
)
from switchover.plan.rules.finding import Finding, Rule

#: Every rule; a rule runs where the sections it reads are whole.
RULES: tuple[Rule, ...] = tuple(
    found
    for module in (
        agreement,
        flags,
        gates,
        integrity,
        names,
        people,
        probes,
        references,
        rollback,
        schedule,
        secrets,
        sources,
        stages,
        work_items,
        targets,
        together,
        triggers,
    )
    for found in vars(module).values()
    if isinstance(found, Rule)
)


def findings(draft: Draft) -> tuple[list[Fault], list[Fault]]:
    """The faults and the warnings of ``draft``."""
    faults: list[Fault] = []
    warnings: list[Fault] = []
    for rule in RULES:
        if rule.reads <= draft.whole:
            for found in rule.check(draft):
                (warnings if found.warning else faults).append(finding.placed(found, draft.tree))
    return faults, warnings


__all__ = ["RULES", "Finding", "Rule", "findings"]
