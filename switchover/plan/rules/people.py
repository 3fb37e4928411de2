"""Rules on approvals: somebody can give the approvals that stages ask for."""

from __future__ import annotations

from collections.abc import Iterator

from switchover.plan.draft import Draft
from switchover.plan.rules.finding import Finding, rule
from switchover.plan.spec import CanaryStage


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
    """Approvers are named once, and enough of them for four eyes."""
    approvals = draft.plan.approvals
    if approvals is None:
        return
    seen: dict[str, int] = {}
    for index, name in enumerate(approvals.approvers):
        if not name:
            yield Finding(("approvals", "approvers", index), "the approver's name is empty",
                          "write a name, or remove the item")  # fmt: skip
        elif name in seen:
            yield Finding(("approvals", "approvers", index), f"'{name}' is an approver twice",
                          "name each once")  # fmt: skip
        seen.setdefault(name, index)
    if approvals.four_eyes and len(seen) < 2:
        yield Finding(("approvals", "approvers"),
                      "with four_eyes nobody could approve what the only approver starts",
                      "name a second approver", warning=True)  # fmt: skip
    if approvals.expires == 0:
        yield Finding(("approvals", "expires"), "an approval would expire at once",
                      "write a duration, like 72h")  # fmt: skip
