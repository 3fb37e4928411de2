"""`switchover items M`: work items on whose state both systems disagree."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Annotated

import typer

from switchover.cli.session import (
    Actor,
    Json,
    Migration,
    actor_or_login,
    print_json,
    say,
    table,
    verb,
)
from switchover.errors import NegativeAnswer

if TYPE_CHECKING:
    from switchover.engine.disagreement import Disagreement
    from switchover.ports import ItemKey

app = verb()


@app.command()
def items(
    migration: Migration,
    repair: Annotated[bool, typer.Option("--repair", help="Repair what the plan's rules say.")] = (
        False
    ),
    actor: Actor = "",
    json: Json = False,
) -> None:
    """List work items on which both systems disagree, and repair them.

    Without --repair nothing is changed but what Redis remembers for the next look. Ends with 1
    while any disagreement is left, also one that has to be seen again first.
    """
    from switchover.clock import iso
    from switchover.engine.compare_items import compare_items, outcome, planned
    from switchover.engine.repair_items import Reconciled, reconcile_items
    from switchover.wiring import build_context, load_settings

    settings = load_settings()
    context = build_context(settings)
    if repair:
        who = actor_or_login(actor, settings)
        done = reconcile_items(context, migration, actor=who, again=True)
    else:
        case = context.open(migration)
        found = compare_items(case, again=True)
        left = found.disagreements
        done = Reconciled(found, left, *outcome(found, left, planned(case)))
    if json:
        print_json(done.to_dict())
    elif done.findings.listed:
        table(
            "",
            ["item", "legacy", "candidate", "since", "rule", "what is done"],
            (
                [each.key, each.legacy, each.candidate, iso(each.since), each.rule or "none",
                 _fate(each, done.made)]
                for each in done.findings.listed
            ),
        )  # fmt: skip
        hidden = done.findings.disagreements - len(done.findings.listed)
        if hidden:
            say(f"and {hidden:,} more")
    if done.left or done.findings.waiting:
        raise NegativeAnswer(f"{migration}: {done.sentence}")
    if not json:
        say(done.sentence)


def _fate(found: Disagreement, made: Mapping[ItemKey, str]) -> str:
    if found.key in made:
        return made[found.key]
    if found.repair == "report":
        return "left to people"
    said = found.repair.replace("_", " ")
    return f"{said}, refused before" if found.refused else f"{said}, by --repair"
