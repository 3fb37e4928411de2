"""What is open about an incident: ``open``, ``mitigated``, ``analysed``, ``closed``. Pure.

An incident is mitigated when the routers have turned, every wave of validation passed and no step
of the rollback has stopped it, and analysed when people have written what they found. It goes back
to ``open`` when a wave fails, or a step.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, fields, replace
from typing import Any, Literal

from switchover.errors import IllegalTransition
from switchover.machine import event as e
from switchover.machine.event_base import Event

IncidentState = Literal["open", "mitigated", "analysed", "closed"]

#: What people have to write before an incident counts as analysed.
SECTIONS = ("root_cause", "impact", "actions", "prevention")


@dataclass(frozen=True, slots=True)
class Tick:
    """A person's word that a criterion is met."""

    criterion: str
    by: str
    at: float
    note: str = ""


@dataclass(frozen=True, slots=True)
class Inquiry:
    """One incident as it stands.

    ``criteria`` are what another attempt is refused without, by id and text; ``waves`` those of the
    validation that have to pass, ``passed`` and ``failing`` those that did and did not. ``harm``
    says that the candidate goes on to serve, past the point of no return. ``turned`` is False
    until every live router is known to route to legacy. ``mitigated_by`` is a person's word.
    ``frozen`` is the step at which the rollback waits for people.
    ``changes`` counts what people, the steps and the validation have said.
    """

    id: str
    at: float
    criteria: tuple[tuple[str, str], ...] = ()
    waves: tuple[str, ...] = ()
    harm: bool = False
    turned: bool = False
    passed: tuple[str, ...] = ()
    failing: tuple[str, ...] = ()
    mitigated_by: str = ""
    acknowledged_by: str = ""
    written: tuple[str, ...] = ()
    ticks: tuple[Tick, ...] = ()
    closed_by: str = ""
    frozen: str = ""
    changes: int = 0

    @classmethod
    def from_dict(cls, document: Mapping[str, Any]) -> Inquiry:
        """Read what :func:`dataclasses.asdict` made of it."""
        known = {item.name for item in fields(cls)}
        parts = {name: value for name, value in document.items() if name in known}
        for name in ("waves", "passed", "failing", "written"):
            parts[name] = tuple(parts.get(name, ()))
        parts["criteria"] = tuple((name, text) for name, text in parts.get("criteria", ()))
        parts["ticks"] = tuple(Tick(**tick) for tick in parts.get("ticks", ()))
        return cls(**parts)

    @property
    def mitigated(self) -> bool:
        """Whether the harm is known to have ended."""
        if self.failing or self.frozen:
            return False
        return bool(self.mitigated_by) or (self.turned and not self.awaited)

    @property
    def awaited(self) -> tuple[str, ...]:
        """Waves of the validation that have not passed."""
        return tuple(wave for wave in self.waves if wave not in self.passed)

    @property
    def unwritten(self) -> tuple[str, ...]:
        """Sections that nobody has filled in."""
        return tuple(section for section in SECTIONS if section not in self.written)

    @property
    def unticked(self) -> dict[str, str]:
        """Criteria that nobody has ticked, with their texts."""
        done = {tick.criterion for tick in self.ticks}
        return {name: text for name, text in self.criteria if name not in done}

    @property
    def state(self) -> IncidentState:
        """How far it has come."""
        if self.closed_by:
            return "closed"
        if not self.mitigated:
            return "open"
        return "mitigated" if self.unwritten else "analysed"

    @property
    def critical(self) -> bool:
        """True while harm may go on: a wave fails, a step needs people, or it is not known that
        the routers turned."""
        return not self.closed_by and not self.mitigated

    def open_points(self) -> tuple[str, ...]:
        """What is missing before another attempt may begin, in words; empty for nothing."""
        points = []
        if self.frozen:
            points.append(f"the rollback stopped at its step {self.frozen}, which needs people")
        if self.failing:
            points.append(f"validation fails: {', '.join(self.failing)}")
        elif not self.mitigated and not self.frozen:
            waves = f"validation waves to come: {', '.join(self.awaited)}"
            missing = waves if self.turned else "routers have not turned"
            points.append(f"not mitigated yet; {missing}")
        if self.unwritten:
            names = ", ".join(section.replace("_", " ") for section in self.unwritten)
            points.append(f"the analysis lacks {names}")
        if self.unticked:
            points.append(f"criteria not ticked: {', '.join(self.unticked)}")
        return tuple(points)


