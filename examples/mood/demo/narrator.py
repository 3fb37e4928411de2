"""Tells what happens: live for people, plain without a terminal, JSON lines for programs."""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Mapping, Sequence
from typing import Any, Literal

from rich.console import Console
from rich.markup import render
from rich.status import Status
from rich.table import Table

from switchover.reporting import figures

Style = Literal["live", "plain", "json"]


class Narrator:
    """One voice for the whole demonstration. ``style`` None picks live or plain by the terminal."""

    def __init__(self, style: Style | None = None) -> None:
        self._console = Console(width=None if sys.stdout.isatty() else 110)
        self.style: Style = style or ("live" if self._console.is_terminal else "plain")
        self._began = time.monotonic()
        self._status: Status | None = None

    def headline(self, text: str) -> None:
        """A new chapter."""
        self.quiet()
        if self.style == "json":
            self._emit("chapter", text=text)
        else:
            self._console.rule(f"[bold]{text}")

    def say(self, text: str, **facts: Any) -> None:
        """One thing that happened."""
        if self.style == "json":
            self._emit("event", text=render(text).plain, **facts)
        else:
            self._console.print(f"[dim]{self._clock()}[/dim] {text}", highlight=False)

    def busy(self, text: str) -> None:
        """What is going on now; shown until something else is."""
        if self.style != "live":
            return
        if self._status is None:
            self._status = self._console.status(text)
            self._status.start()
        self._status.update(text)

    def quiet(self) -> None:
        """Nothing is going on."""
        if self._status is not None:
            self._status.stop()
            self._status = None

    def evidence(self, title: str, reading: Mapping[str, Any]) -> None:
        """The gates of a stage with the numbers that decided."""
        if self.style == "json":
            self._emit("evidence", stage=title, reading=dict(reading))
            return
        table = Table(title=f"evidence in {title}", title_justify="left")
        for column in ("gate", "verdict", "seen", "limit", "n", "against", "for"):
            table.add_column(column)
        for gate in reading["gates"]:
            kind, metric = gate["kind"], gate["metric"]
            table.add_row(
                gate["gate"],
                gate["verdict"].replace("_", " "),
                figures.metric_value(gate["estimate"], kind, metric),
                figures.metric_value(gate["limit"], kind, metric),
                str(gate["n"]),
                figures.evidence(gate["rollback_evidence"]),
                figures.evidence(gate["promote_evidence"]),
            )
        self._console.print(table)

    def table(self, title: str, rows: Sequence[tuple[str, object]]) -> None:
        """Names and values."""
        if self.style == "json":
            self._emit("table", title=title, **dict(rows))
            return
        table = Table(title=title, title_justify="left", show_header=False)
        for name, value in rows:
            table.add_row(name, str(value))
        self._console.print(table)

    def _clock(self) -> str:
        return f"{time.monotonic() - self._began:6.1f} s"

    def _emit(self, kind: str, **fields: Any) -> None:
        document = {"kind": kind, "seconds": round(time.monotonic() - self._began, 2), **fields}
        sys.stdout.write(json.dumps(document, default=str) + "\n")
        sys.stdout.flush()
