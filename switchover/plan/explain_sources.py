"""Where a plan's metrics come from besides the recorder, as rows for people."""

from __future__ import annotations

from dataclasses import dataclass
from urllib.parse import urlsplit

from switchover.plan.sources import Source, SqlSource, feeds
from switchover.plan.units import spoken


@dataclass(frozen=True, slots=True)
class SourceRow:
    """One source. ``where`` is its address without user, password and query, or the variable that
    holds it; ``metrics`` are told with the systems that are read; ``limits`` are sentences."""

    name: str
    kind: str
    where: str
    metrics: tuple[str, ...]
    limits: tuple[str, ...]


def source_row(source: Source) -> SourceRow:
    """What is read of ``source``, how often, and what happens when it can't be."""
    systems: dict[str, list[str]] = {}
    for feed in feeds(source):
        systems.setdefault(feed.metric, []).extend(feed.systems)
    then = "back to legacy" if source.unreadable == "rollback" else "hold"
    return SourceRow(
        name=source.name,
        kind=source.kind,
        where=source.database if isinstance(source, SqlSource) else _place(source.url),
        metrics=tuple(f"{metric} ({', '.join(named)})" for metric, named in systems.items()),
        limits=(
            f"every {spoken(source.every)}",
            f"{spoken(source.timeout)} a reading",
            f"unreadable for {spoken(source.unreadable_after)}: alert and {then}",
        ),
    )


def _place(url: str) -> str:
    """Passwords are refused in plans; a query may hold a token all the same."""
    parts = urlsplit(url)
    return parts._replace(netloc=parts.netloc.rpartition("@")[2], query="", fragment="").geturl()
