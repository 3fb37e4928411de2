"""What a rollback does beyond turning the traffic: steps by level, with limits and ways back."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from graphlib import TopologicalSorter
from typing import Annotated, Any, Literal, Self

from pydantic import Field, model_validator

from switchover.plan.flags import FlagName
from switchover.plan.form import Form, Model, Slug, Url
from switchover.plan.probes import HeaderName, Probe, keep_secrets
from switchover.plan.sources import Text
from switchover.plan.units import Seconds, spoken

Level = Literal["component", "service", "system"]
#: From the smallest to the largest.
LEVELS: tuple[Level, ...] = ("component", "service", "system")
Method = Literal["flag", "code", "configuration", "database"]
OnFailure = Literal["escalate", "continue", "freeze"]

#: Seconds that a step may take where the plan names no limit, by its level.
LIMITS: dict[str, float] = {"component": 30.0, "service": 300.0, "system": 600.0}
#: The built-in first step of the system level, which turns back the group's other migrations.
GROUP_STEP = "group"

Component = Annotated[
    str,
    Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9 _.-]{0,62}$"),
    Form("the name of a component", "tool-dispatcher"),
]


class FlagsOff(Model):
    """Switch feature flags of this migration off."""

    kind: Literal["flags_off"] = Field(description="always flags_off")
    flags: list[FlagName] = Field(min_length=1, description="which ones")


class FlagsOn(Model):
    """Switch feature flags of this migration on: the way back of flags_off."""

    kind: Literal["flags_on"] = Field(description="always flags_on")
    flags: list[FlagName] = Field(min_length=1, description="which ones")


class SplitZero(Model):
    """Make sure that the split is 0: every live router and every proxy sends all to legacy."""

    kind: Literal["split_zero"] = Field(description="always split_zero")


class HttpCall(Model):
    """One HTTP request, with a header that makes it recognisable when it is sent again."""

    kind: Literal["http"] = Field(description="always http")
    url: Url = Field(description="the address")
    method: Literal["GET", "POST", "PUT", "PATCH", "DELETE"] = Field(
        "POST", description="HTTP method"
    )
    headers: dict[HeaderName, Text] = Field(
        {}, description="headers; env:NAME is the value of that variable"
    )
    body: Any = Field(None, description="JSON value that it sends")
    status: list[Annotated[int, Field(ge=100, le=599)]] = Field(
        [], description="answers that are success; default: 200 to 299"
    )

    @model_validator(mode="after")
    def _keeps_secrets(self) -> Self:
        keep_secrets(self.headers)
        return self


class Command(Model):
    """A program, without a shell; runs only if the operator allows it."""

    kind: Literal["command"] = Field(description="always command")
    argv: Annotated[list[Text], Field(min_length=1)] = Field(description="program and arguments")


Action = Annotated[FlagsOff | FlagsOn | SplitZero | HttpCall | Command, Field(discriminator="kind")]
#: Those of an action that happen outside.
Outside = HttpCall | Command


class Step(Model):
    """One thing that a rollback does after the traffic has turned."""

    name: Slug = Field(description="short name, used in commands and records")
    method: Method = Field(description="what it takes back")
    action: Action = Field(description="what is done")
    limit: Seconds | None = Field(
        None, gt=0, le=86400,
        description="it has failed after this time, probes included; default: 30s at level "
        "component, 5m at service, 10m at system",
    )  # fmt: skip
    after: list[Slug] | None = Field(
        None,
        description="steps of its level that come first; default: the one before it; [] begins at "
        "once, beside others",
    )
    probes: list[Probe] = Field([], description="what has to hold when it is done")
    on_failure: OnFailure = Field(
        "escalate", description="to the next level, on with the others, or stop and page people"
    )
    repeatable: bool = Field(
        False, description="it may run again when nobody knows how it ended; else people decide"
    )
    reverse: Action | None = Field(None, description="what takes it back, before another attempt")
    no_return: bool = Field(
        False,
        description="nothing takes it back: once it began, a failure stops and pages people",
    )

    def seconds(self, level: str) -> float:
        """The time limit, at ``level`` where it names none."""
        return self.limit if self.limit is not None else LIMITS[level]

    @property
    def again(self) -> bool:
        """Whether it may run twice: what is built in may, always."""
        return self.repeatable or not isinstance(self.action, HttpCall | Command)


class Levels(Model):
    """Steps by how much goes back."""

    component: dict[Component, list[Step]] = Field(
        {}, description="steps of `rollback --level component`, by component of the flags"
    )
    service: list[Step] = Field([], description="steps of every rollback of this migration")
    system: list[Step] = Field(
        [], description="steps after the whole group went back, besides those of service"
    )

    def of(self, level: str, component: str = "") -> list[Step]:
        """The steps of a level as written; none for a component that has none."""
        if level == "component":
            return self.component.get(component, [])
        return self.service if level == "service" else self.system

    def lists(self) -> Iterator[tuple[tuple[str, ...], str, list[Step]]]:
        """Every list of steps: its path below ``levels``, what people call it, the steps."""
        for name, steps in self.component.items():
            yield ("component", name), f"component {name}", steps
        yield ("service",), "service", self.service
        yield ("system",), "system", self.system


@dataclass(frozen=True, slots=True)
class PlannedStep:
    """A step in its place: ``after`` names what comes first. Dry run and execution read these."""

    step: Step
    level: str
    after: tuple[str, ...]

    @property
    def name(self) -> str:
        return self.step.name

    @property
    def seconds(self) -> float:
        """The time limit."""
        return self.step.seconds(self.level)


def predecessors(steps: Sequence[Step]) -> dict[str, tuple[str, ...]]:
    """What comes first for each step, by name: as it says, else the step before it."""
    before: dict[str, tuple[str, ...]] = {}
    last: tuple[str, ...] = ()
    for step in steps:
        before[step.name] = last if step.after is None else tuple(step.after)
        last = (step.name,)
    return before


def compile_steps(levels: Levels, level: str, component: str = "") -> tuple[PlannedStep, ...]:
    """The steps of a level, in the order in which they are declared."""
    steps = levels.of(level, component)
    before = predecessors(steps)
    return tuple(PlannedStep(step, level, before[step.name]) for step in steps)


def waves(steps: Sequence[PlannedStep]) -> list[list[PlannedStep]]:
    """Steps by the earliest moment at which they can begin; those of a wave run side by side.
    Raises graphlib's ``CycleError`` for a circle."""
    by_name = {planned.name: planned for planned in steps}
    sorter = TopologicalSorter({planned.name: planned.after for planned in steps})
    sorter.prepare()
    found = []
    while sorter.is_active():
        ready = sorter.get_ready()
        sorter.done(*ready)
        found.append([planned for name, planned in by_name.items() if name in ready])
    return found


def action_words(action: Action) -> str:
    """What an action does, in words; values of variables are never in it."""
    if isinstance(action, FlagsOff | FlagsOn):
        how = "off" if isinstance(action, FlagsOff) else "on"
        return f"switch {how} {', '.join(action.flags)}"
    if isinstance(action, SplitZero):
        return "make sure that every live router and proxy sends all to legacy"
    if isinstance(action, HttpCall):
        return f"{action.method} {action.url}"
    return f"run {' '.join(action.argv)}"


def step_words(planned: PlannedStep) -> str:
    """A step in a sentence: ``workers (code, at most 5 min): run deploy v1; after cache``."""
    step = planned.step
    words = f"{step.name} ({step.method}, at most {spoken(planned.seconds)}): "
    words += action_words(step.action)
    if planned.after:
        words += f"; after {', '.join(planned.after)}"
    if step.probes:
        words += f"; then has to hold: {', '.join(probe.name for probe in step.probes)}"
    words += {
        "escalate": "; a failure escalates", "continue": "; a failure stops nothing",
        "freeze": "; a failure stops the steps and pages people",
    }[step.on_failure]  # fmt: skip
    return words + "; nothing takes it back" * step.no_return
