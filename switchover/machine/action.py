"""What may be done next with a migration: the answers of :func:`switchover.machine.decide`."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Action:
    """Base of all answers; ``reason`` is a sentence for people."""

    reason: str


@dataclass(frozen=True, slots=True)
class Nothing(Action):
    """The migration has ended; no advance will ever change it."""


@dataclass(frozen=True, slots=True)
class Wait(Action):
    """Not now. ``until`` (seconds since the epoch) is given when time alone unblocks it;
    ``code`` says what it waits for in a word, for programs."""

    code: str
    until: float | None = None


@dataclass(frozen=True, slots=True)
class Work(Action):
    """The stage's own work has to run (again): checks or adapter validation."""


@dataclass(frozen=True, slots=True)
class CheckData(Action):
    """The data-integrity suites have to run before the step."""


@dataclass(frozen=True, slots=True)
class Ask(Action):
    """A person has to approve ``stage`` first."""

    stage: int


@dataclass(frozen=True, slots=True)
class Void(Action):
    """The evidence turned while people were asked; the request is void."""


@dataclass(frozen=True, slots=True)
class Expire(Action):
    """Nobody decided in time."""


@dataclass(frozen=True, slots=True)
class Enter(Action):
    """Everything is in place: begin ``stage``."""

    stage: int


@dataclass(frozen=True, slots=True)
class RollBack(Action):
    """The evidence says the candidate is bad, or what ``trigger`` names asks for it."""

    trigger: str = "judge"


@dataclass(frozen=True, slots=True)
class Strand(Action):
    """What would roll back comes past the point of no return: hold still and page people."""

    trigger: str = "judge"


@dataclass(frozen=True, slots=True)
class Abort(Action):
    """What the migration rests on has failed, and its plan ends it then."""
