"""`switchover status M`: where a migration stands."""

from __future__ import annotations

from typing import Any

from switchover.cli.session import (
    Json,
    Migration,
    connect,
    facts_table,
    print_json,
    say,
    table,
    verb,
)

app = verb()


@app.command()
def status(migration: Migration, json: Json = False) -> None:
    """Show where a migration stands, with its evidence."""
    from switchover.engine.collect import collect
    from switchover.engine.status import status as read_status

    context = connect()
    collect(context, migration)
    document = read_status(context, migration)
    if json:
        print_json(document)
        return
    facts_table(
        {
            "migration": f"{document['migration']}: {document['title']}",
            "phase": document["phase"].replace("_", " "),
            "mode": f"{document['mode']}, candidate {document['split']:g} %",
            "routers": f"{len(document['routers'])} live, epoch {document['epoch']}",
            "incident": document["incident"],
            "waiting": document["why"],
        }
    )
    table(
        "",
        ["stage", "mode", "candidate", "approval", ""],
        (
            [s["title"], s["mode"], f"{s['split']:g} %", "needed" if s["approval"] else "",
             s["place"]]
            for s in document["stages"]
        ),
    )  # fmt: skip
    if document["reading"]:
        _gates(document["reading"])


def _gates(reading: dict[str, Any]) -> None:
    table(
        "",
        ["gate", "verdict", "seen", "n", "evidence against", "evidence for"],
        (
            [
                gate["gate"], gate["verdict"].replace("_", " "),
                "" if gate["estimate"] is None else f"{gate['estimate']:.4g}",
                gate["n"], f"{gate['rollback_evidence']:.3g}", f"{gate['promote_evidence']:.3g}",
            ]
            for gate in reading["gates"]
        ),
    )  # fmt: skip
    for gate in reading["gates"]:
        say(gate["sentence"])
