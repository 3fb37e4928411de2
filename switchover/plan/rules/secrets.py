"""A plan is read by many and kept in the ledger for ever, so it holds no secrets."""

from __future__ import annotations

import re
from collections.abc import Iterator

from switchover.plan.draft import Draft
from switchover.plan.rules.finding import Finding, rule
from switchover.plan.tree import scalars

_PASSWORD = re.compile(r"[a-z][a-z0-9+.-]*://[^/\s:@]*:[^/\s@]+@", re.IGNORECASE)
_SECRETS = (
    ("a Slack token", re.compile(r"\bxox[abeoprs]-[\w-]{8,}")),
    ("a Slack webhook", re.compile(r"hooks\.slack\.com/services/\w")),
    ("an AWS key", re.compile(r"\b(AKIA|ASIA)[A-Z0-9]{16}\b")),
    ("a GitHub token", re.compile(r"\b(gh[pousr]_\w{20,}|github_pat_\w{20,})")),
    ("a private key", re.compile(r"-----BEGIN [A-Z ]*PRIVATE KEY-----")),
    ("a JSON Web Token", re.compile(r"\beyJ[\w-]{8,}\.eyJ[\w-]{8,}\.")),
    ("a password", re.compile(r"(?i)(password|passwd|secret|api[_-]?key|token)=[^\s$&]{4,}")),
)


@rule()
def no_secrets(draft: Draft) -> Iterator[Finding]:
    """No value looks like a credential; the message never repeats it."""
    for path, scalar in scalars(draft.tree):
        if not isinstance(scalar.value, str):
            continue
        if _PASSWORD.search(scalar.value):
            advice = "take it out"
            if path[-1:] == ("database",):
                advice = "write env:NAME of a variable that holds the address"
            yield Finding(path, "this address contains a password", advice)
            continue
        for what, pattern in _SECRETS:
            if pattern.search(scalar.value):
                yield Finding(path, f"this looks like {what}",
                              "take it out, and hand it over by environment variable")  # fmt: skip
                break
