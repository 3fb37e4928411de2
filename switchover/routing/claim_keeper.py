"""Keeps the claims of long work alive, from one background thread."""

from __future__ import annotations

import logging
import os
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

from switchover.errors import DependencyUnavailable, InputError, StaleClaim
from switchover.routing.claim_state import Claim
from switchover.routing.claims import Claims

_log = logging.getLogger("switchover.claims")


class ClaimKeeper:
    """Renews what it is given every third of a lease, for ``longest`` seconds at most.

    After that a claim ends with its lease, so that work that hangs does not hold its item
    for ever. Work shorter than a third of the lease costs no command at all.
    """

    def __init__(self, claims: Claims, longest: float = 3_600.0) -> None:
        if longest <= 0:
            raise InputError(f"longest is {longest}; give a number of seconds above 0")
        self._claims, self._longest = claims, longest
        self._begin_afresh()

    def _begin_afresh(self) -> None:
        """A forked child has none of the parent's claims, nor its thread."""
        self._pid = os.getpid()
        self._lock = threading.Lock()
        self._held: dict[int, tuple[Claim, float]] = {}
        self._running = False

    @contextmanager
    def keeping(self, claim: Claim) -> Iterator[None]:
        """Keep ``claim`` alive while the block runs."""
        self.add(claim)
        try:
            yield
        finally:
            self.drop(claim)

    def add(self, claim: Claim) -> None:
        """Renew ``claim`` from now on."""
        if self._pid != os.getpid():
            self._begin_afresh()
        with self._lock:
            self._held[claim.token] = (claim, time.monotonic())
            if not self._running:
                self._running = True
                threading.Thread(target=self._run, name="switchover-claims", daemon=True).start()

    def drop(self, claim: Claim) -> None:
        """Renew ``claim`` no more; one that is not held is no error."""
        with self._lock:
            self._held.pop(claim.token, None)

    def _run(self) -> None:
        pause = self._claims.lease / 3
        while True:
            time.sleep(pause)
            with self._lock:
                if not self._held:
                    self._running = False
                    return
                now = time.monotonic()
                due = [(c, now - since) for c, since in self._held.values() if now - since >= pause]
            for claim, age in due:
                self._renew(claim, age)

    def _renew(self, claim: Claim, age: float) -> None:
        if age > self._longest:
            _log.warning("%s: not done after %.0f s; its claim ends", claim.item, age)
            self.drop(claim)
            return
        try:
            self._claims.renew(claim)
        except StaleClaim as error:
            # Completed meanwhile, or taken over: its owner learns that when it completes.
            _log.info("%s", error)
            self.drop(claim)
        except DependencyUnavailable as error:
            _log.warning("%s: the claim could not be renewed: %s", claim.item, error)
