"""Sticky buckets: which of 10 000 places a key falls into. Pure, and the same everywhere.

A key is served by the candidate while its bucket is below the split, so raising the split
only ever moves keys from legacy to candidate. The hash is XXH3 (64 bits) over
``salt:key``. Taking it modulo 10 000 favours the low buckets by at most one part in
2^64 / 10 000, about 10^-15: far below what any sample could show.
"""

from __future__ import annotations

from operator import index

from xxhash import xxh3_64_intdigest

from switchover.machine.split import FULL

#: What a request may be identified by.
Key = str | int | bytes


def key_bytes(key: object) -> bytes:
    """The bytes that are hashed: text as UTF-8, bytes as they are, the rest by ``str``."""
    if isinstance(key, bytes):
        return key
    try:
        text = str(key)
    except ValueError:
        # Python spells no integer of more than 4 300 digits in decimal.
        text = hex(index(key))  # type: ignore[arg-type]
    # surrogatepass: a lone surrogate from a broken client is still a key, not an error.
    return text.encode("utf-8", "surrogatepass")


def salted(salt: str) -> bytes:
    """What stands before the key in the hash."""
    return f"{salt}:".encode("utf-8", "surrogatepass")


def bucket(salt: str, key: Key) -> int:
    """The bucket of ``key``, 0 to 9 999; different salts give independent buckets."""
    return xxh3_64_intdigest(salted(salt) + key_bytes(key)) % FULL


def integer_bucket(key: int) -> int:
    """The bucket of an integer key, such that ``key mod 100 < percent`` holds exactly.

    Whole percentages are exact; a fraction of a percent acts as the next whole one.
    """
    return key % 100 * 100


def as_integer(key: object) -> int:
    """The integer a key stands for (``42``, ``"42"``); ``ValueError`` when it is none."""
    if type(key) is int:
        return key
    if isinstance(key, str | bytes):
        return int(key)
    try:
        return index(key)  # type: ignore[arg-type]
    except TypeError as error:
        raise ValueError(f"{key!r} is not an integer key") from error
