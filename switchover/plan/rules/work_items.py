"""Rules on work items: two tables, states that can be translated, rules that can ever apply."""

from __future__ import annotations

from collections.abc import Iterator

from switchover.plan.draft import Draft
from switchover.plan.rules.finding import Finding, rule
from switchover.plan.rules.integrity import database
from switchover.plan.work_items import ANY, MISSING, ItemRule, WorkItems

_FROM = ("use_legacy", "use_candidate")


@rule("work_items")
def item_tables_are_two(draft: Draft) -> Iterator[Finding]:
    """Each side has an address, and they are not the same rows."""
    items = draft.plan.work_items
    if items is None:
        return
    for side in ("legacy", "candidate"):
        address = getattr(items, side).database
        yield from database(("work_items", side, "database"), address)
    ours, theirs = items.legacy, items.candidate
    same = (ours.database, ours.table, ours.state) == (
        theirs.database,
        theirs.table,
        theirs.state,
    )
    if same:
        yield Finding(("work_items", "candidate", "table"),
                      "legacy and candidate are the same column of the same table",
                      "name the table that the candidate writes")  # fmt: skip


@rule("work_items")
def states_translate_one_to_one(draft: Draft) -> Iterator[Finding]:
    """Where a repair writes a state, one name of the candidate stands for it."""
    items = draft.plan.work_items
    if items is None:
        return
    first: dict[str, str] = {}
    for name, legacy in items.states.items():
        if legacy in first and any(_writes(each, legacy) for each in items.rules):
            yield Finding(("work_items", "states", name),
                          f"both '{first[legacy]}' and '{name}' are legacy's '{legacy}', and a "
                          "rule with use_legacy has to write one of them",
                          "keep one of them, or let that rule report")  # fmt: skip
        first.setdefault(legacy, name)


@rule("work_items")
def item_rules_can_apply(draft: Draft) -> Iterator[Finding]:
    """No rule speaks of items that agree or of rows to be made, or comes after one that covers
    it."""
    items = draft.plan.work_items
    if items is None:
        return
    for index, each in enumerate(items.rules):
        missing = (each.legacy, each.candidate).count(MISSING)
        if missing and each.repair in _FROM:
            yield Finding(("work_items", "rules", index, "repair"),
                          "rows are neither made nor deleted, as an item is more than its state",
                          "write repair: report")  # fmt: skip
        if missing == 2 or _agree(each, items):
            yield Finding(("work_items", "rules", index, "candidate"),
                          f"legacy's '{each.legacy}' and the candidate's '{each.candidate}' agree",
                          "name a state in which they differ")  # fmt: skip
        cover = next((n for n, one in enumerate(items.rules[:index]) if _covers(one, each)), None)
        if cover is not None:
            yield Finding(("work_items", "rules", index),
                          f"this rule never applies, as rules[{cover}] comes first and covers it",
                          "remove it, or move it before that one")  # fmt: skip


@rule("work_items")
def repairs_have_a_name_to_write(draft: Draft) -> Iterator[Finding]:
    """A state that a rule gives to the candidate means the same there."""
    items = draft.plan.work_items
    if items is None:
        return
    named = set(items.states.values())
    for index, each in enumerate(items.rules):
        other = items.states.get(each.legacy, each.legacy)
        if each.repair == "use_legacy" and each.legacy not in named and other != each.legacy:
            yield Finding(("work_items", "rules", index, "legacy"),
                          f"the candidate's '{each.legacy}' is legacy's '{other}', so it has no "
                          f"name for legacy's '{each.legacy}'",
                          "name it under states, or write repair: report")  # fmt: skip


def _writes(each: ItemRule, legacy: str) -> bool:
    return each.repair == "use_legacy" and each.legacy in (legacy, ANY)


def _agree(each: ItemRule, items: WorkItems) -> bool:
    if ANY in (each.legacy, each.candidate) or MISSING in (each.legacy, each.candidate):
        return False
    return items.states.get(each.candidate, each.candidate) == each.legacy


def _covers(one: ItemRule, other: ItemRule) -> bool:
    pairs = ((one.legacy, other.legacy), (one.candidate, other.candidate))
    return all(mine in (theirs, ANY) and not (mine == ANY and theirs == MISSING)
               for mine, theirs in pairs)  # fmt: skip
