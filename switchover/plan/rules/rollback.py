"""Rules on the steps of a rollback: each can begin, can be reached, and has a way back."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from graphlib import CycleError, TopologicalSorter

from switchover.plan.draft import Draft
from switchover.plan.flags import compile_flags
from switchover.plan.rollback_steps import (
    GROUP_STEP,
    Action,
    Command,
    FlagsOff,
    FlagsOn,
    HttpCall,
    SplitZero,
    Step,
    predecessors,
)
from switchover.plan.rules.finding import Finding, rule
from switchover.plan.tree import Path
from switchover.plan.units import spoken

#: Programs that read their arguments as a command line: an argv of them is a shell string.
_SHELLS = frozenset({"sh", "bash", "dash", "zsh", "ksh", "fish", "cmd", "powershell", "pwsh"})
_COMMAND = ("-c", "-lc", "-ec", "-command", "/c")
#: Characters that only a shell would understand.
_FOR_SHELLS = ("&&", "||", "|", ";", ">", "<", ">>", "2>&1")


@rule("rollback")
def steps_have_names_of_their_own(draft: Draft) -> Iterator[Finding]:
    """A step is known by its level and its name."""
    for where, steps in _lists(draft):
        first: dict[str, int] = {}
        for index, step in enumerate(steps):
            path: Path = (*where, index, "name")
            if step.name in first:
                yield Finding(path, f"the name '{step.name}' is taken by step {first[step.name]} "
                              "of this level", "give each a name of its own")  # fmt: skip
            first.setdefault(step.name, index + 1)
            if step.name == GROUP_STEP and where[-1] == "system":
                yield Finding(path, f"'{GROUP_STEP}' is the step that turns back the group's "
                              "other migrations", "choose another name")  # fmt: skip


@rule("rollback")
def steps_come_after_known_ones(draft: Draft) -> Iterator[Finding]:
    """What a step waits for is a step of its level, and nothing waits for itself."""
    for where, steps in _lists(draft):
        known = {step.name for step in steps}
        whole = len(known) == len(steps)
        for index, step in enumerate(steps):
            for place, name in enumerate(step.after or ()):
                path: Path = (*where, index, "after", place)
                if name == step.name:
                    whole = False
                    yield Finding(path, f"'{name}' comes after itself", "remove it")
                elif name not in known:
                    whole = False
                    names = ", ".join(sorted(known - {step.name})) or "none"
                    yield Finding(path, f"there is no step '{name}' at this level",
                                  f"name one of: {names}")  # fmt: skip
        if whole:
            yield from _circle(where, steps)


@rule("rollback", "flags")
def steps_can_be_done(draft: Draft) -> Iterator[Finding]:
    """Programs are no shell strings, flags exist, and a way back is another thing than the way."""
    try:
        flags = set(compile_flags(draft.plan))
    except ValueError:
        return  # the rule on flags tells it
    for where, steps in _lists(draft):
        for index, step in enumerate(steps):
            for key, action in (("action", step.action), ("reverse", step.reverse)):
                if action is not None:
                    yield from _action((*where, index, key), action, flags)
            if step.reverse is not None and step.reverse == step.action:
                yield Finding((*where, index, "reverse"), "the way back does the same as the step",
                              "write what takes it back, or leave it out")  # fmt: skip
            if isinstance(step.reverse, FlagsOff | SplitZero):
                yield Finding((*where, index, "reverse"),
                              "the way back of a rollback switches nothing off",
                              "write flags_on, a command or a request")  # fmt: skip


@rule("rollback")
def steps_say_whether_they_can_be_taken_back(draft: Draft) -> Iterator[Finding]:
    """A step on a database has a way back or says that it has none."""
    for where, steps in _lists(draft):
        for index, step in enumerate(steps):
            if step.no_return and step.reverse is not None:
                yield Finding((*where, index, "no_return"), "nothing takes it back, and reverse "
                              "says what does", "keep one of them")  # fmt: skip
            elif step.method == "database" and step.reverse is None and not step.no_return:
                yield Finding((*where, index), f"the database step '{step.name}' has no way back",
                              "add reverse, or say no_return: true")  # fmt: skip


@rule("rollback")
def steps_leave_time_to_their_probes(draft: Draft) -> Iterator[Finding]:
    """The limit holds for the action and all probes; what can't matter is said."""
    for where, steps in _lists(draft):
        for index, step in enumerate(steps):
            needed = max((probe.timeout for probe in step.probes), default=0.0)
            limit = step.seconds(str(where[2]))
            if needed > limit:
                yield Finding((*where, index, "probes"), f"a probe may take {spoken(needed)}, and "
                              f"the whole step {spoken(limit)}",
                              "raise limit, or lower the timeout", warning=True)  # fmt: skip
            if step.repeatable and not isinstance(step.action, Command | HttpCall):
                yield Finding((*where, index, "repeatable"), "what is built in may always be "
                              "repeated", "remove it", warning=True)  # fmt: skip
            last = where[-1] == "system"
            if last and "on_failure" in step.model_fields_set and step.on_failure == "escalate":
                yield Finding((*where, index, "on_failure"), "there is no level above the system, "
                              "so a failure stops and pages people", "write freeze",
                              warning=True)  # fmt: skip


