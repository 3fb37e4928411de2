"""The runbook of a migration: how it is rolled back, written from its plan and from nothing else.

The same plan gives the same text, so that a file can be compared with it.
"""

from __future__ import annotations

import shlex
from collections.abc import Iterable, Iterator

from switchover.plan.explain import Explanation, explain
from switchover.plan.flags import candidate_flags, compile_flags
from switchover.plan.load import LoadedPlan
from switchover.plan.rollback_steps import PlannedStep, compile_steps, step_words, waves
from switchover.plan.spec import Plan
from switchover.plan.stages import compile_stages
from switchover.plan.units import spoken
from switchover.plan.validation import OWN_QUESTIONS, compile_waves
from switchover.reporting.markdown import literal, markdown_table

#: What still works while something is down, and what follows.
_DOWN = (
    ("Prefect", "`switchover rollback` works as ever, and so does `switchover watch`. Take the "
     "steps with `switchover steps {m} --run`, and the waves with `switchover rollback {m} "
     "--validate`."),
    ("The database", "Traffic turns; ledger, incident and messages follow when it is back. A "
     "component can't go back by itself meanwhile: roll back the service."),
    ("Redis", "Routers that can't reach it go to legacy by themselves within their `max_staleness` "
     "(30 s by default). `switchover rollback` ends with 3, as nothing confirms it: repeat it."),
    ("Slack", "Nothing waits for it; messages follow. Reach the contacts above by phone."),
    ("A worker", "`switchover rollback` needs none. Start one for the steps, or take them by "
     "`switchover steps {m} --run`."),
)  # fmt: skip


def runbook(loaded: LoadedPlan) -> str:
    """The whole runbook as Markdown."""
    plan, told = loaded.plan, explain(loaded)
    parts = [
        _head(plan, told), _when(plan, told), _who(plan), _commands(plan), _by_itself(plan),
        _steps(plan), _validation(plan), _cost(plan), _down(plan), _rehearsal(plan), _again(plan),
    ]  # fmt: skip
    return "\n\n".join("\n".join(part) for part in parts if part) + "\n"


def _head(plan: Plan, told: Explanation) -> list[str]:
    return [
        f"# Runbook: rolling back {literal(plan.title)}",
        "",
        f"<!-- switchover runbook of {plan.migration}, plan {told.digest} -->",
        f"Written by `switchover plan runbook` from plan `{told.digest[:12]}`. Change the plan and "
        "not this file: it is written anew with each version of the plan.",
        "",
        "**Send everything back to legacy, now.** No approval, freeze or phase stands in the way"
        + f"{_but(plan)}:",
        "",
        *_shell(f'switchover rollback {plan.migration} --reason "what you saw"'),
        "",
        literal(told.move) + ".",
    ]


def _but(plan: Plan) -> str:
    ends = any(stage.reversibility == "point_of_no_return" for stage in compile_stages(plan))
    return ", up to the point of no return" * ends


def _when(plan: Plan, told: Explanation) -> list[str]:
    automatic = (
        "It rolls back by itself when the evidence against one of these gates reaches its limit:"
        if plan.rollback.automatic
        else "Nothing rolls back by itself (`rollback.automatic: false`). The judge says so, and a "
        "person decides, when one of these gates reaches its limit:"
    )
    needs = dict.fromkeys(need for row in told.stages for need in row.needs)
    gates = [need.removeprefix("gate ") for need in needs if need.startswith("gate ")]
    return [
        "## When to roll back", "", automatic, "", *_items(gates),
        *_block("Triggers (RED rolls back at once, AMBER alerts and holds):", told.triggers),
        *_block("Targets of whoever serves:", told.targets),
        "", "Don't wait for a gate when people are harmed: roll back, then look.",
    ]  # fmt: skip


def _who(plan: Plan) -> list[str]:
    lines = ["## Who decides", ""]
    lines.append("Whoever is on call may roll back, and needs nobody's approval. Going forward is "
                 "another matter:" if plan.approvals else
                 "Whoever is on call may roll back, and needs nobody's approval.")  # fmt: skip
    if plan.approvals:
        roles = [f"{role}: {', '.join(names)}" for role, names in plan.approvals.roles.items()]
        people = [f"approvers: {', '.join(plan.approvals.people)}", *roles]
        people.append(f"{plan.approvals.min_approvers} of them approve a step that asks for it")
        lines += ["", *_items(people)]
    if plan.contacts:
        rows = [[literal(c.name), literal(c.role), literal(c.reach)] for c in plan.contacts]
        lines += ["", markdown_table(["Contact", "Role", "Reach"], "lll", rows)]
    else:
        lines += ["", "The plan names no contacts: add `contacts:` to it."]
    if plan.notify.slack_channel:
        lines += ["", f"Incidents are told in {literal(plan.notify.slack_channel)}."]
    return lines


def _commands(plan: Plan) -> list[str]:
    slug = plan.migration
    whole = f'switchover rollback {slug} --reason "…"'
    system = (
        f"Every migration of the group {plan.group.name}:"
        if plan.group
        else "It belongs to no group, so this is the backend and the steps of the system:"
    )
    return [
        "## Commands", "", "See what would happen, and change nothing:", "",
        *_shell(f"switchover rollback {slug} --dry-run"), "",
        "### A feature or component", "", *_features(plan), "",
        "### The backend (the whole migration)", "",
        f"Promised within {spoken(plan.rollback.target)}.", "", *_shell(whole), "",
        "### The front end", "", *_front_end(plan), "",
        "### The whole system", "", system, "",
        *_shell(f'switchover rollback {slug} --level system --reason "…"'), "",
        "### Afterwards", "",
        *_shell(f"switchover status {slug}", "switchover incident list",
                f"switchover steps {slug}", f"switchover rollback {slug} --validate"),
    ]  # fmt: skip


