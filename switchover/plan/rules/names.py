"""Names are unique where they name something, and the two systems are two."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from switchover.plan.draft import Draft
from switchover.plan.rules.finding import Finding, rule
from switchover.plan.tree import Path, find


@rule("gates")
def gates_have_names_of_their_own(draft: Draft) -> Iterator[Finding]:
    """Two gates on one metric need names."""
    yield from _twice("gates", [gate.name or gate.metric for gate in draft.plan.gates], draft)


@rule("targets")
def targets_have_names_of_their_own(draft: Draft) -> Iterator[Finding]:
    """Two targets on one metric need names."""
    yield from _twice("targets", [t.name or t.metric for t in draft.plan.targets], draft)


@rule("consumers")
def consumers_have_names_of_their_own(draft: Draft) -> Iterator[Finding]:
    """A consumer is known by its name."""
    yield from _twice("consumers", [consumer.name for consumer in draft.plan.consumers], draft)


@rule("checks")
def checks_have_names_of_their_own(draft: Draft) -> Iterator[Finding]:
    """A check is known by its name."""
    yield from _twice("checks", [check.name for check in draft.plan.checks], draft)


@rule("data_checks")
def data_checks_have_names_of_their_own(draft: Draft) -> Iterator[Finding]:
    """A data check is known by its name."""
    yield from _twice("data_checks", [check.name for check in draft.plan.data_checks], draft)


@rule("flags")
def flags_have_names_of_their_own(draft: Draft) -> Iterator[Finding]:
    """A flag is known by its name."""
    yield from _twice("flags", [flag.name for flag in draft.plan.flags], draft)


@rule("notify")
def stakeholders_have_names_of_their_own(draft: Draft) -> Iterator[Finding]:
    """A stakeholder's schedule, and what they were told, are known by their name."""
    people = [person.name for person in draft.plan.notify.stakeholders]
    yield from _twice("notify.stakeholders", people, draft)


@rule("systems")
def systems_are_two(draft: Draft) -> Iterator[Finding]:
    """Legacy and candidate answer at different addresses."""
    legacy, candidate = draft.plan.systems.legacy, draft.plan.systems.candidate
    if legacy.url.rstrip("/") == candidate.url.rstrip("/"):
        yield Finding(("systems", "candidate", "url"), "candidate and legacy have the same url",
                      "give the address of the candidate")  # fmt: skip
    if legacy.version == candidate.version:
        yield Finding(("systems", "candidate", "version"),
                      f"candidate and legacy are both version {legacy.version}",
                      "give the version of the candidate", warning=True)  # fmt: skip


def _twice(section: str, names: Sequence[str], draft: Draft) -> Iterator[Finding]:
    first: dict[str, int] = {}
    for index, name in enumerate(names):
        if name in first:
            path: Path = (*section.split("."), index, "name")
            if find(draft.tree, path) is None:  # a gate without a name has its metric's
                path = (*path[:-1], "metric")
            yield Finding(path, f"the name '{name}' is taken by {section}[{first[name]}]",
                          "give each a name of its own")  # fmt: skip
        first.setdefault(name, index)
