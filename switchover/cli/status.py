"""`switchover status M`: where a migration stands."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from switchover.cli.gates import gates_table
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
from switchover.incidents.redaction import redact_all

app = verb()


@app.command()
def status(migration: Migration, json: Json = False) -> None:
    """Show where a migration stands, with its evidence."""
    from switchover.engine.collect import collect
    from switchover.engine.status import status as read_status

    context = connect()
    collect(context, migration, elsewhere=False)
    document = read_status(context, migration)
    document["rollback"] = redact_all(document["rollback"])
    if json:
        print_json(document)
        return
    facts_table(
        {
            "migration": f"{document['migration']}: {document['title']}",
            "phase": document["phase"].replace("_", " "),
            "mode": f"{document['mode']}, candidate {document['split']:g} %",
            "routers": _routers(document),
            "proxies": "; ".join(map(_proxy, document["proxies"])),
            "guards": document["guards"],
            "incident": document["incident"],
            "work items": _items(document["items"]),
            "losses": document["losses"]["text"],
            "late": _late(**document["losses"]["late"]),
            "alerts": "; ".join(
                f"{alert['text']}, since {alert['since']}" for alert in document["alerts"]
            ),
            "group": document["group"],
            # Once the candidate has traffic nobody asks for it any more.
            "checklist": "" if document["split"] else _checklist(document["checklist"]),
            "way back": "the point of no return is passed" * document["no_return"],
            "approval": _approval(document["approval"]),
            "frozen": "; ".join(document["frozen"]),
            "spool": "; ".join(
                f"the rollback {order['order']} waits, by {order['actor']} at {order['at']}"
                for order in document["spool"]
            ),
            "next": document["why"],
        }
    )
    if document["rollback"]:
        from switchover.cli.rollback_table import show_rollback

        say("")
        show_rollback(document["rollback"])
    say("")
    table(
        "",
        ["stage", "mode", "candidate", "approval", "way back", ""],
        (
            [s["title"], s["mode"], f"{s['split']:g} %", "needed" if s["approval"] else "",
             s["reversibility"].replace("_", " "), s["place"]]
            for s in document["stages"]
        ),
    )  # fmt: skip
    if document["reading"]:
        say("")
        gates_table(document["reading"]["gates"])
        say("")
        for gate in document["reading"]["gates"]:
            say(gate["sentence"])

    if document["targets"]:
        say("")
        table(
            "",
            ["target", "of", "level", "seen"],
            (
                [t["target"], t["system"] if t["serves"] else f"{t['system']} (not serving)",
                 t["level"], t["sentence"].partition(": ")[2]]
                for t in document["targets"]
            ),
        )  # fmt: skip
    if document["triggers"]:
        say("")
        table(
            "",
            ["trigger", "", "level", "seen"],
            (
                [t["trigger"], t["color"].upper(), t["level"], t["sentence"].partition(": ")[2]]
                for t in document["triggers"]
            ),
        )
    if document["drills"]:
        from switchover.cli.drills import show_drills

        say("")
        show_drills(document["drills"])
    if document["comparison"]:
        from switchover.reporting.comparison import HEAD, chief_rows

        say("")
        table(
            f"Compared in {document['stage']} (decides nothing; `switchover compare` shows all)",
            [name.lower() for name in HEAD],
            chief_rows(document["comparison"]["figures"]),
        )


def _routers(document: Mapping[str, Any]) -> str:
    """How many routers live, and how many of them still go by an older document."""
    live, epoch = document["routers"], document["epoch"]
    behind = sum(router["epoch"] < epoch for router in live)
    return f"{len(live)} live, epoch {epoch}" + (f"; {behind} behind it" if behind else "")


def _proxy(measured: Mapping[str, Any]) -> str:
    name, split = measured["proxy"], measured["split"]
    if split is not None:
        return f"{name}: {split:g} %"
    return f"{name}: {'out of reach' if measured['fault'] else 'can not tell'}"


def _items(items: dict[str, Any] | None) -> str:
    if items is None:
        return ""
    count = items["disagreements"]
    said = "all agreed" if not count else f"{count:,} disagreed"
    return f"{said} at {items['at']}; switchover items tells more"


def _approval(asked: dict[str, Any] | None) -> str:
    """Who approved what is asked for, how they were known, and who is missing."""
    if asked is None:
        return ""
    given = [
        f"{vote['approver']} approved at {vote['at']} ({vote['via']}, by {vote['identity']})"
        for vote in asked["votes"]
    ]
    missing = [f"missing: {'; '.join(asked['missing'])}"] if asked["missing"] else []
    told = [f"{asked['id']} {asked['status']}, evidence {asked['evidence'][:12]}"]
    return "; ".join([*told, *given, *missing])


def _checklist(items: list[dict[str, Any]]) -> str:
    missing = [item["id"] for item in items if not item["done"]]
    if not items or not missing:
        return "complete" if items else ""
    return f"{len(missing)} of {len(items)} missing: {', '.join(missing)}"


def _late(earlier_stage: int, left_out: int) -> str:
    """Observations that came too late, in words; empty without any."""
    told = []
    if earlier_stage:
        told.append(f"{earlier_stage:,} observations of an earlier stage, which don't count for it")
    if left_out:
        told.append(f"{left_out:,} from before the attempt, which don't count")
    return "; ".join(told)
