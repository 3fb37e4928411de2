"""Who may approve, when enough people have, and what lint says of it."""

from __future__ import annotations

from typing import Any

import pytest

from switchover.plan.approvals import Approvals
from switchover.plan.load import lint_plan

TWO_ROLES = Approvals(
    approvers=["ada"],
    roles={"clinical": ["cleo", "dora"], "operations": ["dora", "eli"]},
    require={"clinical": 1, "operations": 1},
    min_approvers=2,
)


@pytest.mark.req("P6")
@pytest.mark.parametrize(
    ("voters", "missing"),
    [
        ([], ("1 of clinical (cleo, dora)", "1 of operations (dora, eli)")),
        (["ada"], ("1 of clinical (cleo, dora)", "1 of operations (dora, eli)")),
        (["cleo"], ("1 of operations (dora, eli)",)),
        (["dora"], ("1 more of ada, cleo, eli",)),
        (["dora", "dora"], ("1 more of ada, cleo, eli",)),
        (["dora", "mallory"], ("1 more of ada, cleo, eli",)),
        (["dora", "ada"], ()),
        (["cleo", "eli"], ()),
        (["ada", "cleo", "eli"], ()),
    ],
)
def test_a_quorum_counts_people_and_roles(voters: list[str], missing: tuple[str, ...]) -> None:
    """Nobody counts twice, strangers don't count, a person with two roles counts in each."""
    assert TWO_ROLES.missing(voters) == missing


@pytest.mark.req("P6")
def test_without_a_quorum_one_approver_is_enough() -> None:
    """Plans of one line stay plans of one line."""
    plain = Approvals(approvers=["ada", "bo"])
    assert plain.missing([]) == ("1 more of ada, bo",)
    assert plain.missing([], "bo") == ("1 more of ada",)
    assert plain.missing(["bo"]) == ()


@pytest.mark.req("P6")
def test_everybody_with_a_role_may_approve_and_is_named_once() -> None:
    """In the order of the plan: approvers first."""
    assert TWO_ROLES.people == ("ada", "cleo", "dora", "eli")
    assert TWO_ROLES.roles_of("dora") == ("clinical", "operations")
    assert TWO_ROLES.roles_of("ada") == ()


def lint(write: Any, section: str) -> tuple[dict[str, str], dict[str, str]]:
    """Faults and warnings of a plan with this section, as field -> text."""
    plan = write(("bake: 3h", "bake: 3h, approval: true"), add=f"approvals: {{{section}}}\n")
    report = lint_plan(plan)
    return (
        {fault.field: f"{fault.message}; {fault.suggestion}" for fault in report.faults},
        {fault.field: f"{fault.message}; {fault.suggestion}" for fault in report.warnings},
    )


@pytest.mark.req("P6")
@pytest.mark.parametrize(
    ("section", "field", "words"),
    [
        ("approvers: []", "approvals", "nobody is named"),
        ("roles: {clinical: []}", "approvals", "nobody is named"),
        ("approvers: [ada, '']", "approvals.approvers[1]", "empty"),
        ("roles: {x: [a, b, a]}", "approvals.roles.x[2]", "'a' has the role x twice"),
        (
            "approvers: [a, b], min_approvers: 3, identity: code", "approvals.min_approvers",
            "3 people must approve, and 2 may; name more, or write at most 2",
        ),
        (
            "approvers: [a, b], roles: {clinical: [c, d]}, require: {clinicl: 1}",
            "approvals.require.clinicl", "there is no role 'clinicl'; did you mean 'clinical'?",
        ),
        (
            "approvers: [a, b], roles: {ward: [c]}, require: {ward: 2}, identity: code",
            "approvals.require.ward", "2 of ward must approve, and 1 have that role",
        ),
        ("approvers: [a, b], require: {ward: 0}", "approvals.require.ward", "1"),
        ("approvers: [a, b], min_approvers: 0", "approvals.min_approvers", "1"),
        ("approvers: [a, 'b:c'], identity: code", "approvals.approvers[1]", "without a colon"),
        ("approvers: [ada, Ada]", "approvals.approvers[1]", "'Ada' and 'ada' would be taken"),
        ("approvers: [bo, c], roles: {x: [bo, 'BO ']}", "approvals.roles.x[1]", "in one way"),
        ("approvers: [a, b], evidence_max_age: 0s", "approvals.evidence_max_age", "24h"),
        ("approvers: [a, b], expires: 0s", "approvals.expires", "72h"),
    ],
)  # fmt: skip
def test_approvals_that_nobody_could_give_are_faults(
    write: Any, section: str, field: str, words: str
) -> None:
    """Each with its place and what to write."""
    faults, _ = lint(write, section)
    assert list(faults) == [field]
    assert words in faults[field]


@pytest.mark.req("P6")
@pytest.mark.parametrize(
    ("section", "field", "words"),
    [
        ("approvers: [a]", "approvals.approvers", "the only approver starts"),
        (
            "approvers: [a, b], min_approvers: 2, identity: code",
            "approvals.approvers", "one of the approvers starts; name one more",
        ),
        (
            "approvers: [a], roles: {ward: [b]}, require: {ward: 1}, identity: code",
            "approvals.require.ward", "one of ward starts",
        ),
        (
            "roles: {x: [a, b, c], y: [a, d]}, require: {x: 1, y: 1}, identity: code",
            "approvals.require", "'a' has more than one of these roles",
        ),
        (
            "approvers: [a, b, c], min_approvers: 2",
            "approvals.min_approvers", "write identity: code",
        ),
    ],
)  # fmt: skip
def test_approvals_that_may_be_hard_to_get_or_easy_to_forge_are_warnings(
    write: Any, section: str, field: str, words: str
) -> None:
    """The plan works for those who know what they do."""
    faults, warnings = lint(write, section)
    assert faults == {}
    assert list(warnings) == [field]
    assert words in warnings[field]


@pytest.mark.req("P6")
def test_a_quorum_of_proven_people_is_fine(write: Any) -> None:
    """What the how-to shows has neither faults nor warnings."""
    section = (
        "approvers: [ada, bo, chris], roles: {clinical: [dora, eli]}, "
        "min_approvers: 2, require: {clinical: 1}, identity: code"
    )
    assert lint(write, section) == ({}, {})
