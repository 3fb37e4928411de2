"""Read one YAML file to a tree with places, collecting every fault on the way.

The parser's events are put together here rather than by a YAML library's constructor: so
values are those of YAML's core schema and nothing else (no dates, no tags, no objects), a
duplicate key is found, and neither deep nesting nor a bomb of aliases can do harm.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path as File
from typing import Any

from ruamel.yaml import YAML
from ruamel.yaml.error import MarkedYAMLError, YAMLError
from ruamel.yaml.events import (
    AliasEvent,
    DocumentStartEvent,
    Event,
    MappingEndEvent,
    MappingStartEvent,
    NodeEvent,
    ScalarEvent,
    SequenceEndEvent,
    SequenceStartEvent,
)

from switchover.errors import Fault
from switchover.plan.syntax import described
from switchover.plan.tree import Entry, Mapping, Mark, Node, Path, Scalar, Sequence, dotted

MOST_BYTES = 1 << 20
_MOST_DEPTH = 40
#: Nodes of one document with all aliases written out; a plan of thousand lines has ~5,000.
_MOST_NODES = 100_000

_INTEGER = re.compile(r"[-+]?[0-9]+")
_FLOAT = re.compile(r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?")
_WORDS: dict[str, bool | None] = {
    "": None, "~": None, "null": None, "Null": None, "NULL": None,
    "true": True, "True": True, "TRUE": True, "false": False, "False": False, "FALSE": False,
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Reading:
    """What a file holds: ``tree`` is none where it can't be read at all."""

    tree: Mapping | None
    text: str
    faults: tuple[Fault, ...]


class _Stop(Exception):
    """Reading can't go on; the fault is noted already."""


def read(file: str | File) -> Reading:
    """The tree of a YAML file and all faults of its writing. Never raises for a bad file."""
    name = str(file)
    try:
        raw = _bytes(File(file))
        text = raw.decode("utf-8-sig")
    except _Unreadable as error:
        return Reading(None, "", (Fault(name, 0, 0, "", error.message, error.suggestion),))
    except UnicodeDecodeError as error:
        before = raw[: error.start]
        line, column = before.count(b"\n") + 1, error.start - before.rfind(b"\n")
        fault = Fault(name, line, column, "", "the file is not UTF-8 text",
                      "save it with the encoding UTF-8")  # fmt: skip
        return Reading(None, "", (fault,))
    builder = _Builder(name, text)
    tree = builder.build()
    return Reading(tree, text, tuple(builder.faults))


class _Unreadable(Exception):
    def __init__(self, message: str, suggestion: str) -> None:
        self.message, self.suggestion = message, suggestion
        super().__init__(message)


def _bytes(file: File) -> bytes:
    try:
        if file.is_dir():
            raise _Unreadable("this is a directory", "name the plan file in it")
        with file.open("rb") as stream:
            raw = stream.read(MOST_BYTES + 1)
    except FileNotFoundError:
        raise _Unreadable("there is no such file", "check the path") from None
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or str(error)
        raise _Unreadable(f"the file can't be read: {reason}", "check the path and its permissions") from None  # noqa: E501  # fmt: skip
    if len(raw) > MOST_BYTES:
        raise _Unreadable("the file is larger than 1 MiB", "a plan is text of some hundred lines")
    return raw