def _features(plan: Plan) -> list[str]:
    flags, levels = compile_flags(plan), plan.rollback.levels
    components = [flag.component for flag in flags.values() if flag.component]
    commands = [
        f"switchover rollback {plan.migration} --level component --component "
        f'{shlex.quote(name)} --reason "…"'
        for name in dict.fromkeys([*components, *levels.component])
    ]
    commands += _off(plan, sorted(flags))
    if not commands:
        return ["The plan has no feature flags."]
    words = "The rest of the migration stays; the rollback of a component holds it."
    return [words, "", *_shell(*commands)]


def _front_end(plan: Plan) -> list[str]:
    seen = [name for name, flag in sorted(compile_flags(plan).items())
            if flag.visibility in ("public", "authenticated")]  # fmt: skip
    if not seen:
        return [
            "The plan has no flag that browsers are told of (`visibility: public` or "
            "`authenticated`); the front end goes back with the whole migration."
        ]
    words = "What a browser has loaded already turns when it asks for its flags again."
    return [words, "", *_shell(*_off(plan, seen))]


def _off(plan: Plan, names: Iterable[str]) -> list[str]:
    return [f"switchover flags set {plan.migration} {name} --off" for name in names]


def _by_itself(plan: Plan) -> list[str]:
    flags = candidate_flags(plan)
    done = [
        "every live router and proxy sends all to legacy; the time is measured and recorded",
        *([f"the flags {', '.join(flags)} go off"] if flags else []),
        "an incident is opened, its file written"
        + (f", {literal(plan.notify.slack_channel)} told" if plan.notify.slack_channel else ""),
        "a waiting approval ends; no further step is taken",
        "the steps below are taken, then the waves of the validation",
    ]
    return ["## What happens by itself", "", *_items(done)]


def _steps(plan: Plan) -> list[str]:
    lines = ["## Steps after the traffic", ""]
    found = False
    for path, title, _ in plan.rollback.levels.lists():
        component = path[1] if path[0] == "component" else ""
        steps = compile_steps(plan.rollback.levels, path[0], component)
        if steps:
            lines += [f"### {title[:1].upper()}{title[1:]}", "", *_ordered(steps), ""]
            found = True
    if not found:
        return [*lines, "The plan has none: the traffic is all that goes back."]
    return [
        *lines,
        f"`switchover steps {plan.migration}` says which step needs people: `--retry STEP`, or "
        "`--settled STEP` when you did it by hand.",
    ]


def _ordered(steps: tuple[PlannedStep, ...]) -> Iterator[str]:
    """Numbered by when they begin: those with one number run side by side."""
    for number, wave in enumerate(waves(steps), start=1):
        for planned in wave:
            yield f"- [ ] {number}. {literal(step_words(planned))}"


def _validation(plan: Plan) -> list[str]:
    lines = ["## Validation"]
    for wave in compile_waves(plan.rollback.validation):
        asked = [literal(probe.name) for probe in wave.probes]
        asked += OWN_QUESTIONS * wave.own
        when = f"{spoken(wave.after)} to {spoken(wave.within)} after the rollback"
        lines += ["", f"### {wave.name.capitalize()}, {when}", "", *(f"- [ ] {a}" for a in asked)]
    return [*lines, "", "A wave that fails keeps the incident critical and pages people."]


def _cost(plan: Plan) -> list[str]:
    stages = [stage for stage in compile_stages(plan) if stage.split]
    left = [f"from {s.title} on: {literal(s.compensation)}" for s in stages if s.compensation]
    passed = [s.title for s in stages if s.reversibility == "point_of_no_return"]
    lines = ["## Point of no return and compensation", ""]
    if passed:
        lines += [
            f"From {passed[0]} on nothing rolls back by itself: a failure holds the migration, and "
            "pages people. Mend the candidate. Only if legacy can serve after all:",
            "", *_shell(f"switchover rollback {plan.migration} --past-the-point-of-no-return "
                        '--reason "…"'),
        ]  # fmt: skip
    else:
        lines.append("No stage is a point of no return: the way back is open until the end.")
    if left:
        lines += ["", "A rollback leaves to do:", "", *(f"- [ ] {item}" for item in left)]
    else:
        lines += ["", "Nothing has to be compensated after a rollback."]
    return lines


def _down(plan: Plan) -> list[str]:
    rows = [[what, words.replace("{m}", plan.migration)] for what, words in _DOWN]
    table = ["| Down | What works, what to do |", "| --- | --- |"]
    return ["## When something is down", "", *table, *(f"| {a} | {b} |" for a, b in rows)]


def _rehearsal(plan: Plan) -> list[str]:
    lines = ["## Rehearse", "", *_shell(f"switchover drill {plan.migration}")]
    if plan.drill is None:
        return [*lines, "", "The plan has no `drill:` section, so nobody is made to."]
    return [*lines, "", f"By itself, too: {literal(plan.drill.words())}."]


def _again(plan: Plan) -> list[str]:
    criteria = [f"- [ ] {c.id}: {literal(c.text)}" for c in plan.rollback.criteria]
    return [
        "## Before another attempt", "",
        "`switchover start` refuses it until the incident is analysed and each of these is ticked "
        "(`switchover incident tick ID CRITERION`):" if criteria else
        "`switchover start` refuses it until the incident is analysed.", "", *criteria,
    ]  # fmt: skip


def _shell(*commands: str) -> list[str]:
    return ["```sh", *commands, "```"]


def _items(lines: Iterable[str]) -> list[str]:
    return [f"- {literal(line)}" for line in lines]


def _block(head: str, lines: Iterable[str]) -> list[str]:
    items = _items(lines)
    return ["", head, "", *items] if items else []
