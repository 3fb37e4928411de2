"""The table of gates that `status` and `judge replay` show."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from switchover.cli.session import table
from switchover.reporting import figures


def gates_table(gates: Iterable[Mapping[str, Any]]) -> None:
    """One line per gate of a reading: its verdict, what was seen, and the evidence."""
    table(
        "",
        ["gate", "verdict", "seen", "limit", "n", "against", "for"],
        (
            [
                gate["gate"],
                gate["verdict"].replace("_", " "),
                figures.metric_value(gate["estimate"], gate["kind"], gate["metric"]),
                figures.metric_value(gate["limit"], gate["kind"], gate["metric"]),
                f"{gate['n']:,}",
                figures.evidence(gate["rollback_evidence"]),
                figures.evidence(gate["promote_evidence"]),
            ]
            for gate in gates
        ),
    )
