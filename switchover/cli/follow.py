"""`switchover follow PLAN`: keep real proxies in step with the routing document."""

from __future__ import annotations

import logging
import signal
from collections.abc import Sequence
from contextlib import ExitStack
from queue import SimpleQueue
from typing import TYPE_CHECKING, Annotated

import typer

from switchover.cli.session import Json, Overlays, PlanFile, print_json, say, verb
from switchover.errors import InputError

if TYPE_CHECKING:
    from switchover.plan.proxies import Proxy

app = verb()

_Only = Annotated[
    list[str] | None,
    typer.Option(help="A kind (haproxy) or place (/run/haproxy.sock) to follow; may repeat."),
]
_Staleness = Annotated[
    float, typer.Option(help="Seconds without Redis after which a proxy goes to legacy.")
]


@app.command()
def follow(
    plan: PlanFile,
    overlay: Overlays = None,
    only: _Only = None,
    max_staleness: _Staleness = 30.0,
    json: Json = False,
) -> None:
    """Keep the plan's proxies in step with the routing document.

    Runs beside the proxies until SIGTERM or Ctrl-C, and needs nothing but Redis. A proxy keeps
    its split when this ends: let a supervisor start it again.
    """
    from switchover.plan.load import load_plan
    from switchover.routing.proxies import open_splits
    from switchover.routing.proxies.bring import Told
    from switchover.routing.proxies.follow import Follower
    from switchover.wiring import load_settings

    loaded = load_plan(plan, tuple(overlay or ())).plan
    if not loaded.proxies:
        raise InputError(
            f"{plan} names no proxies; add a section 'proxies', or use the router or "
            "`switchover proxy`"
        )
    settings = load_settings()
    chosen = _chosen(loaded.proxies, only or ())
    splits = open_splits(loaded.migration, chosen, allow_programs=settings.allow_commands)
    logging.basicConfig(level=logging.WARNING, format="%(levelname)s %(name)s: %(message)s")
    told: SimpleQueue[Told | None] = SimpleQueue()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: told.put(None))
    with ExitStack() as followers:
        for split in splits:
            follower = Follower(
                split, loaded.migration, settings.redis_url, max_staleness=max_staleness,
                tell=told.put,
            )  # fmt: skip
            followers.enter_context(follower)
        names = [split.name for split in splits]
        if json:
            print_json({"migration": loaded.migration, "following": names})
        else:
            say(f"{loaded.migration}: following {', '.join(names)}; stop with Ctrl-C")
        for news in iter(told.get, None):
            if json:
                print_json({"migration": loaded.migration, **news.to_dict()})
            else:
                say(str(news))


def _chosen(proxies: Sequence[Proxy], only: Sequence[str]) -> list[Proxy]:
    """Those whose kind or place is in ``only``; all where that is empty."""
    unknown = set(only).difference(*((proxy.kind, proxy.place) for proxy in proxies))
    if unknown:
        known = ", ".join(f"{proxy.kind} {proxy.place}" for proxy in proxies)
        raise InputError(
            f"the plan has no proxy {', '.join(sorted(unknown))}; it has {known}: name a kind or "
            "a place"
        )
    return [proxy for proxy in proxies if not only or {proxy.kind, proxy.place} & set(only)]
