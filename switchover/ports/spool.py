"""The spool: orders to roll back that Redis or the database could not take, kept on this host."""

from __future__ import annotations

import json
import math
from contextlib import AbstractContextManager
from dataclasses import asdict, dataclass
from typing import Protocol

from switchover.machine.propagation import Halt


@dataclass(frozen=True, slots=True)
class Order:
    """An order to roll ``migration`` back. ``halt.epoch`` is 0 where Redis never confirmed it;
    ``insist`` holds past the point of no return."""

    migration: str
    halt: Halt
    insist: bool = False

    def to_json(self) -> str:
        """One line of JSON; :meth:`from_json` gives it back."""
        return json.dumps(asdict(self))

    @classmethod
    def from_json(cls, text: str) -> Order:
        """Read :meth:`to_json`; raises ``ValueError`` on anything else."""
        try:
            document = json.loads(text)
            halt = Halt(**document["halt"])
            order = cls(document["migration"], halt, document["insist"] is True)
        except (TypeError, ValueError, KeyError) as error:
            raise ValueError(f"not an order to roll back: {error!r}") from error
        words = (order.migration, halt.id, halt.actor, halt.reason, halt.trigger)
        if not (all(isinstance(word, str) for word in words) and order.migration and halt.id):
            raise ValueError("not an order to roll back: a name is missing, or is no text")
        if type(halt.at) not in (int, float) or not math.isfinite(halt.at):
            raise ValueError(f"not an order to roll back: its time is {halt.at!r}")
        if type(halt.epoch) is not int or halt.epoch < 0:
            raise ValueError(f"not an order to roll back: its epoch is {halt.epoch!r}")
        return order


class Spool(Protocol):
    """Orders that wait; every process of a host that has the same state directory sees them."""

    def put(self, order: Order) -> str:
        """Keep ``order`` over a crash, in place of one with the same id; gives where. Raises
        ``DependencyUnavailable``."""

    def orders(self, migration: str = "") -> list[Order]:
        """Orders that wait, of one migration or of all, the oldest first."""

    def claim(self, order: Order) -> AbstractContextManager[bool]:
        """Whether this process may carry ``order`` out: it still waits, and nobody else does."""

    def remove(self, order: Order) -> None:
        """Forget ``order``; one that is gone already is no error. Raises
        ``DependencyUnavailable``."""

    def unreadable(self) -> list[str]:
        """What lies there and can't be read, in sentences."""
