"""Whether a request comes from Slack: its signature, its age, and that it comes once."""

from __future__ import annotations

import hashlib
import hmac
import re
import threading
import time
from collections.abc import Callable

from switchover.errors import NotAuthorised

#: Seconds that a request may be old, or ahead of our clock.
WINDOW = 300

_TIMESTAMP = re.compile(r"[0-9]{1,12}")


def sign(secret: str, timestamp: str, body: bytes) -> str:
    """The signature of version 0: https://docs.slack.dev/authentication/verifying-requests-from-slack"""
    signed = b"v0:" + timestamp.encode() + b":" + body
    return "v0=" + hmac.new(secret.encode(), signed, hashlib.sha256).hexdigest()


class SlackSignatures:
    """Verifies requests under the app's signing ``secret``, and refuses those it has seen."""

    def __init__(self, secret: str, now: Callable[[], float] = time.time) -> None:
        self._secret, self._now = secret, now
        self._seen: dict[str, float] = {}
        self._lock = threading.Lock()

    def verify(self, timestamp: str, signature: str, body: bytes) -> None:
        """Return for a request of Slack's that is new; ``NotAuthorised`` for any other."""
        expected = sign(self._secret, timestamp, body)
        # Bytes: comparing text raises for what is not ASCII. And compared before the age is
        # looked at, so that no answer tells anything about requests that are not Slack's.
        if not hmac.compare_digest(expected.encode(), signature.encode("utf-8", "replace")):
            raise NotAuthorised(
                "the signature is not Slack's; SWITCHOVER_SLACK_SIGNING_SECRET has to be the "
                "app's signing secret"
            )
        now = self._now()
        if not _TIMESTAMP.fullmatch(timestamp) or abs(now - int(timestamp)) > WINDOW:
            raise NotAuthorised("the request is older than five minutes; check the clock")
        with self._lock:
            # A request that is too old is refused by its age, so it need not be remembered.
            self._seen = {seen: at for seen, at in self._seen.items() if now - at <= 2 * WINDOW}
            if signature in self._seen:
                raise NotAuthorised("this request was here before; click again")
            self._seen[signature] = now
