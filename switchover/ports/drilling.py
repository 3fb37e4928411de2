"""Rehearsing: a synthetic migration on the live routing, with routers and callers of its own."""

from __future__ import annotations

from contextlib import AbstractContextManager
from typing import Protocol

from switchover.ports.ledger import Ledger


class Rehearsal(Protocol):
    """One synthetic migration while it lasts."""

    @property
    def ledger(self) -> Ledger:
        """Its ledger, which is nobody else's and is thrown away."""

    @property
    def routers(self) -> int:
        """How many routers follow it."""

    def call(self) -> float:
        """Let callers come from now on; whatever the candidate answers them is recorded as bad.
        Gives the moment of the first bad answer, in seconds since the Unix epoch. Raises
        ``DependencyUnavailable`` when the routers send nobody to the candidate."""

    def spared(self) -> bool:
        """Whether the routers send nobody to the candidate any more."""


class Rehearsals(Protocol):
    """Where rehearsals take place."""

    def open(self, migration: str, slug: str, until: float) -> AbstractContextManager[Rehearsal]:
        """Make room for the synthetic migration ``slug`` of ``migration``, and leave nothing of it
        at the end. Also removes what rehearsals of ``migration`` left that were cut off; this one
        counts as such after ``until``."""
