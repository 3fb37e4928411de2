"""The state of one migration: the fold of its ledger entries. Pure values."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field, fields
from enum import StrEnum
from typing import Any, Self

from switchover.machine.drill import Drill
from switchover.machine.inquiry import Inquiry
from switchover.machine.snapshot import Snapshot


class Phase(StrEnum):
    """Where a migration stands."""

    RUNNING = "running"
    AWAITING_APPROVAL = "awaiting_approval"
    HELD = "held"
    ROLLED_BACK = "rolled_back"
    ABORTED = "aborted"
    COMPLETE = "complete"


#: Phases that only a rollback or a new attempt can leave.
TERMINAL = frozenset({Phase.ROLLED_BACK, Phase.ABORTED, Phase.COMPLETE})

#: Phases in which legacy has everything, and from which another attempt starts.
RETRY = frozenset({Phase.ROLLED_BACK, Phase.ABORTED})

#: Alerts of RED triggers begin with this: the candidate is broken for as long as one is open.
RED_ALERT = "red "


class _Value:
    """A frozen dataclass that travels as JSON."""

    @classmethod
    def from_dict(cls, document: dict[str, Any]) -> Self:
        known = {item.name for item in fields(cls)}  # type: ignore[arg-type]
        return cls(**{k: v for k, v in document.items() if k in known})


@dataclass(frozen=True, slots=True)
class Vote(_Value):
    """One person's approval; ``identity`` says how they proved who they are."""

    approver: str
    at: float
    via: str = ""
    identity: str = ""
    reason: str = ""


@dataclass(frozen=True, slots=True)
class Approval(_Value):
    """A request for people's decision, bound to the evidence they were shown.

    ``status`` is ``pending``, ``approved``, ``rejected``, ``void`` or ``expired``; times are
    seconds since the Unix epoch. ``votes`` are the approvals given, in order; ``approver`` is
    who decided.
    """

    id: str
    stage: int
    evidence: str
    requested_at: float
    expires_at: float
    status: str = "pending"
    approver: str = ""
    reason: str = ""
    decided_at: float = 0.0
    votes: tuple[Vote, ...] = ()

    @classmethod
    def from_dict(cls, document: dict[str, Any]) -> Approval:
        votes = tuple(Vote.from_dict(vote) for vote in document.get("votes", ()))
        known = {item.name for item in fields(cls)}
        return cls(**{k: v for k, v in {**document, "votes": votes}.items() if k in known})

    @property
    def voters(self) -> tuple[str, ...]:
        """Who approved."""
        return tuple(vote.approver for vote in self.votes)

    def aged(self, now: float, most: float) -> str:
        """The sentence for evidence that people were shown more than ``most`` seconds ago."""
        if now - self.requested_at <= most:
            return ""
        return f"the evidence that people were shown is older than {most / 3600:g} h"


@dataclass(frozen=True, slots=True)
class Result(_Value):
    """The outcome of a stage's work or of a data check."""

    stage: int
    ok: bool
    at: float
    summary: str = ""


@dataclass(frozen=True, slots=True)
class Items(_Value):
    """What was last found about work items; ``order`` is the revision of an entry whose repairs
    are not all known to be made, or 0."""

    at: float
    disagreements: int
    digest: str = ""
    summary: str = ""
    order: int = 0


@dataclass(frozen=True, slots=True)
class Alert(_Value):
    """A target whose alert threshold is passed, by the system that did; ``at`` is when people
    were told."""

    target: str
    system: str
    at: float
    text: str = ""


@dataclass(frozen=True, slots=True)
class SignOff(_Value):
    """A person's word that an item of the checklist is done."""

    item: str
    by: str
    at: float
    note: str = ""


@dataclass(frozen=True, slots=True)
class State(_Value):
    """Everything a decision needs to know about one migration.

    ``revision`` counts ledger entries; ``epoch`` is the revision of the last entry that
    changed the routing document, ``turned`` of the last one that changed who serves.
    ``not_before`` ends the present stage's bake time, ``entered_by`` is who took the step into
    it. ``flags`` holds the definitions of the
    feature flags by name (see :class:`switchover.machine.flag.Flag`). ``drilled`` is when a
    rollback was last seen to reach every live router, ``drill`` the rehearsal under way.
    ``no_return`` says that the point of no return is passed; ``stranded`` is the stage in which
    the candidate failed since, -1 for none.
    ``inquiries`` are the incidents that nobody has closed, and those of this attempt.
    """

    migration: str
    revision: int = 0
    phase: Phase = Phase.RUNNING
    stage: int = 0
    mode: str = "legacy_only"
    split: int = 0
    shadow: int = 0
    epoch: int = 0
    turned: int = 0
    salt: str = ""
    key: str = "string"
    halt: str = ""
    attempt: int = 1
    started_by: str = ""
    entered_at: float = 0.0
    entered_by: str = ""
    not_before: float = 0.0
    approval: Approval | None = None
    work: Result | None = None
    data: Result | None = None
    verdict: str = ""
    reason: str = ""
    incident: str = ""
    items: Items | None = None
    flags: dict[str, dict[str, Any]] = field(default_factory=dict)
    alerts: tuple[Alert, ...] = ()
    sign_offs: tuple[SignOff, ...] = ()
    drilled: float = 0.0
    drill: Drill | None = None
    group: str = ""
    no_return: bool = False
    stranded: int = -1
    inquiries: tuple[Inquiry, ...] = ()

    def to_dict(self) -> dict[str, Any]:
        """Plain JSON; :meth:`from_dict` gives the same state back."""
        return asdict(self)

    @classmethod
    def from_dict(cls, document: dict[str, Any]) -> State:
        document = dict(document)
        document["phase"] = Phase(document["phase"])
        parts: dict[str, type[Approval | Result | Items | Drill]] = {
            "approval": Approval, "work": Result, "data": Result, "items": Items,
            "drill": Drill,
        }  # fmt: skip
        for name, kind in parts.items():
            if document.get(name) is not None:
                document[name] = kind.from_dict(document[name])
        document["alerts"] = tuple(Alert.from_dict(alert) for alert in document.get("alerts", ()))
        signed = document.get("sign_offs", ())
        document["sign_offs"] = tuple(SignOff.from_dict(each) for each in signed)
        inquiries = document.get("inquiries", ())
        document["inquiries"] = tuple(Inquiry.from_dict(each) for each in inquiries)
        known = {item.name for item in fields(cls)}
        return cls(**{k: v for k, v in document.items() if k in known})

    @property
    def candidate_flags(self) -> list[str]:
        """The feature flags that follow the split, and so go off with a rollback."""
        return sorted(name for name, flag in self.flags.items() if flag.get("follows_split"))

    def snapshot(self, agreement: dict[str, Any] | None = None) -> Snapshot:
        """The routing document that shows this state."""
        return Snapshot(
            migration=self.migration,
            epoch=self.epoch,
            mode=self.mode,
            split=self.split,
            shadow=self.shadow,
            salt=self.salt,
            key=self.key,
            agreement=agreement or {},
            halt=self.halt,
            turned=self.turned,
            flags=self.flags,
            no_return=self.no_return,
        )