class _Builder:
    """Puts the events of one document together."""

    def __init__(self, file: str, text: str) -> None:
        self.file, self.text = file, text
        self.faults: list[Fault] = []
        self._lines = max(1, len(text.splitlines()))
        self._anchors: dict[str, tuple[Node, int] | None] = {}
        self._size = 0
        self._long_quote: tuple[Mark, int] | None = None

    def build(self) -> Mapping | None:
        try:
            tree = self._document()
        except MarkedYAMLError as error:
            line, column, message, advice = described(error, self.text)
            mark = Mark(self.file, min(line, self._lines), column)
            if self._long_quote and self._long_quote[1] == line:
                # A lost quote swallows the text up to the next one, and only there it hurts.
                mark = self._long_quote[0]
                message = f"the quoted text that begins here ends on line {line} only"
                advice = "close it with the same quote"
            self._fault(mark, (), message, advice)
            return None
        except YAMLError as error:
            # Characters YAML does not allow come without a mark, but with their position.
            position = getattr(error, "position", None)
            before = self.text[: position if isinstance(position, int) else 0]
            mark = Mark(self.file, before.count("\n") + 1, len(before) - before.rfind("\n"))
            self._fault(mark, (), "there is a character here that YAML does not allow",
                        "remove control characters")  # fmt: skip
            return None
        except (ValueError, AssertionError, IndexError, AttributeError, RecursionError) as error:
            # The parser trips over a few malformed files instead of refusing them.
            self._fault(Mark(self.file, 1, 1), (), f"this is not YAML ({type(error).__name__})",
                        "write keys and values, like examples/mood/plan.yaml")  # fmt: skip
            return None
        except _Stop:
            return None
        if isinstance(tree, Mapping):
            return tree
        if tree is None or (isinstance(tree, Scalar) and tree.value is None):
            self._fault(Mark(self.file, 1, 1), (), "the file is empty",
                        "write a plan, like examples/mood/plan.yaml")  # fmt: skip
        else:
            what = "a list" if isinstance(tree, Sequence) else "a single value"
            self._fault(tree.mark, (), f"a plan is keys and values, and this is {what}",
                        "begin with switchover: 1")  # fmt: skip
        return None

    def _document(self) -> Node | None:
        events: Iterator[Event] = iter(YAML(typ="safe", pure=True).parse(self.text))
        tree: Node | None = None
        for event in events:
            if isinstance(event, DocumentStartEvent):
                if tree is not None:
                    self._fault(self._mark(event), (), "a second document begins here",
                                "keep one plan per file and remove the ---")  # fmt: skip
                    raise _Stop
                tree = self._node(next(events), events, (), 0)
        return tree

    def _node(self, event: Any, events: Iterator[Event], path: Path, depth: int,
              empty: Mark | None = None) -> Node:  # fmt: skip
        mark = self._mark(event)
        if isinstance(event, AliasEvent):
            return self._alias(event, mark, path)
        self._count(1, mark)
        if depth > _MOST_DEPTH:
            self._fault(mark, (), f"values are nested more than {_MOST_DEPTH} deep",
                        "a plan needs six levels at most")  # fmt: skip
            raise _Stop
        anchor = event.anchor if isinstance(event, NodeEvent) else None
        before = self._size - 1
        if anchor:
            self._anchors[anchor] = None  # open: an alias to it from inside would be a circle
        self._tag(event, mark, path)
        node: Node
        if isinstance(event, SequenceStartEvent):
            node = Sequence(mark)
            while not isinstance(item := next(events), SequenceEndEvent):
                at = (*path, len(node.items))
                node.items.append(self._node(item, events, at, depth + 1))
        elif isinstance(event, MappingStartEvent):
            node = self._mapping(events, mark, path, depth)
        else:
            node = self._scalar(event, empty if empty and not event.value else mark, path)
        if anchor:
            self._anchors[anchor] = (node, self._size - before)
        return node

    def _mapping(self, events: Iterator[Event], mark: Mark, path: Path, depth: int) -> Mapping:
        node = Mapping(mark)
        while not isinstance(event := next(events), MappingEndEvent):
            key_mark = self._mark(event)
            known = len(self.faults)
            key = self._node(event, events, path, depth + 1)
            name = key.text if isinstance(key, Scalar) else ""
            value = self._node(next(events), events, (*path, name or "?"), depth + 1, key_mark)
            if len(self.faults) > known and not isinstance(key, Scalar):
                continue
            if not isinstance(key, Scalar) or (key.value is None and not key.quoted):
                self._fault(key_mark, path, "a key must be a word",
                            "write key: value; text with { or [ goes in quotes")  # fmt: skip
            elif name == "<<" and not key.quoted:
                self._fault(key_mark, path, "merge keys (<<) are not supported",
                            "write the keys out, or use an overlay file")  # fmt: skip
            elif name in node.entries:
                first = node.entries[name].mark.line
                self._fault(key_mark, (*path, name), f"this key is twice here, on line {first} too",
                            "keep one of them")  # fmt: skip
            else:
                node.entries[name] = Entry(key_mark, value)
        return node

    def _alias(self, event: AliasEvent, mark: Mark, path: Path) -> Node:
        name = str(event.anchor)
        if name not in self._anchors:
            self._fault(mark, path, f"there is no anchor &{name} before this alias",
                        f"define it above, or put '*{name}' in quotes")  # fmt: skip
            raise _Stop
        known = self._anchors[name]
        if known is None:
            self._fault(mark, path, f"the alias *{name} contains itself", "write the value out")
            raise _Stop
        node, size = known
        self._count(size, mark)
        return node

    def _count(self, size: int, mark: Mark) -> None:
        self._size += size
        if self._size > _MOST_NODES:
            self._fault(mark, (), f"the file has more than {_MOST_NODES} values with its aliases",
                        "write fewer, without aliases of aliases")  # fmt: skip
            raise _Stop

    def _tag(self, event: Event, mark: Mark, path: Path) -> None:
        tag = getattr(event, "tag", None)
        quoted_or_text = tag in ("!", "tag:yaml.org,2002:str") and isinstance(event, ScalarEvent)
        if tag and not quoted_or_text:
            shown = str(tag).replace("tag:yaml.org,2002:", "!!")
            self._fault(mark, path, f"tags like {shown} are not supported",
                        "remove the tag; quotes make a value text")  # fmt: skip

    def _scalar(self, event: Any, mark: Mark, path: Path) -> Scalar:
        text = str(event.value)
        if any("\ud800" <= letter <= "\udfff" for letter in text):
            self._fault(mark, path, "half of a surrogate pair is not a character",
                        "write the character itself")  # fmt: skip
            text = text.encode("utf-8", "replace").decode()
        quoted = event.style is not None or bool(event.tag)
        if event.style in ("'", '"') and event.end_mark.line > event.start_mark.line:
            self._long_quote = (mark, event.end_mark.line + 1)
        if quoted:
            return Scalar(mark, text, text, True)
        value: str | int | float | bool | None = text
        if text in _WORDS:
            value = _WORDS[text]
        elif _INTEGER.fullmatch(text) and len(text) < 300:
            value = int(text)
        elif _FLOAT.fullmatch(text):
            value = float(text)
        if re.fullmatch(r"[-+]?\.(inf|Inf|INF|nan|NaN|NAN)", text) or (
            isinstance(value, float) and not math.isfinite(value)
        ):
            self._fault(mark, path, f"{text} is not a finite number", "write a number")
            value = text
        return Scalar(mark, value, text)

    def _mark(self, event: Event) -> Mark:
        at = event.start_mark
        return Mark(self.file, min(at.line + 1, self._lines), at.column + 1)

    def _fault(self, mark: Mark, path: Path, message: str, suggestion: str) -> None:
        self.faults.append(
            Fault(mark.file, mark.line, mark.column, dotted(path), message, suggestion)
        )
