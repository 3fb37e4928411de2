"""The leak check: no candidate-only field may reach a consumer that must not see it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from switchover.contracts.schema import json_path


def leaks(value: Any, forbidden: Sequence[str]) -> list[str]:
    """JSON paths of every forbidden field in an answer, at any depth, in document order.

    A forbidden ``name`` matches that key wherever it stands; ``outer.inner`` matches ``inner``
    directly under ``outer`` (list positions do not count). Case matters.
    """
    rules = [(name, tuple(name.split("."))) for name in forbidden]
    found = []
    # Path with indexes for people, keys alone for the rules; a stack, as answers may be deep.
    pending: list[tuple[tuple[str | int, ...], tuple[str, ...], Any]] = [((), (), value)]
    while pending:
        path, keys, item = pending.pop()
        if path and isinstance(path[-1], str) and _matches(keys, rules):
            found.append(json_path(path))
        if isinstance(item, dict):
            children = [((*path, key), (*keys, key), child) for key, child in item.items()]
            pending.extend(reversed(children))
        elif isinstance(item, list | tuple):
            rows = [((*path, index), keys, child) for index, child in enumerate(item)]
            pending.extend(reversed(rows))
    return found


def _matches(keys: tuple[str, ...], rules: Sequence[tuple[str, tuple[str, ...]]]) -> bool:
    return any(keys[-1] == name or keys[-len(parts) :] == parts for name, parts in rules)
