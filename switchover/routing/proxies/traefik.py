"""Traefik through its Redis provider: a weighted service whose keys change in one transaction.

Traefik draws lots for each new visitor and keeps them by cookie; it can't split by the
request's key, and asks nobody about epochs, so the epoch lies beside its keys.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from switchover.connection import OnRedis, printable, reaching_redis, text
from switchover.errors import DependencyUnavailable, Refused
from switchover.machine.snapshot import Snapshot
from switchover.machine.split import FULL
from switchover.routing.proxies.fence import Standing, fence, lapse

_log = logging.getLogger("switchover.proxies")

#: How often a transaction is tried that others disturb.
_ATTEMPTS = 10


class TraefikSplit(OnRedis):
    """The weighted service ``service`` of Traefik, in the Redis at ``address`` under ``root``.

    ``legacy`` and ``candidate`` name its two services (``name@provider`` for those of another
    provider). ``cookie`` names the cookie that keeps a visitor on one side; empty for none.
    """

    def __init__(
        self, migration: str, address: Any, *, service: str, legacy: str, candidate: str,
        root: str = "traefik", cookie: str = "",
    ) -> None:  # fmt: skip
        super().__init__(address)
        self._migration, self._cookie = migration, cookie
        self._sides = ((0, legacy), (1, candidate))
        self._base = f"{root}/http/services/{service}/weighted"
        # Outside of ``root``: Traefik refuses keys that it does not know.
        self._memory = f"switchover:{{{migration}}}:proxy:{root}/{service}"
        place = f" in {printable(address)}" if isinstance(address, str) else ""
        self.name = f"Traefik service {service}{place}"

    def apply(self, snapshot: Snapshot, *, lift: bool = False) -> None:
        """Write the weights and the epoch in one transaction, fenced by the epoch beside them."""
        wanted = Standing.of(snapshot)
        with self._reaching():
            self._move(lambda held: fence(self._migration, wanted, held, self.name, lift=lift))
            self._warn_of_deafness()

    def fall_back(self) -> None:
        """Everything to legacy, under the epoch beside the weights."""
        with self._reaching():
            self._move(lapse)

    def read(self) -> float | None:
        """The share that Traefik's keys give the candidate; None when there are none."""
        with self._reaching():
            found = self._client.mget([self._weight(side) for side, _ in self._sides])
        weights = [text(value) for value in found if value is not None]
        if len(weights) < len(self._sides):
            return None
        if not all(weight.isdecimal() for weight in weights) or not sum(map(int, weights)):
            raise Refused(f"{self.name} has the weights {weights}; somebody else writes its keys")
        legacy, candidate = map(int, weights)
        return candidate / (legacy + candidate)

    @contextmanager
    def _reaching(self) -> Iterator[None]:
        """Name Traefik's Redis where it fails: it need not be the one of the routers."""
        try:
            with reaching_redis(self._address):
                yield
        except DependencyUnavailable as error:
            raise DependencyUnavailable(
                self.name, f"{error.__cause__ or error.detail}; check that its Redis runs"
            ) from error

    def _weight(self, side: int) -> str:
        return f"{self._base}/services/{side}/weight"

    def _keys(self, wanted: Standing) -> dict[str, str]:
        weights = (FULL - wanted.split, wanted.split)
        keys = {self._weight(side): str(weights[side]) for side, _ in self._sides}
        keys |= {f"{self._base}/services/{side}/name": name for side, name in self._sides}
        if self._cookie:
            keys[f"{self._base}/sticky/cookie/name"] = self._cookie
        return keys

    def _move(self, choose: Callable[[Standing | None], Standing | None]) -> None:
        """Bring the keys to what ``choose`` makes of what is remembered."""
        from redis.exceptions import WatchError

        names = sorted(self._keys(Standing(0, 0)))
        for _ in range(_ATTEMPTS):
            with self._client.pipeline(transaction=True) as transaction:
                transaction.watch(self._memory, *names)
                stored = transaction.get(self._memory)
                held = Standing.parse(text(stored)) if stored is not None else None
                wanted = choose(held)
                if wanted is None:
                    return
                keys = self._keys(wanted)
                present = [value and text(value) for value in transaction.mget(names)]
                if held == wanted and present == [keys[name] for name in names]:
                    return
                transaction.multi()
                transaction.mset({**keys, self._memory: str(wanted)})
                try:
                    transaction.execute()
                except WatchError:
                    continue
                return
        raise DependencyUnavailable(
            self.name, f"others changed its keys {_ATTEMPTS} times in a row"
        )

    def _warn_of_deafness(self) -> None:
        """Traefik learns of changes by keyspace notifications, which are off by default."""
        from redis.exceptions import ResponseError

        try:
            setting = self._client.config_get("notify-keyspace-events")
        except ResponseError:
            return  # managed servers keep CONFIG to themselves; then only their console knows
        if "K" not in text(next(iter(setting.values()), "K")):
            _log.warning(
                "%s: Redis has no keyspace notifications, so Traefik will not notice a change; "
                "set notify-keyspace-events to KEA", self.name,
            )  # fmt: skip