def inquiry_of(inquiries: Iterable[Inquiry], incident: str) -> Inquiry | None:
    """The one with this id."""
    return next((each for each in inquiries if each.id == incident), None)


def follow(inquiries: tuple[Inquiry, ...], event: Event) -> tuple[Inquiry, ...]:
    """The inquiries after ``event``; raises ``IllegalTransition`` for what is not possible.

    Incidents of older versions, which wrote no criteria down, open none. Closed ones are
    forgotten when the next attempt begins.
    """
    match event:
        case e.RolledBack(criteria=list()) | e.Stranded(criteria=list()):
            return (*_overtaken(inquiries, event), _opened(event))
        case e.RolledBack():
            return _overtaken(inquiries, event)
        case e.ComponentRolledBack():
            return (*inquiries, Inquiry(event.incident, event.at))
        case e.Started():
            return tuple(replace(each, frozen="") for each in inquiries if not each.closed_by)
        case e.Judged() if event.verdict != "rollback":
            return _calmed(inquiries)
        case e.RollbackMeasured() if event.complete:
            return tuple(
                replace(each, turned=True) if each.id == event.incident else each
                for each in inquiries
            )
        case e.IncidentAcknowledged() | e.IncidentUpdated() | e.IncidentClosed():
            return _with(inquiries, _told(find_inquiry(inquiries, event.incident), event))
        case e.CriterionTicked() | e.CriterionUnticked():
            return _with(inquiries, _ticked(find_inquiry(inquiries, event.incident), event))
        case e.WaveValidated():
            return _validated(inquiries, event)
        case e.RollbackStepBegun() | e.RollbackStepDone():
            return _stepped(inquiries, event)
        case e.RollbackEscalated() | e.RollbackFrozen():
            return _stopped(inquiries, event)
    return inquiries


def _opened(event: e.RolledBack | e.Stranded) -> Inquiry:
    criteria = tuple((each["id"], each["text"]) for each in event.criteria or ())
    waves = tuple(event.waves) if isinstance(event, e.RolledBack) else ()
    return Inquiry(
        event.incident, event.at, criteria, waves,
        harm=isinstance(event, e.Stranded),
    )  # fmt: skip


def _calmed(inquiries: tuple[Inquiry, ...]) -> tuple[Inquiry, ...]:
    """What failed past the point of no return is over when the evidence is good again, or when
    somebody insisted on a rollback, which is an incident of its own."""
    return tuple(replace(each, turned=True) if each.harm else each for each in inquiries)


def _overtaken(
    inquiries: tuple[Inquiry, ...], event: e.RolledBack | e.Stranded
) -> tuple[Inquiry, ...]:
    """Steps of one component wait for nobody any more once all of the migration went back."""
    calmed = _calmed(inquiries)
    if isinstance(event, e.Stranded):
        return calmed
    return tuple(replace(each, frozen="") for each in calmed)


def _validated(inquiries: tuple[Inquiry, ...], event: e.WaveValidated) -> tuple[Inquiry, ...]:
    found = find_inquiry(inquiries, event.incident)
    if event.wave not in found.waves:
        raise _refuse(found, f"it has no wave {event.wave}")
    if event.wave in found.passed or (event.wave in found.failing and not event.ok):
        raise _refuse(found, f"wave {event.wave} is on record already")
    passed = tuple(wave for wave in found.passed if wave != event.wave)
    failing = tuple(wave for wave in found.failing if wave != event.wave)
    if event.ok:
        good = replace(found, passed=(*passed, event.wave), failing=failing)
        return _with(inquiries, good)
    # Whoever gave their word did so before this wave failed.
    bad = replace(found, passed=passed, failing=(*failing, event.wave), mitigated_by="")
    return _with(inquiries, bad)


