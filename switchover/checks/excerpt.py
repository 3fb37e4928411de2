"""The beginning of an answer, fit for the record: one line, without secrets."""

from __future__ import annotations

from collections.abc import Mapping

from switchover.checks.redaction import redact as without_values
from switchover.incidents.redaction import redact

#: Bytes that are looked at for each character that is kept.
_AHEAD = 4


def excerpt(body: bytes, environ: Mapping[str, str], length: int) -> str:
    """At most ``length`` characters of ``body``, without the secrets of ``environ`` and without
    what looks like one."""
    text = " ".join(body[: _AHEAD * length].decode(errors="replace").split())
    # Cut last: half a secret would not be known as one.
    return redact(without_values(text, environ))[:length]
