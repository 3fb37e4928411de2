"""`switchover history M`: the ledger of a migration."""

from __future__ import annotations

from switchover.cli.flags import share_of
from switchover.cli.session import Json, Migration, connect, print_json, table, verb
from switchover.machine.flag import Flag
from switchover.ports import Entry

app = verb()

#: Payload fields worth a place in the table, in this order.
_TOLD = ("id", "title", "verdict", "status", "approver", "via", "identity", "evidence", "trigger",
         "reason", "summary", "sentence", "seconds", "text")  # fmt: skip


@app.command()
def history(migration: Migration, json: Json = False) -> None:
    """Show every entry of a migration's ledger."""
    context = connect()
    context.ledger.read(migration)
    entries = context.ledger.entries(migration)
    if json:
        for entry in entries:
            print_json(
                {"revision": entry.revision, "at": entry.at.isoformat(), "actor": entry.actor,
                 "kind": entry.kind, "payload": entry.payload, "digest": entry.digest}
            )  # fmt: skip
        return
    table(
        "",
        ["rev", "at (UTC)", "who", "what", "detail"],
        (
            [
                entry.revision, f"{entry.at:%Y-%m-%d %H:%M:%S}", entry.actor,
                entry.kind.replace("_", " "),
                "; ".join([
                    *_flags(entry),
                    *(
                        _told(k, value)
                        for k in _TOLD
                        if (value := entry.payload.get(k)) and not isinstance(value, dict)
                    ),
                ]),
            ]
            for entry in entries
        ),
    )  # fmt: skip


def _flags(entry: Entry) -> list[str]:
    """Which flags changed, and for whom each is on since then."""
    if entry.kind != "flags_changed":
        return []
    return [
        f"{name} removed" if definition is None
        else f"{name}: {share_of(Flag.from_dict(name, definition))}"
        for name, definition in sorted(entry.payload["flags"].items())
    ]  # fmt: skip


def _told(field: str, value: object) -> str:
    if field in ("via", "identity"):
        return f"{'by way of' if field == 'via' else 'known by'} {value}"
    if field == "evidence":
        return f"evidence {str(value)[:12]}"
    return f"{value:.3f} s" if field == "seconds" else str(value)
