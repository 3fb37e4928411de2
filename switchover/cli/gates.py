"""The table of gates that `status` and `judge replay` show."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from switchover.cli.session import table


def gates_table(gates: Iterable[Mapping[str, Any]]) -> None:
    """One line per gate of a reading: its verdict, what was seen, and the evidence."""
    table(
        "",
        ["gate", "verdict", "seen", "n", "evidence against", "evidence for"],
        (
            [
                gate["gate"],
                gate["verdict"].replace("_", " "),
                "" if gate["estimate"] is None else f"{gate['estimate']:.4g}",
                f"{gate['n']:,}",
                f"{gate['rollback_evidence']:.3g}",
                f"{gate['promote_evidence']:.3g}",
            ]
            for gate in gates
        ),
    )
