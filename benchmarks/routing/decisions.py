"""What one decision costs: Switchover's router, the SDKs of its peers, and the bare hash."""

from __future__ import annotations

import logging
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

from xxhash import xxh3_64_intdigest

from benchmarks.routing.offline import stay_on_machine
from benchmarks.routing.peers import FLAG, PEERS, PERCENT, Contender
from benchmarks.routing.split import checked_share
from benchmarks.routing.timing import fastest, ratios, spread, take_turns
from switchover import Router
from switchover.machine.flag import Flag
from switchover.machine.snapshot import Snapshot
from switchover.routing.store import RedisRoutingStore
from switchover.testing.embedded import Valkey

KEYS = [f"subject-{number}" for number in range(20_000)]
BARE, ROUTE, ASKED = "bare hash", "Switchover route", "Switchover flag"
LIMIT_NS, LIMIT_BARE, LIMIT_PEER = 500.0, 2.5, 15.0


def bare_hash() -> Contender:
    """What no router can be faster than, as a function that an application would write."""

    def decide(key: str) -> int:
        return xxh3_64_intdigest(key.encode()) % 10_000

    return Contender(
        BARE,
        "",
        "a function with nothing but xxh3_64 of the key, modulo 10,000",
        decide,
        on=lambda point: bool(point < PERCENT * 100),
    )


def switchover(stack: ExitStack) -> Iterator[Contender]:
    """A router as applications have it: started, following an embedded Valkey."""
    server = stack.enter_context(Valkey())
    split, half = PERCENT * 100, 5_000
    flags = [
        Flag(FLAG, split=split),
        Flag("layout", variants={"new": split, "other": half - split, "old": half}),
    ]
    document = Snapshot(
        "bench", 1, "gradual", split, salt="bench",
        flags={flag.name: flag.to_dict() for flag in flags},
    )  # fmt: skip
    RedisRoutingStore(server.url).write(document)
    router = stack.enter_context(Router("bench", server.url))
    if not router.wait_ready(10):
        raise RuntimeError("the router never read its document")
    yield Contender(
        ROUTE,
        "switchover",
        "Router.route, following a Valkey; gives system, reason, epoch and whether to shadow",
        router.route,
        on=lambda decision: bool(decision.system == "candidate"),
    )
    yield Contender(
        ASKED,
        "switchover",
        "Router.flag; gives value, variant, reason and version",
        lambda key: router.flag(FLAG, key),
    )
    yield Contender(
        "Switchover variant",
        "switchover",
        "Router.variant of three, by weighted rendezvous; counted as on: the one of 25 %",
        lambda key: router.variant("layout", key),
        on=lambda evaluation: bool(evaluation.variant == "new"),
    )
    yield _through_openfeature(router, stack)


def _through_openfeature(router: Router, stack: ExitStack) -> Contender:
    """The same flag, asked as an application asks that already speaks OpenFeature."""
    from openfeature import api
    from openfeature.evaluation_context import EvaluationContext

    from switchover.routing.openfeature import SwitchoverProvider

    api.set_provider_and_wait(SwitchoverProvider(router), domain="switchover")
    stack.callback(api.clear_providers)
    client = api.get_client("switchover")
    return Contender(
        "Switchover through OpenFeature",
        "switchover",
        "the same flag by get_boolean_value of OpenFeature's client, with SwitchoverProvider",
        lambda key: client.get_boolean_value(FLAG, False, EvaluationContext(key)),
    )


def shares(contenders: list[Contender]) -> dict[str, float]:
    """The share of keys that each switches on, after a look at whether it is sticky."""
    found = {}
    for one in contenders:

        def decide(key: str, one: Contender = one) -> bool:
            return one.on(one.decide(one.prepare(key)))

        found[one.name] = checked_share(one.name, decide, KEYS, PERCENT / 100)
    return found


def table(
    contenders: list[Contender], found: dict[str, float], times: dict[str, list[float]]
) -> list[dict[str, Any]]:
    """A row per contender."""
    rows = []
    for one in contenders:
        took = spread(times[one.name])
        rows.append(
            {
                "what": one.name,
                "share_on_percent": round(100 * found[one.name], 2),
                "p10_ns": round(took.p10, 1),
                "median_ns": round(took.median, 1),
                "p90_ns": round(took.p90, 1),
                "times_bare_hash": round(ratios(times[one.name], times[BARE]).median, 2),
                "times_route": round(ratios(times[one.name], times[ROUTE]).median, 2),
            }
        )
    return rows


def targets(peers: list[str], times: dict[str, list[float]]) -> list[dict[str, Any]]:
    """What a decision is held to."""
    took, bare = spread(times[ROUTE]).median, ratios(times[ROUTE], times[BARE])
    # The fastest of all ways of all peers, those with a context made beforehand included.
    peer = fastest({name: times[name] for name in peers})
    rows = [
        {
            "what": "route, median",
            "target": f"≤ {LIMIT_NS:g} ns",
            "measured": f"{took:.0f} ns",
            "met": took <= LIMIT_NS,
        },
        {
            "what": f"route beside the {BARE}",
            "target": f"≤ {LIMIT_BARE:g} ×",
            "measured": f"{bare.median:.2f} × ({bare.p10:.2f} to {bare.p90:.2f})",
            "met": bare.median <= LIMIT_BARE,
        },
    ]
    for name, ours in (("route", ROUTE), ("flag", ASKED)):
        faster = ratios(times[peer], times[ours])
        rows.append(
            {
                "what": f"{name} beside the fastest peer, {peer}",
                "target": f"≥ {LIMIT_PEER:g} × faster",
                "measured": f"{faster.median:.1f} × ({faster.p10:.1f} to {faster.p90:.1f})",
                "met": faster.median >= LIMIT_PEER,
            }
        )
    return rows


def inlined(rounds: int) -> float:
    """Nanoseconds of the bare hash written into the loop, where no function is called for it."""
    times = []
    for _ in range(rounds):
        began = time.thread_time_ns()
        for key in KEYS:
            xxh3_64_intdigest(key.encode()) % 10_000
        times.append((time.thread_time_ns() - began) / len(KEYS))
    return spread(times).median


def measure(quick: bool = False) -> dict[str, Any]:
    """Measure everybody; ``RuntimeError`` when one of them tried to reach another machine."""
    attempts = stay_on_machine()
    logging.getLogger().setLevel(logging.WARNING)
    rounds = 41 if quick else 401
    with tempfile.TemporaryDirectory() as folder, ExitStack() as stack:
        ours = [bare_hash(), *switchover(stack)]
        peers = [one for peer in PEERS for one in peer(Path(folder), stack)]
        everybody = [*ours, *peers]
        found = shares(everybody)
        work = {one.name: (one.decide, [one.prepare(key) for key in KEYS]) for one in everybody}
        times = take_turns(work, rounds)
        inside = inlined(rounds)
    if attempts:
        raise RuntimeError(f"somebody tried to reach another machine: {attempts}")
    return {
        "title": "Decision latency",
        "rows": table(everybody, found, times),
        "targets": targets([one.name for one in peers], times),
        "notes": [
            *(f"{one.name}: {one.setting}." for one in everybody),
            f"Written into the loop instead of called, the bare hash takes {inside:.0f} ns; "
            f"a call of route takes {spread(times[ROUTE]).median / inside:.2f} × that.",
        ],
        "parameters": {"keys": len(KEYS), "rounds": rounds, "on_percent": PERCENT},
    }