@rule("rollback", "flags")
def components_have_flags(draft: Draft) -> Iterator[Finding]:
    """A component that no flag belongs to goes back by its steps alone."""
    known = {flag.component for flag in draft.plan.flags} - {""}
    for name in draft.plan.rollback.levels.component:
        if name not in known:
            names = ", ".join(sorted(known)) or "none"
            yield Finding(("rollback", "levels", "component", name),
                          f"no flag belongs to component '{name}', so only its steps take it back",
                          f"set component: {name} at its flags, or use one of: {names}",
                          warning=True, key=True)  # fmt: skip


def _lists(draft: Draft) -> Iterator[tuple[Path, list[Step]]]:
    for where, _, steps in draft.plan.rollback.levels.lists():
        yield ("rollback", "levels", *where), steps


def _circle(where: Path, steps: Sequence[Step]) -> Iterator[Finding]:
    try:
        TopologicalSorter(predecessors(steps)).prepare()
    except CycleError as error:
        around = error.args[1]
        index = next(i for i, step in enumerate(steps) if step.name in around and step.after)
        # Each is named before what waits for it; the first that says so is to blame.
        yield Finding((*where, index, "after"),
                      f"steps wait for each other in a circle: {' -> '.join(around)}",
                      "let one of them begin without the others: after: []")  # fmt: skip


def _action(path: Path, action: Action, flags: set[str]) -> Iterator[Finding]:
    if isinstance(action, FlagsOff | FlagsOn):
        for index, name in enumerate(action.flags):
            if name not in flags:
                yield Finding((*path, "flags", index), f"the plan has no flag '{name}'",
                              "name one of: " + (", ".join(sorted(flags)) or "none"))  # fmt: skip
    elif isinstance(action, Command):
        yield from _argv((*path, "argv"), action.argv)


def _argv(path: Path, argv: Sequence[str]) -> Iterator[Finding]:
    program = argv[0].rsplit("/", 1)[-1]
    if program in _SHELLS and any(each.lower() in _COMMAND for each in argv[1:]):
        yield Finding(path, "this hands a line to a shell, and an operator who allows the shell "
                      "would allow everything", "write a program, and name that")  # fmt: skip
        return
    if len(argv) == 1 and " " in argv[0]:
        yield Finding((*path, 0), f"'{argv[0]}' is a whole command line, and there is no shell",
                      "write each word as an item of its own")  # fmt: skip
        return
    for index, each in enumerate(argv):
        if each in _FOR_SHELLS:
            yield Finding((*path, index), f"'{each}' means something to a shell only, and there "
                          "is none", "put it into a program, or make it two steps")  # fmt: skip
