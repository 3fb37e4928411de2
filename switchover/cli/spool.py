"""`switchover spool`: what waits for Redis or the database."""

from __future__ import annotations

from datetime import UTC, datetime

from switchover.cli.session import Json, print_json, say, table, verb, warn

app = verb()


@app.command()
def spool(json: Json = False) -> None:
    """List orders to roll back that wait for Redis or the database.

    Those of this host, the oldest first. Needs no server, and carries nothing out: every other
    command does, and flows and guards with the same state directory do.
    """
    from switchover.wiring import build_spool, load_settings

    kept = build_spool(load_settings())
    orders = kept.orders()
    if json:
        for order in orders:
            halt = order.halt
            print_json({"migration": order.migration, "order": halt.id, "at": _iso(halt.at),
                        "actor": halt.actor, "reason": halt.reason, "trigger": halt.trigger,
                        "turned": halt.epoch > 0})  # fmt: skip
    elif orders:
        table(
            "",
            ["migration", "order", "at", "by", "why", "waits for"],
            (
                [order.migration, order.halt.id, _iso(order.halt.at), order.halt.actor,
                 order.halt.reason, "the record" if order.halt.epoch else "Redis"]
                for order in orders
            ),
        )  # fmt: skip
    else:
        say("nothing waits")
    for fault in kept.unreadable():
        warn(fault)


def _iso(at: float) -> str:
    return f"{datetime.fromtimestamp(at, UTC):%Y-%m-%dT%H:%M:%SZ}"
