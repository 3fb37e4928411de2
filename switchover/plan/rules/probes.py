"""Rules on probes, of a rollback and of triggers: their files exist, their metrics are told."""

from __future__ import annotations

from collections.abc import Iterator

from switchover.judge.path import ANY, parse
from switchover.plan.draft import Draft
from switchover.plan.probes import HttpProbe, MetricProbe, Probe, measured_as
from switchover.plan.rules.finding import Finding, rule
from switchover.plan.rules.references import contract
from switchover.plan.tree import Path
from switchover.plan.validation import TIMES


@rule("rollback", "triggers")
def contracts_of_probes_exist(draft: Draft) -> Iterator[Finding]:
    """A JSON Schema that a probe names lies beside the plan."""
    for path, probe in _probes(draft):
        if isinstance(probe, HttpProbe) and probe.expect.contract is not None:
            yield from contract(
                (*path, "expect", "contract"), probe.expect.contract, draft.directory
            )


@rule("rollback", "triggers")
def answers_can_be_as_expected(draft: Draft) -> Iterator[Finding]:
    """A path leads to one value, and an answer without a body shows none."""
    for path, probe in _probes(draft):
        if not isinstance(probe, HttpProbe):
            continue
        if probe.url is not None and "system" in probe.model_fields_set:
            yield Finding((*path, "system"), "url is here too, and the system is not asked then",
                          "keep one of them")  # fmt: skip
        for place in probe.expect.values:
            if ANY in parse(place):
                yield Finding((*path, "expect", "values", place),
                              "this path has a wildcard, and must lead to one value",
                              "name an index, like items[0].id", key=True)  # fmt: skip
        expect = probe.expect
        if probe.method == "HEAD" and (expect.values or expect.contract or expect.contains):
            yield Finding((*path, "method"), "the answer to HEAD has no body to look into",
                          "use GET")  # fmt: skip
        if expect.at_most is not None and expect.at_most > probe.timeout:
            yield Finding((*path, "expect", "at_most"), "the probe's timeout is shorter than this",
                          "raise timeout")  # fmt: skip


@rule("rollback", "triggers")
def measures_fit_their_metrics(draft: Draft) -> Iterator[Finding]:
    """A share lies between 0 and 1."""
    for path, probe in _probes(draft):
        if not isinstance(probe, MetricProbe):
            continue
        kind = measured_as(probe)
        for key in ("at_least", "at_most"):
            value = getattr(probe, key)
            if kind == "proportion" and value is not None and value > 1:
                yield Finding((*path, key), f"a share lies between 0 and 1, not at {value:g}",
                              "write it like 95%")  # fmt: skip
        if probe.quantile is not None and kind != "quantile":
            yield Finding((*path, "quantile"), f"a {kind} has no quantile",
                          "remove it, or use measure: quantile")  # fmt: skip


def _probes(draft: Draft) -> Iterator[tuple[Path, Probe]]:
    """Every probe of the plan's rollback and of its triggers, and where it stands."""
    rollback = draft.plan.rollback
    for name in TIMES:
        for index, probe in enumerate(getattr(rollback.validation, name).probes):
            yield ("rollback", "validation", name, "probes", index), probe
    for path, _, steps in rollback.levels.lists():
        for place, step in enumerate(steps):
            for index, probe in enumerate(step.probes):
                yield ("rollback", "levels", *path, place, "probes", index), probe
    for color, place, trigger in draft.plan.triggers.listed:
        if trigger.probe is not None:
            yield ("triggers", color, place, "probe"), trigger.probe