def _stepped(
    inquiries: tuple[Inquiry, ...], event: e.RollbackStepBegun | e.RollbackStepDone
) -> tuple[Inquiry, ...]:
    """A step goes on, or a person has settled it: the rollback is stopped no longer."""
    found = inquiry_of(inquiries, event.incident)
    # What began before the rollback stopped may end later, and mends nothing.
    goes_on = isinstance(event, e.RollbackStepBegun) or event.outcome == "settled"
    if found is None:
        return inquiries
    return _with(inquiries, replace(found, frozen="") if goes_on and not event.reverse else found)


def _stopped(
    inquiries: tuple[Inquiry, ...], event: e.RollbackEscalated | e.RollbackFrozen
) -> tuple[Inquiry, ...]:
    found = inquiry_of(inquiries, event.incident)
    if found is None:
        return inquiries
    if isinstance(event, e.RollbackEscalated):
        return _with(inquiries, replace(found, frozen=""))
    # Whoever gave their word did so before this step failed.
    return _with(inquiries, replace(found, frozen=event.step, mitigated_by=""))


def _told(
    inquiry: Inquiry, event: e.IncidentAcknowledged | e.IncidentUpdated | e.IncidentClosed
) -> Inquiry:
    if isinstance(event, e.IncidentAcknowledged):
        if inquiry.acknowledged_by:
            raise _refuse(inquiry, f"{inquiry.acknowledged_by} has acknowledged it before")
        return replace(inquiry, acknowledged_by=event.actor)
    if isinstance(event, e.IncidentClosed):
        if inquiry.closed_by:
            raise _refuse(inquiry, f"{inquiry.closed_by} has closed it before")
        if inquiry.state != "analysed":
            points = "; ".join(replace(inquiry, criteria=()).open_points())
            raise _refuse(inquiry, f"it can't be closed: {points}")
        return replace(inquiry, closed_by=event.actor)
    if event.mitigated and inquiry.failing:
        raise _refuse(inquiry, f"validation fails: {', '.join(inquiry.failing)}")
    if event.mitigated and inquiry.frozen:
        raise _refuse(inquiry, f"its step {inquiry.frozen} needs people: repeat or settle it")
    new = {name for name in SECTIONS if getattr(event, name)}
    return replace(
        inquiry,
        written=tuple(name for name in SECTIONS if name in new or name in inquiry.written),
        mitigated_by=event.actor if event.mitigated else inquiry.mitigated_by,
    )


def _ticked(inquiry: Inquiry, event: e.CriterionTicked | e.CriterionUnticked) -> Inquiry:
    others = tuple(tick for tick in inquiry.ticks if tick.criterion != event.criterion)
    names = [name for name, _ in inquiry.criteria]
    if event.criterion not in names:
        known = ", ".join(names) or "none"
        raise _refuse(inquiry, f"it has no criterion {event.criterion!r}, but {known}")
    before = len(others) < len(inquiry.ticks)
    if isinstance(event, e.CriterionUnticked):
        if not before:
            raise _refuse(inquiry, f"{event.criterion} is not ticked")
        return replace(inquiry, ticks=others)
    if before:
        raise _refuse(inquiry, f"{event.criterion} is ticked already")
    tick = Tick(event.criterion, event.actor, event.at, event.note)
    return replace(inquiry, ticks=(*others, tick))


def find_inquiry(inquiries: tuple[Inquiry, ...], incident: str) -> Inquiry:
    """The one with this id; raises ``IllegalTransition`` where nothing can be done about it."""
    found = inquiry_of(inquiries, incident)
    if found is None:
        raise IllegalTransition(
            f"incident {incident} can't be changed any more: it was closed, and another attempt "
            "has begun; or an older version recorded it"
        )
    return found


def _with(inquiries: tuple[Inquiry, ...], inquiry: Inquiry) -> tuple[Inquiry, ...]:
    said = replace(inquiry, changes=inquiry.changes + 1)
    return tuple(said if each.id == inquiry.id else each for each in inquiries)


def _refuse(inquiry: Inquiry, why: str) -> IllegalTransition:
    return IllegalTransition(f"incident {inquiry.id} is {inquiry.state}; {why}")
