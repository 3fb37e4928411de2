"""All that is stored of one migration, as it is stored: what an audit looks at. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, fields
from typing import Any, TypeVar

from switchover.ledger.chain import Link


@dataclass(frozen=True, slots=True)
class Head:
    """The row of a migration: where its chain ends, and the state that it claims."""

    revision: int
    state: str
    head: str
    seal: str
    plan_version: int
    updated_at: str


@dataclass(frozen=True, slots=True)
class PlanRow:
    """A plan version; ``document`` is canonical JSON."""

    version: int
    digest: str
    document: str
    directory: str


@dataclass(slots=True)
class Copy:
    """One migration's head, entries and plans; ``malformed`` are faults met while reading."""

    migration: str
    head: Head | None = None
    links: list[Link] = field(default_factory=list)
    plans: list[PlanRow] = field(default_factory=list)
    malformed: list[str] = field(default_factory=list)

    def add_head(self, row: Mapping[str, Any]) -> None:
        """Take the migration's row."""
        for head in self._read(Head, "the migration's row", [row]):
            self.head = head

    def add_links(self, rows: Iterable[Mapping[str, Any]]) -> None:
        """Take entries, in the order they come."""
        self.links += self._read(Link, "an entry", rows)

    def add_plans(self, rows: Iterable[Mapping[str, Any]]) -> None:
        """Take plan versions."""
        self.plans += self._read(PlanRow, "a plan version", rows)

    def _read(self, kind: type[_R], what: str, rows: Iterable[Mapping[str, Any]]) -> list[_R]:
        # A database need not keep its columns' types (SQLite does not), nor a file its fields.
        found: list[_R] = []
        for row in rows:
            wrong = [name for name, type_ in _types(kind) if type(row.get(name)) is not type_]
            if wrong:
                place = row.get("revision", row.get("version", "?"))
                self.malformed.append(
                    f"{self.migration}: {what} ({place}) was changed: "
                    f"{', '.join(wrong)} can't be read"
                )
            else:
                found.append(kind(**{name: row[name] for name, _ in _types(kind)}))
        return found


_R = TypeVar("_R", Head, Link, PlanRow)


def _types(kind: type[Head] | type[Link] | type[PlanRow]) -> list[tuple[str, type]]:
    return [(f.name, int if f.type in ("int", int) else str) for f in fields(kind)]
