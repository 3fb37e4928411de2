"""Validation after a rollback: three waves of probes, each with its time."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal, Self

from pydantic import Field, model_validator

from switchover.plan.form import Model, at_key
from switchover.plan.probes import HttpProbe, Probe
from switchover.plan.units import Seconds, spoken

WaveName = Literal["immediate", "functional", "business"]

#: When a wave begins after the rollback and when it has to have passed, in seconds.
TIMES: Mapping[WaveName, tuple[float, float]] = {
    "immediate": (0.0, 120.0),
    "functional": (300.0, 600.0),
    "business": (600.0, 900.0),
}
#: What Switchover asks itself in the immediate wave.
OWN_QUESTIONS = ("every router is on legacy", "nobody is served by the candidate")


class Wave(Model):
    """Probes that have to pass within a time after the rollback."""

    after: Seconds | None = Field(
        None, le=604800, description="begins so long after the rollback; default: 0s, 5m, 10m"
    )
    within: Seconds | None = Field(
        None, gt=0, le=604800,
        description="every probe has to pass by then, or the wave fails; default: 2m, 10m, 15m",
    )  # fmt: skip
    probes: list[Probe] = Field([], description="what has to hold; each is asked until it does")

    @model_validator(mode="after")
    def _names_differ(self) -> Self:
        names = [probe.name for probe in self.probes]
        for index, name in enumerate(names):
            if name in names[:index]:
                raise at_key("probes", f"two probes are called {name!r}; rename one")
        return self


class Validation(Model):
    """What proves that a rollback worked. Beside the plan's probes Switchover always asks for
    itself, in the immediate wave, whether every router acknowledges and nobody is served by the
    candidate any more."""

    immediate: Wave = Field(
        Wave(), description="minutes 0 to 2: legacy answers; default: its health path does"
    )
    functional: Wave = Field(Wave(), description="minutes 5 to 10: what people do works")
    business: Wave = Field(Wave(), description="minutes 10 to 15: the numbers are as before")

    @model_validator(mode="after")
    def _ends_after_it_begins(self) -> Self:
        for name in TIMES:
            after, within = _times(self, name)
            if within <= after:
                raise at_key(
                    name,
                    f"it begins {spoken(after)} after the rollback and would have to have passed "
                    f"within {spoken(within)}; name a later time with within",
                )
        return self


@dataclass(frozen=True, slots=True)
class PlannedWave:
    """A wave as it is run: ``after`` and ``within`` in seconds from the rollback. ``own`` says
    that Switchover's own questions about routing belong to it."""

    name: WaveName
    after: float
    within: float
    probes: tuple[Probe, ...]
    own: bool = False


def compile_waves(validation: Validation) -> tuple[PlannedWave, ...]:
    """The waves that there are: the immediate one always, others that have probes."""
    found = []
    for name in TIMES:
        after, within = _times(validation, name)
        probes = tuple(_wave(validation, name).probes)
        first = name == "immediate"
        if first and not probes:
            probes = (HttpProbe(kind="http", name="legacy answers"),)
        if probes:
            found.append(PlannedWave(name, after, within, probes, own=first))
    return tuple(found)


def wave_words(wave: PlannedWave) -> str:
    """A wave for people: when it is, and what is asked."""
    names = [probe.name for probe in wave.probes]
    names += OWN_QUESTIONS * wave.own
    return f"{wave.name}, {spoken(wave.after)} to {spoken(wave.within)} after: {', '.join(names)}"


def _wave(validation: Validation, name: WaveName) -> Wave:
    wave = getattr(validation, name)
    assert isinstance(wave, Wave)
    return wave


def _times(validation: Validation, name: WaveName) -> tuple[float, float]:
    wave, (after, within) = _wave(validation, name), TIMES[name]
    begins = after if wave.after is None else wave.after
    return begins, within if wave.within is None else wave.within
