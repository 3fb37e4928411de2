"""What a proxy remembers of the last document, and which newer one it takes."""

from __future__ import annotations

from typing import NamedTuple, Self

from switchover.errors import StaleEpoch
from switchover.machine.snapshot import Snapshot
from switchover.machine.split import FULL


class Standing(NamedTuple):
    """What a proxy follows: the epoch of its document, and the split in basis points.

    ``lapse`` counts how often its follower took the proxy to legacy under this epoch for want
    of Redis, and back: odd while it is there. It only grows, so that nobody who read the
    document before undoes that.
    """

    epoch: int
    split: int
    lapse: int = 0

    @classmethod
    def of(cls, snapshot: Snapshot) -> Self:
        """What ``snapshot`` asks of a proxy. A changed flag asks nothing, and so keeps the epoch
        of the last change of who serves."""
        return cls(snapshot.turned or snapshot.epoch, snapshot.served)

    @classmethod
    def parse(cls, text: str) -> Self | None:
        """Read ``str(standing)``; None for anything else."""
        place, _, split = text.strip().partition(" ")
        epoch, _, lapse = place.partition(".")
        numbers = (epoch, split, lapse or "0")
        if not all(map(str.isdecimal, numbers)) or int(split) > FULL:
            return None
        return cls(*map(int, numbers))

    def __str__(self) -> str:
        return f"{self.epoch}{f'.{self.lapse}' if self.lapse else ''} {self.split}"

    @property
    def lapsed(self) -> bool:
        """True while the proxy is on legacy because its follower lost Redis."""
        return self.lapse % 2 == 1

    @property
    def share(self) -> float:
        """The candidate's share, 0 to 1."""
        return self.split / FULL


def fence(
    migration: str, wanted: Standing, held: Standing | None, place: str, *, lift: bool = False
) -> Standing:
    """What the proxy at ``place``, which holds ``held``, is to hold for ``wanted``.

    That is a newer epoch, or what it holds already; with ``lift`` also the same epoch that
    lapsed. ``StaleEpoch`` for anything else.
    """
    if held is None or wanted.epoch > held.epoch:
        return wanted
    if wanted.epoch == held.epoch:
        if held.lapsed and lift:
            return wanted._replace(lapse=held.lapse + 1)
        if not held.lapsed and wanted.split == held.split:
            return held
    does = f"{place} splits {held.share:.2%}"
    if held.lapsed:
        does = f"{place} is on legacy until its follower reaches Redis again"
    raise StaleEpoch(migration, wanted.epoch, held.epoch, does)


def lapse(held: Standing | None) -> Standing | None:
    """What a proxy is to hold that goes to legacy for want of Redis; None if it never split."""
    if held is None or held.split == 0:
        return held
    return Standing(held.epoch, 0, held.lapse + 1)
