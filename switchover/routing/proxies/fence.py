"""What a proxy remembers of the last document, and which newer one it takes."""

from __future__ import annotations

from typing import NamedTuple, Self

from switchover.errors import StaleEpoch
from switchover.machine.snapshot import FULL, Snapshot


class Standing(NamedTuple):
    """What a proxy follows: the epoch of its document, and the split in basis points."""

    epoch: int
    split: int

    @classmethod
    def of(cls, snapshot: Snapshot) -> Self:
        """What ``snapshot`` asks of a proxy. Shadow calls are not a proxy's business, so
        ``parallel`` is all legacy."""
        if snapshot.mode == "candidate_only":
            return cls(snapshot.epoch, FULL)
        return cls(snapshot.epoch, snapshot.split if snapshot.mode == "gradual" else 0)

    @classmethod
    def parse(cls, text: str) -> Self | None:
        """Read ``str(standing)``; None for anything else."""
        epoch, _, split = text.strip().partition(" ")
        if not (epoch.isdecimal() and split.isdecimal() and int(split) <= FULL):
            return None
        return cls(int(epoch), int(split))

    def __str__(self) -> str:
        return f"{self.epoch} {self.split}"

    @property
    def share(self) -> float:
        """The candidate's share, 0 to 1."""
        return self.split / FULL


def fence(migration: str, wanted: Standing, held: Standing | None, place: str) -> None:
    """Raise ``StaleEpoch`` unless the proxy at ``place``, which holds ``held``, may take
    ``wanted``: a newer epoch, or what it holds already."""
    if held is None or wanted.epoch > held.epoch or wanted == held:
        return
    raise StaleEpoch(migration, wanted.epoch, held.epoch, f"{place} splits {held.share:.2%}")
