"""Who may approve a step, how many have to, and what follows when nobody does."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable
from typing import Annotated, Literal

from pydantic import Field

from switchover.plan.form import Model
from switchover.plan.units import Seconds


class Approvals(Model):
    """Who may approve, how many must, and what happens when nobody does."""

    approvers: list[str] = Field([], description="names of those who may")
    roles: dict[str, list[str]] = Field(
        {}, description="role: names of those who have it; they may approve, too"
    )
    min_approvers: int = Field(1, ge=1, description="so many different people must approve")
    require: dict[str, Annotated[int, Field(ge=1)]] = Field(
        {}, description="role: how many who have it must be among them"
    )
    identity: Literal["trusted", "code"] = Field(
        "trusted",
        description="trusted: an approver is the name they give; code: they prove it by their "
        "personal approval code",
    )
    four_eyes: bool = Field(True, description="who started the migration can't approve it")
    expires: Seconds = Field(259200.0, description="a request waits so long")
    evidence_max_age: Seconds = Field(
        86400.0, description="evidence older than this is shown anew, and asked about again"
    )
    on_expiry: Literal["hold", "rollback", "abort"] = Field("hold", description="and then")

    @property
    def people(self) -> tuple[str, ...]:
        """All who may approve, by name or by role, each once."""
        members = (name for role in self.roles.values() for name in role)
        return tuple(dict.fromkeys([*self.approvers, *members]))

    def roles_of(self, name: str) -> tuple[str, ...]:
        """The roles of a person."""
        return tuple(role for role, members in self.roles.items() if name in members)

    def barred(self, starter: str) -> str:
        """Who of these people may not approve what ``starter`` started, whichever way that name
        was written then; empty for nobody."""
        if not self.four_eyes:
            return ""
        wanted = plain_name(starter)
        return next((name for name in self.people if plain_name(name) == wanted), "")

    def missing(self, voters: Iterable[str], barred: str = "") -> tuple[str, ...]:
        """What the quorum lacks after the approvals of ``voters``, in words; empty when it is
        complete. Nobody counts twice, a person with two roles counts in each, and ``barred``
        may not approve."""
        given = set(voters).intersection(self.people)
        lacking, by_role = [], 0
        for role, count in self.require.items():
            members = self.roles.get(role, [])
            short = count - len(given.intersection(members))
            if short > 0:
                lacking.append(f"{short} of {role} ({self._left(members, given, barred)})")
                by_role += short
        short = self.min_approvers - len(given) - by_role
        if short > 0:
            lacking.append(f"{short} more of {self._left(self.people, given, barred)}")
        return tuple(lacking)

    @staticmethod
    def _left(members: Iterable[str], given: set[str], barred: str) -> str:
        left = [name for name in dict.fromkeys(members) if name not in given and name != barred]
        return ", ".join(left) or "nobody who is left"


def plain_name(name: str) -> str:
    """What is left of a name without upper case, extra spaces and other ways to write a letter:
    two that agree in this are one person."""
    return " ".join(unicodedata.normalize("NFKC", name).casefold().split())
