"""Personal approval codes: how they are made, kept and compared, and when a name is locked."""

from __future__ import annotations

import base64
import hashlib
import hmac
import re
import secrets

from switchover.errors import InputError

#: Letters and digits that nobody takes for one another: 5 bits each.
_ALPHABET = "0123456789abcdefghjkmnpqrstvwxyz"
_GROUPS, _GROUP = 4, 5
#: scrypt's cost: 16 MiB and some 40 ms for each comparison.
_COST, _BLOCK, _PARALLEL = 2**14, 8, 1
#: So many wrong codes in a row go without a lock; the next locks for FIRST_LOCK seconds, each
#: further one for twice as long, at most LONGEST_LOCK.
FREE_FAILURES = 4
FIRST_LOCK, LONGEST_LOCK = 30.0, 3600.0

_NAME = re.compile(r"[^\s:](?:[^:\n\r\t]{0,78}[^\s:])?")
_SLACK_USER = re.compile(r"[UW][A-Z0-9]{2,20}")


def new_code() -> str:
    """A random code of 100 bits, in groups that can be read out and typed."""
    groups = ("".join(secrets.choice(_ALPHABET) for _ in range(_GROUP)) for _ in range(_GROUPS))
    return "-".join(groups)


def hash_code(code: str) -> str:
    """What is stored of a code: ``scrypt$n$r$p$salt$hash``."""
    salt = secrets.token_bytes(16)
    digest = _scrypt(code, salt, _COST, _BLOCK, _PARALLEL)
    return f"scrypt${_COST}${_BLOCK}${_PARALLEL}${_text(salt)}${_text(digest)}"


def same_code(code: str, stored: str) -> bool:
    """Whether ``stored`` is the hash of ``code``; takes as long for a wrong one. Upper case,
    spaces and hyphens make no difference."""
    _, cost, block, parallel, salt, digest = stored.split("$")
    given = _scrypt(code, _bytes(salt), int(cost), int(block), int(parallel))
    return hmac.compare_digest(given, _bytes(digest))


#: Compared with where there is no code, so that a name nobody has takes as long as any other.
NOBODY = "scrypt$16384$8$1$AAAAAAAAAAAAAAAAAAAAAA==$" + "A" * 43 + "="


def lock_after(failures: int) -> float:
    """For how many seconds so many wrong codes in a row lock a name; 0 for not at all."""
    over = failures - FREE_FAILURES
    return 0.0 if over <= 0 else min(LONGEST_LOCK, FIRST_LOCK * 2.0 ** min(over - 1, 30))


def check_name(name: str) -> str:
    """The name; raises ``InputError`` for one that no form and no HTTP Basic can carry."""
    if not _NAME.fullmatch(name) or not name.isprintable():
        raise InputError(
            f"{name!r} can't be an approver's name: 1 to 80 characters on one line, without a "
            "colon and without spaces at the ends"
        )
    return name


def check_slack_user(user: str) -> str:
    """The member id; raises ``InputError`` for what Slack never calls anybody."""
    if user and not _SLACK_USER.fullmatch(user):
        raise InputError(
            f"{user!r} is no member id of Slack, which look like U024BE7LH; "
            "in Slack it is in a person's profile under ⋮, Copy member ID"
        )
    return user


def _scrypt(code: str, salt: bytes, cost: int, block: int, parallel: int) -> bytes:
    typed = re.sub(r"[\s-]", "", code).lower().encode()
    return hashlib.scrypt(
        typed, salt=salt, n=cost, r=block, p=parallel, dklen=32, maxmem=64 * 1024 * 1024
    )


def _text(data: bytes) -> str:
    return base64.b64encode(data).decode("ascii")


def _bytes(text: str) -> bytes:
    return base64.b64decode(text)
