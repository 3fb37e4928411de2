"""A register of approvers in memory that keeps every promise of the real one but durability."""

from __future__ import annotations

import threading
from dataclasses import replace
from datetime import timedelta

from switchover.clock import Clock, SystemClock
from switchover.ledger.approval_code import (
    NOBODY,
    check_name,
    check_slack_user,
    hash_code,
    lock_after,
    new_code,
    same_code,
)
from switchover.ledger.refusal import has_no_code, is_taken, locked, wrong
from switchover.ports import Approver


class InMemoryApprovers:
    """The :class:`switchover.ports.Approvers` for tests; threads may share it."""

    def __init__(self, clock: Clock | None = None) -> None:
        self._clock = clock or SystemClock()
        self._lock = threading.RLock()
        self._held: dict[str, Approver] = {}
        self._codes: dict[str, str] = {}

    def issue(self, name: str, slack_user: str = "") -> str:
        """A new code; see :class:`switchover.ports.Approvers`."""
        check_name(name)
        check_slack_user(slack_user)
        code = new_code()
        with self._lock:
            taken = self.by_slack(slack_user)
            if taken not in (None, name):
                raise is_taken(slack_user, str(taken))
            known = self._held.get(name)
            user = slack_user or (known.slack_user if known else "")
            self._held[name] = Approver(name, self._clock.now(), user)
            self._codes[name] = hash_code(code)
        return code

    def revoke(self, name: str) -> None:
        """End a code and the Slack user's standing."""
        with self._lock:
            if name not in self._held:
                raise has_no_code(name)
            held = self._held[name]
            if held.revoked_at is None:
                self._held[name] = replace(held, revoked_at=self._clock.now(), slack_user="")

    def verify(self, name: str, code: str) -> None:
        """Compare; see :class:`switchover.ports.Approvers`."""
        now = self._clock.now()
        with self._lock:
            held = self._held.get(name)
            if held is None or held.revoked_at is not None:
                same_code(code, NOBODY)
                raise wrong(name)
            if held.locked_until is not None and held.locked_until > now:
                raise locked(name, held.failures, held.locked_until)
            if same_code(code, self._codes[name]):
                self._held[name] = replace(held, failures=0, failed_at=None, locked_until=None)
                return
            failures = held.failures + 1
            seconds = lock_after(failures)
            until = now + timedelta(seconds=seconds) if seconds else None
            self._held[name] = replace(held, failures=failures, failed_at=now, locked_until=until)
            raise wrong(name, failures, until)

    def by_slack(self, user: str) -> str | None:
        """The name of a Slack user."""
        with self._lock:
            standing = (a for a in self._held.values() if a.revoked_at is None)
            return next((a.name for a in standing if user and a.slack_user == user), None)

    def list(self) -> tuple[Approver, ...]:
        """All who ever had a code, by name."""
        with self._lock:
            return tuple(self._held[name] for name in sorted(self._held))
