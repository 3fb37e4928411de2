"""The id of the request at hand: taken from its header or made, in every log line and answer."""

from __future__ import annotations

import logging
import re
import uuid
from contextvars import ContextVar

HEADER = "x-request-id"

_FIT = re.compile(r"[A-Za-z0-9._-]{1,64}")
_current: ContextVar[str] = ContextVar("switchover_request_id", default="-")


def begin_request(given: str) -> str:
    """Take the caller's id where it is fit for a log, else make one."""
    chosen = given if _FIT.fullmatch(given) else uuid.uuid4().hex[:16]
    _current.set(chosen)
    return chosen


def request_id() -> str:
    """The id of the request at hand; ``-`` outside of one."""
    return _current.get()


class RequestIdFilter(logging.Filter):
    """Gives every log record the field ``request_id``."""

    def filter(self, record: logging.LogRecord) -> bool:
        record.request_id = request_id()
        return True
