"""Claims in one process, with the contract of the real ones and a clock to turn."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from typing import Any

from switchover.routing.claims import Claims


class InMemoryClaims(Claims):
    """Claims for tests. ``advance`` lets time pass; ``clock`` gives seconds since the Unix epoch.

    Takes the options of :class:`switchover.routing.claims.Claims`.
    """

    def __init__(
        self,
        migration: str,
        lease: float = 30.0,
        *,
        clock: Callable[[], float] = time.time,
        **options: Any,
    ) -> None:
        super().__init__(migration, None, lease, **options)
        self._lock, self._clock, self._ahead = threading.Lock(), clock, 0.0
        self._items: dict[str, dict[str, str]] = {}
        self._forget_at: dict[str, int] = {}
        self._last_token = 0

    def _connect(self, redis_url: Any) -> None:
        """There is nothing to connect to."""

    def advance(self, seconds: float) -> None:
        """Let ``seconds`` pass for every lease and retention."""
        with self._lock:
            self._ahead += seconds

    def _run(self, item: str, verb: str, slot: str, *arguments: object) -> list[str]:
        with self._lock:
            now = int((self._clock() + self._ahead) * 1000)
            if self._forget_at.get(item, now + 1) <= now:
                del self._items[item], self._forget_at[item]
            stored = self._items.get(item, {})
            said = [str(argument) for argument in arguments]
            if verb == "read":
                flat = [part for entry in stored.items() for part in entry]
                return ["state", str(now), *flat]
            if verb == "claim":
                return self._claim(item, stored, slot, now, *said)
            step: Callable[..., list[str]] = getattr(self, f"_{verb}")
            return self._fence(stored, slot, said[0]) or step(item, slot, now, *said[1:])

    def _claim(
        self, item: str, stored: dict[str, str], slot: str, now: int, *said: str
    ) -> list[str]:
        owner, system, nonce, lease, retention = said
        status = stored.get(f"{slot}.status")
        if status == "done":
            return ["done"]
        if status == "held" and now < int(stored[f"{slot}.until"]):
            return ["held"]
        serving = stored.get("serve.status", "released") != "released"
        if slot == "shadow" and serving and stored["serve.system"] == system:
            return ["same_system"]
        self._last_token = max(self._last_token + 1, now * 1000)
        claimed = {
            "status": "held",
            "token": str(self._last_token),
            "owner": owner,
            "system": system,
            "nonce": nonce,
            "until": str(now + int(lease)),
        }
        self._put(item, slot, now + int(lease) + int(retention), **claimed)
        return ["claimed", claimed["token"], claimed["until"]]

    @staticmethod
    def _fence(stored: dict[str, str], slot: str, token: str) -> list[str]:
        """The refusal of a claim that is not the newest one; empty when it is."""
        newest = stored.get(f"{slot}.token")
        if newest is None:
            return ["void", "0", "unknown"]
        if newest != token:
            served = stored[f"{slot}.status"] == "done"
            return ["void", newest, "served" if served else "taken"]
        return []

    def _renew(self, item: str, slot: str, now: int, lease: str, retention: str) -> list[str]:
        stored = self._items[item]
        if (status := stored[f"{slot}.status"]) != "held":
            reason = "served" if status == "done" else "released"
            return ["void", stored[f"{slot}.token"], reason]
        until = now + int(lease)
        self._put(item, slot, until + int(retention), until=str(until))
        return ["renewed", str(until)]

    def _complete(self, item: str, slot: str, now: int, *said: str) -> list[str]:
        system, digest, result, failure, retention = said
        stored = self._items[item]
        status, token = stored[f"{slot}.status"], stored[f"{slot}.token"]
        if status == "released":
            return ["void", token, "released"]
        if status == "done":
            if (stored[f"{slot}.digest"], stored[f"{slot}.system"]) != (digest, system):
                return ["void", token, "different"]
            return ["completed", stored[f"{slot}.at"]]
        done = {"system": system, "digest": digest, "result": result, "failure": failure}
        self._put(item, slot, now + int(retention), status="done", at=str(now), **done)
        return ["completed", str(now)]

    def _release(self, item: str, slot: str, now: int) -> list[str]:
        if self._items[item][f"{slot}.status"] == "done":
            return ["released", "0"]
        self._items[item][f"{slot}.status"] = "released"
        return ["released", "1"]

    def _put(self, item: str, slot: str, forget_at: int, **fields: str) -> None:
        named = {f"{slot}.{name}": value for name, value in fields.items()}
        self._items.setdefault(item, {}).update(named)
        self._forget_at[item] = forget_at
