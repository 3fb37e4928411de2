"""Canonical JSON: one text for one value, so that a hash of it means something. Pure."""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Mapping
from typing import Any


def canonical(value: Any) -> str:
    """ASCII JSON with sorted keys and no white space; the same on every machine.

    Keys become strings. JSON has no numbers for infinity and not-a-number: they are
    written as the strings ``"inf"``, ``"-inf"`` and ``"nan"``. Raises ``TypeError`` for
    anything that is not JSON.
    """
    return json.dumps(finite(value), sort_keys=True, separators=(",", ":"), allow_nan=False)


def parse(text: str) -> Any:
    """Read JSON; raises ``ValueError`` for everything that is not, however deep it nests."""
    try:
        return json.loads(text)
    except RecursionError as error:
        raise ValueError("JSON that nests too deep") from error


def digest_of(value: Any) -> str:
    """SHA-256 of the canonical JSON, in hexadecimal."""
    return hashlib.sha256(canonical(value).encode("ascii")).hexdigest()


def finite(value: Any) -> Any:
    """``value`` as JSON can hold it: numbers that are not finite as the strings of `canonical`."""
    if isinstance(value, float) and not math.isfinite(value):
        return str(float(value))
    if isinstance(value, Mapping):
        # Keys are made strings before sorting: mixed kinds can't be compared.
        return {str(key): finite(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [finite(item) for item in value]
    return value
