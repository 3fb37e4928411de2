"""Rules on approvals: somebody can give the approvals that stages ask for."""

from __future__ import annotations

import difflib
from collections.abc import Iterator, Sequence

from switchover.plan.approvals import Approvals, plain_name
from switchover.plan.draft import Draft
from switchover.plan.rules.finding import Finding, rule
from switchover.plan.steps import CanaryStage
from switchover.plan.tree import Path


@rule("stages", "approvals")
def approvals_have_approvers(draft: Draft) -> Iterator[Finding]:
    """A stage that asks for approval needs the section that says who approves."""
    asking = [
        index
        for index, stage in enumerate(draft.plan.stages)
        if isinstance(stage, CanaryStage) and stage.approval
    ]
    if asking and draft.plan.approvals is None:
        yield Finding(("stages", asking[0], "approval"),
                      "this stage asks for an approval, and there is no approvals section",
                      "add approvals: with a list of approvers")  # fmt: skip
    if not asking and draft.plan.approvals is not None:
        yield Finding(("approvals",), "approvers are named, and no stage asks for an approval",
                      "add approval: true to a canary stage", warning=True, key=True)  # fmt: skip


@rule("approvals")
def approvers_are_people(draft: Draft) -> Iterator[Finding]:
    """Approvers are named once, and by names that a form can carry."""
    approvals = draft.plan.approvals
    if approvals is None:
        return
    if not approvals.people:
        yield Finding(("approvals",), "nobody is named who may approve",
                      "add approvers: with their names, or roles:", key=True)  # fmt: skip
    for place, names in _lists(approvals):
        yield from _named_once(place, names, approvals.identity == "code")


def _lists(approvals: Approvals) -> list[tuple[tuple[str, ...], Sequence[str]]]:
    """Every list of names, with its place in the section."""
    roles = [(("roles", role), members) for role, members in approvals.roles.items()]
    return [(("approvers",), approvals.approvers), *roles]


def _named_once(place: tuple[str, ...], names: Sequence[str], coded: bool) -> Iterator[Finding]:
    what = f"the role {place[1]}" if len(place) > 1 else "an approver"
    seen: set[str] = set()
    for index, name in enumerate(names):
        path: Path = ("approvals", *place, index)
        if not name:
            yield Finding(path, "the approver's name is empty", "write a name, or remove the item")
        elif name in seen:
            twice = f"'{name}' has {what} twice" if len(place) > 1 else f"'{name}' is {what} twice"
            yield Finding(path, twice, "name each once")
        elif coded and (":" in name or name != name.strip()):
            yield Finding(path, f"nobody can get an approval code as '{name}'",
                          "write it without a colon and without spaces around it")  # fmt: skip
        seen.add(name)


@rule("approvals")
def everybody_has_one_name(draft: Draft) -> Iterator[Finding]:
    """Who is written in two ways would count as two, and pass four eyes by the other name."""
    if draft.plan.approvals is None:
        return
    written: dict[str, str] = {}
    for place, names in _lists(draft.plan.approvals):
        for index, name in enumerate(names):
            first = written.setdefault(plain_name(name), name)
            if name and first != name:
                yield Finding(("approvals", *place, index),
                              f"'{name}' and '{first}' would be taken for two people",
                              "write the name in one way, or tell the two apart")  # fmt: skip


@rule("approvals")
def required_roles_exist(draft: Draft) -> Iterator[Finding]:
    """A role that has to approve is one that somebody has."""
    approvals = draft.plan.approvals
    if approvals is None:
        return
    for role in approvals.require:
        if role not in approvals.roles:
            guess = difflib.get_close_matches(role, approvals.roles, n=1)
            advice = f"did you mean '{guess[0]}'?" if guess else "add it to roles:"
            yield Finding(("approvals", "require", role), f"there is no role '{role}'", advice,
                          key=True)  # fmt: skip


@rule("approvals")
def a_quorum_can_be_reached(draft: Draft) -> Iterator[Finding]:
    """So many people as must approve are there, even if one of them has started."""
    approvals = draft.plan.approvals
    if approvals is None or not approvals.people:
        return
    people = len(approvals.people)
    if approvals.min_approvers > people:
        yield Finding(("approvals", "min_approvers"),
                      f"{approvals.min_approvers} people must approve, and {people} may",
                      f"name more, or write at most {people}")  # fmt: skip
    elif approvals.four_eyes and approvals.min_approvers == people:
        alone = "the only approver starts" if people == 1 else "one of the approvers starts"
        yield Finding(("approvals", "approvers" if approvals.approvers else "roles"),
                      f"with four_eyes nobody could approve what {alone}",
                      "name a second approver" if people == 1 else "name one more",
                      warning=True)  # fmt: skip
    for role, count in approvals.require.items():
        members = len(set(approvals.roles.get(role, ())))
        if role in approvals.roles and count > members:
            yield Finding(("approvals", "require", role),
                          f"{count} of {role} must approve, and {members} have that role",
                          f"name more of them, or write at most {members}")  # fmt: skip
        elif role in approvals.roles and approvals.four_eyes and 0 < count == members:
            yield Finding(("approvals", "require", role),
                          f"with four_eyes nobody could approve what one of {role} starts",
                          "name one more", warning=True)  # fmt: skip
    yield from _alone(approvals)


def _alone(approvals: Approvals) -> Iterator[Finding]:
    """Warn where one person could be several."""
    wanted = sum(approvals.require.values())
    several = [
        name
        for name in approvals.people
        if len(set(approvals.roles_of(name)).intersection(approvals.require)) > 1
    ]
    if several and approvals.min_approvers < wanted:
        yield Finding(("approvals", "require"),
                      f"'{several[0]}' has more than one of these roles and counts in each",
                      f"write min_approvers: {wanted}, if different people must approve",
                      warning=True, key=True)  # fmt: skip
    if approvals.identity == "trusted" and max(approvals.min_approvers, wanted) > 1:
        yield Finding(("approvals", "min_approvers" if approvals.min_approvers > 1 else "require"),
                      "one person can give several names, and so make up a quorum alone",
                      "write identity: code, so that approvers prove who they are",
                      warning=True, key=True)  # fmt: skip


@rule("approvals")
def approvals_last(draft: Draft) -> Iterator[Finding]:
    """A request waits, and its evidence counts, for some time."""
    approvals = draft.plan.approvals
    if approvals is not None and approvals.expires == 0:
        yield Finding(("approvals", "expires"), "an approval would expire at once",
                      "write a duration, like 72h")  # fmt: skip
    if approvals is not None and approvals.evidence_max_age == 0:
        yield Finding(("approvals", "evidence_max_age"),
                      "the evidence would be too old as soon as it is shown",
                      "write a duration, like 24h")  # fmt: skip
