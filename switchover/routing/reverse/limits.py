"""How much and how long the proxy bears."""

from __future__ import annotations

from dataclasses import dataclass

from switchover.errors import InputError


@dataclass(frozen=True, slots=True)
class Limits:
    """Sizes in bytes, times in seconds.

    ``read`` is the longest silence of a system, before its answer and within it; an event
    stream may be silent for as long as it likes. ``client`` is the longest silence of a client
    within its body. ``pool`` is the wait for one of
    ``connections``. ``idle`` is how long an unused connection is kept.
    """

    body: int = 100 * 1024 * 1024
    headers: int = 32 * 1024
    connect: float = 2.0
    read: float = 60.0
    write: float = 30.0
    client: float = 30.0
    pool: float = 2.0
    connections: int = 200
    # Below what servers commonly keep, so that they do not close one that is being used.
    idle: float = 4.0

    def __post_init__(self) -> None:
        for name in self.__slots__:
            if getattr(self, name) <= 0:
                raise InputError(f"the limit {name} is {getattr(self, name)}; it has to be above 0")
