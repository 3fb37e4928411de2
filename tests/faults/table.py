"""What a run of the suite found, row by row: as text, as Markdown and as JSON."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

from tests.faults.trial import Outcome, Trial

_HEADS = ("what", "when", "trials", "kills", "resumed", "violations", "worst time")


@dataclass
class Row:
    """All trials of one kind. ``worst`` is the longest time from the last fault to the same end
    state, in seconds."""

    what: str
    when: str
    trials: int = 0
    kills: int = 0
    resumed: int = 0
    violations: int = 0
    worst: float = 0.0

    def add(self, outcome: Outcome) -> None:
        """Count one trial."""
        self.trials += 1
        self.kills += outcome.kills
        self.resumed += outcome.resumed
        self.violations += len(outcome.faults)
        self.worst = max(self.worst, outcome.seconds)

    @property
    def cells(self) -> tuple[str, ...]:
        """As text, in the order of the heads."""
        counts = (self.trials, self.kills, self.resumed, self.violations)
        return self.what, self.when, *(f"{n:,}" for n in counts), f"{self.worst:.1f} s"


@dataclass
class Findings:
    """All rows, and each violation with the command that shows it again."""

    rows: dict[tuple[str, str], Row] = field(default_factory=dict)
    violations: list[dict[str, str]] = field(default_factory=list)

    def add(self, trial: Trial, outcome: Outcome) -> None:
        """Count one trial."""
        row = self.rows.setdefault((trial.what, trial.when), Row(trial.what, trial.when))
        row.add(outcome)
        for fault in outcome.faults:
            self.violations.append(
                {"trial": trial.name, "fault": fault, "again": again(trial.name)}
            )

    @property
    def total(self) -> Row:
        """All rows together."""
        total = Row("all", "")
        for row in self.rows.values():
            total.trials += row.trials
            total.kills += row.kills
            total.resumed += row.resumed
            total.violations += row.violations
            total.worst = max(total.worst, row.worst)
        return total

    def to_dict(self) -> dict[str, Any]:
        """As JSON."""
        return {"rows": [asdict(row) for row in self.rows.values()], "total": asdict(self.total),
                "violations": self.violations}  # fmt: skip

    def table(self) -> str:
        """As a table that is Markdown and fit for a terminal."""
        ordered = sorted(self.rows.values(), key=lambda row: (row.when, row.what))
        return aligned([_HEADS, *(row.cells for row in [*ordered, self.total])])


def again(name: str) -> str:
    """The command that does one trial again."""
    return f"make faults ARGS=\"--only '{name}'\""


def aligned(rows: Sequence[Sequence[str]]) -> str:
    """Rows as Markdown: text to the left, numbers to the right."""
    widths = [max(len(row[place]) for row in rows) for place in range(len(rows[0]))]
    lines = [
        "| " + " | ".join(
            cell.ljust(width) if place < 2 else cell.rjust(width)
            for place, (cell, width) in enumerate(zip(row, widths, strict=True))
        ) + " |"
        for row in rows
    ]  # fmt: skip
    rule = "|" + "|".join(
        "-" * (width + 2) if place < 2 else "-" * (width + 1) + ":"
        for place, width in enumerate(widths)
    ) + "|"  # fmt: skip
    return "\n".join([lines[0], rule, *lines[1:]])
