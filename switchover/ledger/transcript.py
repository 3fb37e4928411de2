"""The ledger as JSON lines, and their verification without a database.

A line is a ``migration`` row, a ``plan``, an ``entry``, or at last the ``end`` with every
head; the heads are what to keep elsewhere as anchors. Standard library and machine only.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import asdict
from typing import Any

from switchover.canonical import canonical, parse
from switchover.errors import InputError, UnknownMigration
from switchover.ledger.audit import Anchor
from switchover.ledger.chain import Chain
from switchover.ledger.copy import Copy
from switchover.ledger.verification import Auditable, verify

# Kept as text in the ledger, shown as JSON in an export.
_DOCUMENTS = ("state", "document", "payload")


def export(ledger: Auditable, migration: str | None = None) -> Iterator[str]:
    """The ledger, or one migration, line by line. A damaged ledger is exported as it is.

    Raises ``InputError`` for an unknown migration.
    """
    heads: dict[str, tuple[int, str]] = {}
    for copy in ledger.copies(migration):
        yield from _lines(copy)
        if copy.head is not None:
            heads[copy.migration] = (copy.head.revision, copy.head.head)
    if migration is not None and migration not in heads:
        raise UnknownMigration(migration)
    yield canonical({"type": "end", "heads": heads, "seal": ledger.chain.close(heads)})


def verify_export(
    lines: Iterable[str], key: bytes | None = None, anchors: Mapping[str, Anchor] | None = None
) -> list[str]:
    """Every fault of an export; empty when it verifies. ``key`` is the ledger's audit key."""
    chain = Chain(key)
    exported = _Exported(chain)
    heads: dict[str, Anchor] | None = None
    found: list[str] = []
    for number, line in enumerate(lines, 1):
        if not line.strip():
            continue
        try:
            row = parse(line)
            if row["type"] == "end":
                heads = _heads(row)
                if row["seal"] != chain.close(heads):
                    found.append(f"line {number}: the seal does not fit the heads (changed)")
            else:
                exported.add(row)
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            found.append(f"line {number}: not a line of an export (changed): {error!r}")
    if heads is None:
        return [*found, "the end of the export is missing (cut off)", *verify(exported, None)]
    found += verify(exported, None, heads)
    earlier = verify(exported, None, anchors) if anchors else []
    return found + [fault for fault in earlier if fault not in found]


def anchors_of(lines: Iterable[str]) -> dict[str, Anchor]:
    """The heads in an export's last line, to be compared with a later ledger.

    Raises ``InputError`` when the export has no end.
    """
    for line in lines:
        if '"type":"end"' in line:
            try:
                return _heads(parse(line))
            except (ValueError, KeyError, TypeError, AttributeError) as error:
                raise InputError(f"the last line of the export can't be read: {error!r}") from error
    raise InputError("the export is cut off: its last line, with the heads, is missing")


class _Exported:
    """An export as something to audit."""

    def __init__(self, chain: Chain) -> None:
        self.chain = chain
        self._copies: dict[str, Copy] = {}

    def copies(self, migration: str | None = None) -> Iterator[Copy]:
        yield from (self._copies[slug] for slug in sorted(self._copies))

    def add(self, row: dict[str, Any]) -> None:
        slug = str(row["migration"])
        copy = self._copies.setdefault(slug, Copy(slug))
        row = {name: _text(value) if name in _DOCUMENTS else value for name, value in row.items()}
        add = {
            "migration": lambda: copy.add_head(row),
            "plan": lambda: copy.add_plans([row]),
            "entry": lambda: copy.add_links([row]),
        }
        add[row["type"]]()


def _lines(copy: Copy) -> Iterator[str]:
    if copy.head is not None:
        yield _line("migration", copy.migration, asdict(copy.head))
    for plan in copy.plans:
        yield _line("plan", copy.migration, asdict(plan))
    for link in copy.links:
        yield _line("entry", copy.migration, asdict(link))


def _line(kind: str, migration: str, row: dict[str, Any]) -> str:
    shown = {name: _shown(value) if name in _DOCUMENTS else value for name, value in row.items()}
    return canonical({"type": kind, **shown, "migration": migration})


def _shown(text: str) -> Any:
    """The document, unless reading it would hide that its text was changed."""
    try:
        document = parse(text)
        return document if canonical(document) == text else text
    except ValueError:
        return text


def _text(value: Any) -> str:
    return value if isinstance(value, str) else canonical(value)


def _heads(row: dict[str, Any]) -> dict[str, Anchor]:
    return {slug: (int(revision), str(head)) for slug, (revision, head) in row["heads"].items()}
