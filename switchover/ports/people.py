"""The people who may approve, and the personal codes by which they prove who they are."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Protocol


@dataclass(frozen=True, slots=True)
class Approver:
    """A person with a code. ``failures`` counts wrong codes since the last right one, the last
    of them at ``failed_at``; until ``locked_until`` no code is looked at."""

    name: str
    created_at: datetime
    slack_user: str = ""
    revoked_at: datetime | None = None
    failures: int = 0
    failed_at: datetime | None = None
    locked_until: datetime | None = None


class Approvers(Protocol):
    """The register of approvers; of a code it keeps a slow, salted hash only.

    Every method raises ``DependencyUnavailable`` when the register can't be reached.
    """

    def issue(self, name: str, slack_user: str = "") -> str:
        """A new code for ``name``, shown this once; an older one, a lock and a revocation end.
        ``slack_user`` is the person's member id in Slack; without one, a known id stays.
        Raises ``InputError`` for a name that can't be written into a form or HTTP Basic, and
        for a Slack user who is another approver."""

    def revoke(self, name: str) -> None:
        """From now on neither code nor Slack user proves anything; raises ``InputError`` for a
        name that has no code. Revoking again changes nothing."""

    def verify(self, name: str, code: str) -> None:
        """Return if ``code`` is that of ``name``; raises ``WrongCode`` (a ``NotAuthorised``)
        otherwise, and while the name is locked: each failure counts before the code is
        compared, and after several each locks for twice as long."""

    def by_slack(self, user: str) -> str | None:
        """The name of a Slack user; None when nobody, or a revoked one, has this id."""

    def list(self) -> tuple[Approver, ...]:
        """All who ever had a code, by name."""
