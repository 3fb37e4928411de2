"""Who is asking: HTTP Basic with an approver's name and personal code."""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import logging
import secrets
import threading
from math import ceil
from typing import Annotated

from fastapi import Depends, HTTPException, Request
from fastapi.openapi.models import HTTPBase as HTTPBaseModel
from fastapi.security import HTTPBasicCredentials
from fastapi.security.base import SecurityBase

from switchover.api.envelope import address_of
from switchover.api.problem import CHALLENGE
from switchover.api.rate import RateLimit
from switchover.errors import DependencyUnavailable, NoLedger, WrongCode
from switchover.ports import Approvers

_log = logging.getLogger("switchover.api")

#: Wrong codes that an address may send at once and per minute; a name is locked by its register.
_FAILURES, _FAILURES_PER_MINUTE = 10, 10
#: Writing requests that an address may send at once and per minute. A rollback is never counted.
_POSTS, _POSTS_PER_MINUTE = 30, 30


class _Basic(SecurityBase):
    """HTTP Basic that reads names beyond ASCII too, as RFC 7617 has it, and that leaves the
    refusal to `Gate`."""

    model = HTTPBaseModel(scheme="basic", description="An approver's name and personal code.")
    scheme_name = "approver"

    async def __call__(self, request: Request) -> HTTPBasicCredentials | None:
        """The name and code that were sent; None without any."""
        scheme, _, encoded = request.headers.get("authorization", "").partition(" ")
        if scheme.lower() != "basic":
            return None
        try:
            name, colon, code = base64.b64decode(encoded, validate=True).decode().partition(":")
        except (binascii.Error, UnicodeDecodeError):
            return None
        return HTTPBasicCredentials(username=name, password=code) if colon and name else None


Sent = Annotated[
    HTTPBasicCredentials | None,
    Depends(_Basic()),
]


class Gate:
    """Admits people by the register of approvers.

    Whoever was admitted once can still order a rollback while the register is out of reach, or
    while wrong guesses of others keep the name locked: this process remembers a digest under a
    key of its own, in memory only. A code that was revoked meanwhile is thus still good for that,
    and for nothing else.
    """

    def __init__(self, approvers: Approvers) -> None:
        self._approvers = approvers
        self._key = secrets.token_bytes(32)
        self._admitted: dict[str, bytes] = {}
        self._lock = threading.Lock()
        self.failures = RateLimit(_FAILURES, _FAILURES_PER_MINUTE)
        self.posts = RateLimit(_POSTS, _POSTS_PER_MINUTE)

    def admit(self, sent: HTTPBasicCredentials | None, address: str) -> str:
        """The person's name. Raises ``WrongCode``, 401 without a name, and 429 for an address
        that guesses too often."""
        if sent is None:
            raise HTTPException(401, "no name and code came with the request", CHALLENGE)
        known = self.remembers(sent)
        if not known:  # others' guesses, from behind the same proxy, keep out nobody known
            _slow_down(self.failures.wait(address))
        try:
            self._approvers.verify(sent.username, sent.password)
        except WrongCode as error:
            if error.compared or not known:
                self.failures.take(address)
                self._forget(sent)
            raise
        except NoLedger as error:
            raise HTTPException(401, "nobody has an approval code yet", CHALLENGE) from error
        except DependencyUnavailable as error:
            # Whoever asks may be anybody: no addresses.
            _log.warning("nobody can be identified: %s", error)
            raise nobody_identified() from error
        with self._lock:
            self._admitted[sent.username] = self._digest(sent)
        return sent.username

    def remembers(self, sent: HTTPBasicCredentials) -> bool:
        """Whether exactly this name and code were admitted by this process before."""
        with self._lock:
            known = self._admitted.get(sent.username, b"")
        return hmac.compare_digest(known, self._digest(sent))

    def _forget(self, sent: HTTPBasicCredentials) -> None:
        # Only what was admitted and is refused now, as after a revocation: by wrong guesses
        # nobody makes this process forget somebody else.
        if self.remembers(sent):
            with self._lock:
                self._admitted.pop(sent.username, None)

    def _digest(self, sent: HTTPBasicCredentials) -> bytes:
        told = f"{sent.username}:{sent.password}".encode()
        return hmac.digest(self._key, told, hashlib.sha256)


def nobody_identified() -> DependencyUnavailable:
    """The register of approvers does not answer."""
    return DependencyUnavailable(
        "database",
        "nobody can be identified without it; `switchover rollback M` on a host that reaches "
        "Redis works without a database",
    )


def _slow_down(wait: float) -> None:
    if wait > 0:
        headers = {"Retry-After": str(ceil(wait))}
        raise HTTPException(429, "too many requests from this address", headers)


def person(request: Request, sent: Sent) -> str:
    """The one who asks, by name; requests that write are counted before."""
    gate: Gate = request.app.state.gate
    address = address_of(request.scope)
    if request.method != "GET":
        _slow_down(gate.posts.take(address))
    return gate.admit(sent, address)


Person = Annotated[str, Depends(person)]
