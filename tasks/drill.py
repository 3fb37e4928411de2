"""Tasks that rehearse the way back, and show what the rehearsals measured."""

from __future__ import annotations

from typing import Any

from prefect import task
from prefect.artifacts import create_markdown_artifact

from switchover.engine.drill import drill
from switchover.engine.drills import DRILL_HEAD, drill_history, drill_row
from switchover.errors import Refused
from switchover.reporting.markdown import markdown_table
from tasks.engine import PATIENT, engine


@task(**PATIENT)
def rehearse(migration: str, actor: str) -> dict[str, Any]:
    """Rehearse now; gives whether that was done and went well, and a sentence. A migration that
    has ended, or may not be drilled now, is no failure."""
    try:
        done = drill(engine(), migration, actor=actor)
    except Refused as refusal:
        return {"did": False, "ok": None, "sentence": f"no drill: {refusal}"}
    how = "succeeded" if done.ok else "failed"
    return {"did": True, "ok": done.ok, "sentence": f"the drill {how}: {done.reason}",
            "drill": done.to_dict()}  # fmt: skip


@task(**PATIENT)
def show_drills(migration: str) -> None:
    """The last ten drills with figures and trend, as an artifact."""
    found = drill_history(engine().ledger.entries(migration))
    if found is None:
        return
    rows = [drill_row(row) for row in found["drills"]]
    create_markdown_artifact(
        key=f"{migration}-drills",
        markdown=f"{found['trend']}\n\n{markdown_table(DRILL_HEAD, 'llrrrrrl', rows)}",
        description=f"Drills of {migration}",
    )
