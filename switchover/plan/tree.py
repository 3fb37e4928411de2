"""A plan file as a tree of values that remember where they were written."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

#: Where a value sits in the plan: keys and list positions from the root.
Path = tuple[str | int, ...]


@dataclass(frozen=True, slots=True)
class Mark:
    """A place in a file; line and column count from 1."""

    file: str
    line: int
    column: int


@dataclass(slots=True)
class Scalar:
    """A single value; ``text`` is how it was written, ``quoted`` whether in quotes."""

    mark: Mark
    value: str | int | float | bool | None
    text: str
    quoted: bool = False


@dataclass(slots=True)
class Sequence:
    """A list."""

    mark: Mark
    items: list[Node] = field(default_factory=list)


@dataclass(slots=True)
class Entry:
    """One key of a mapping with its value; ``mark`` is the key's."""

    mark: Mark
    value: Node


@dataclass(slots=True)
class Mapping:
    """Keys and values, in the order they were written."""

    mark: Mark
    entries: dict[str, Entry] = field(default_factory=dict)


Node = Scalar | Sequence | Mapping


def plain(node: Node) -> Any:
    """The JSON-able value of ``node``."""
    if isinstance(node, Mapping):
        return {key: plain(entry.value) for key, entry in node.entries.items()}
    if isinstance(node, Sequence):
        return [plain(item) for item in node.items]
    return node.value


def overlaid(base: Node, upper: Node) -> Node:
    """``base`` with ``upper`` on top: mappings merge key by key, anything else is replaced."""
    if not (isinstance(base, Mapping) and isinstance(upper, Mapping)):
        return upper
    entries = dict(base.entries)
    for key, entry in upper.entries.items():
        below = base.entries.get(key)
        value = overlaid(below.value, entry.value) if below else entry.value
        entries[key] = Entry(entry.mark, value)
    return Mapping(base.mark, entries)


def find(root: Node, path: Path) -> Node | None:
    """The node at ``path``, or none."""
    node: Node = root
    for step in path:
        if isinstance(node, Mapping) and isinstance(step, str) and step in node.entries:
            node = node.entries[step].value
        elif isinstance(node, Sequence) and isinstance(step, int) and step < len(node.items):
            node = node.items[step]
        else:
            return None
    return node


def place(root: Node, path: Path, key: bool = False) -> Mark:
    """Where ``path`` was written, or where the nearest mapping or list around it begins.
    With ``key`` the place of the key instead of its value."""
    if key and path and isinstance(path[-1], str):
        holder = find(root, path[:-1])
        if isinstance(holder, Mapping) and path[-1] in holder.entries:
            return holder.entries[path[-1]].mark
    for length in range(len(path), -1, -1):
        node = find(root, path[:length])
        if node is not None:
            return node.mark
    return root.mark


def scalars(node: Node, path: Path = ()) -> Iterator[tuple[Path, Scalar]]:
    """Every single value below ``node`` with its path."""
    if isinstance(node, Scalar):
        yield path, node
    elif isinstance(node, Sequence):
        for index, item in enumerate(node.items):
            yield from scalars(item, (*path, index))
    else:
        for key, entry in node.entries.items():
            yield from scalars(entry.value, (*path, key))


def dotted(path: Path) -> str:
    """``stages[3].percent``."""
    text = ""
    for step in path:
        text += f"[{step}]" if isinstance(step, int) else f".{step}" if text else step
    return text
