"""Rules on what comes before traffic, on groups and on the way back."""

from __future__ import annotations

from collections.abc import Iterator

from switchover.plan.checklist import ITEMS
from switchover.plan.draft import Draft
from switchover.plan.rules.finding import Finding, rule
from switchover.plan.spec import LatencyCheck
from switchover.plan.stages import compile_stages
from switchover.plan.steps import CanaryStage
from switchover.plan.together import place_of
from switchover.plan.tree import Path, find


@rule("checklist", "stages", "checks")
def items_can_be_done(draft: Draft) -> Iterator[Finding]:
    """An item of the engine has something in the plan that does it."""
    checklist = draft.plan.checklist
    if checklist is None:
        return
    kinds = {stage.kind for stage in draft.plan.stages}
    latency = "checks" in kinds and any(isinstance(c, LatencyCheck) for c in draft.plan.checks)
    possible = {"checks": "checks" in kinds, "latency": latency, "adapters": "adapters" in kinds}
    lacking = {"checks": "no checks stage", "latency": "no check of kind latency",
               "adapters": "no adapters stage"}  # fmt: skip
    written = find(draft.tree, ("checklist", "items")) is not None
    for index, item in enumerate(checklist.items):
        path: Path = ("checklist", "items", index) if written else ("checklist",)
        if not possible.get(item, True):
            yield Finding(path, f"'{item}' can never be done, as the plan has {lacking[item]}",
                          "add one, or leave this out of the items", key=not written)  # fmt: skip
        elif item in checklist.items[:index]:
            yield Finding(path, f"'{item}' is on the list twice", "remove one of them")


@rule("checklist", "approvals")
def sign_offs_can_be_given(draft: Draft) -> Iterator[Finding]:
    """Ids are told apart, roles have people, and a stand-in has what it stands in for."""
    checklist, approvals = draft.plan.checklist, draft.plan.approvals
    seen: dict[str, int] = {}
    for index, item in enumerate(checklist.sign_offs if checklist else ()):
        path: Path = ("checklist", "sign_offs", index)
        if item.id in ITEMS or item.id in seen:
            taken = "an item of the engine" if item.id in ITEMS else f"sign_offs[{seen[item.id]}]"
            yield Finding((*path, "id"), f"'{item.id}' names {taken} already",
                          "choose another id")  # fmt: skip
        seen.setdefault(item.id, index)
        if item.role is not None and not (approvals and approvals.roles.get(item.role)):
            yield Finding((*path, "role"), f"nobody has the role '{item.role}'",
                          "name its people under approvals.roles, or write who:")  # fmt: skip
        if item.instead_of and checklist and item.instead_of not in checklist.items:
            yield Finding((*path, "instead_of"),
                          f"'{item.instead_of}' is not asked for, so nothing stands in for it",
                          "add it to checklist.items, or remove this")  # fmt: skip


@rule("group", "migration", "stages", "data_checks", "work_items")
def a_group_has_places(draft: Draft) -> Iterator[Finding]:
    """Nobody waits for itself, and every place of its own is a stage that begins."""
    group = draft.plan.group
    if group is None:
        return
    stages = compile_stages(draft.plan)
    keys = ", ".join(stage.key for stage in stages[1:])
    for index, need in enumerate(group.depends_on):
        path: Path = ("group", "depends_on", index)
        if need.migration == draft.plan.migration:
            yield Finding((*path, "migration"), "it would wait for itself",
                          "name another migration")  # fmt: skip
        if not place_of(need.before, stages):
            yield Finding((*path, "before"), f"no stage begins at {need.before}",
                          f"write a share, or one of {keys}")  # fmt: skip
    for index, place in enumerate(group.barrier):
        if not place_of(place, stages):
            yield Finding(("group", "barrier", index), f"no stage begins at {place}",
                          f"write a share, or one of {keys}")  # fmt: skip
    if not group.depends_on and group.on_failure != "hold":
        yield Finding(("group", "on_failure"), "it rests on no other migration",
                      "name some under depends_on, or remove this", warning=True)  # fmt: skip


@rule("stages")
def one_point_of_no_return(draft: Draft) -> Iterator[Finding]:
    """After the first nothing goes back, so a later one would say nothing."""
    passed = -1
    for index, stage in enumerate(draft.plan.stages):
        if not isinstance(stage, CanaryStage):
            continue
        if passed < 0:
            passed = index if stage.reversibility == "point_of_no_return" else -1
        elif stage.reversibility != "reversible":
            yield Finding(("stages", index, "reversibility"),
                          f"nothing rolls back by itself since stages[{passed}]",
                          "keep only the point of no return")  # fmt: skip
