"""Processes that route all the time, each with a plain subscriber beside its router.

Everything they tell is a time of CLOCK_MONOTONIC, which all processes of a machine share.
"""

from __future__ import annotations

import multiprocessing
import os
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from typing import Any

import redis

from switchover import Router

#: How often the parent looks at what the fleet told, in seconds.
LOOK = 0.002
PATIENCE = 60.0


def now() -> float:
    """Seconds on the clock that all processes share."""
    return time.clock_gettime(time.CLOCK_MONOTONIC)


class Told:
    """What each member tells: written by that member alone, read by the parent."""

    def __init__(self, members: int, context: Any) -> None:
        #: Epoch of the newest decision of each kind, and when the last candidate one was made.
        self.serving = context.Array("q", members, lock=False)
        self.turned = context.Array("q", members, lock=False)
        self.last = context.Array("d", members, lock=False)
        #: Number and arrival of the newest message.
        self.message = context.Array("q", members, lock=False)
        self.heard = context.Array("d", members, lock=False)
        #: Decisions made, brought up to date at every turn.
        self.decisions = context.Array("q", members, lock=False)
        self.stop = context.Event()


#: Number, rate, migration, URL, channel, and where to tell.
Member = Callable[[int, int, str, str, str, Told], None]


class Fleet:
    """``members`` processes under load: ``rate`` decisions a second each, 0 for a busy loop.

    ``member`` is what each runs, by default a router beside a plain subscriber.
    """

    def __init__(
        self, members: int, rate: int, migration: str, url: str, channel: str,
        member: Member | None = None,
    ) -> None:  # fmt: skip
        context = multiprocessing.get_context("spawn")
        self.told = Told(members, context)
        self.processes = [
            context.Process(
                target=member or _member,
                args=(number, rate, migration, url, channel, self.told),
                daemon=True,
            )
            for number in range(members)
        ]

    def __enter__(self) -> Fleet:
        for process in self.processes:
            process.start()
        return self

    def __exit__(self, *raised: object) -> None:
        self.told.stop.set()
        for process in self.processes:
            process.join(PATIENCE)

    def wait(self, holds: Callable[[], bool]) -> None:
        """Until ``holds``; ``RuntimeError`` when a member ended or patience did."""
        deadline = now() + PATIENCE
        while not holds():
            if now() > deadline or not all(process.is_alive() for process in self.processes):
                raise RuntimeError("a member of the fleet ended, or never answered")
            time.sleep(LOOK)


def _member(number: int, rate: int, migration: str, url: str, channel: str, told: Told) -> None:
    threading.Thread(target=_listen, args=(number, url, channel, told), daemon=True).start()
    with Router(migration, url) as router:
        router.wait_ready(PATIENCE)
        decide(router.route, number, rate, told)


def decide(route: Callable[[str], Any], number: int, rate: int, told: Told) -> None:
    """The load: decisions on changing keys, and the time after each that the candidate got."""
    keys = [f"subject-{number}-{n}" for n in range(997)]
    between = 1.0 / rate if rate else 0.0
    made, last, on, due = 0, 0.0, False, now()
    parent = os.getppid()
    while not told.stop.is_set() and os.getppid() == parent:
        for key in keys:
            decision = route(key)
            made += 1
            if decision.system == "candidate":
                last = now()
                if not on:
                    told.serving[number], on = decision.epoch, True
            elif on:
                told.last[number], told.decisions[number] = last, made
                told.turned[number], on = decision.epoch, False
            if between:
                due += between
                time.sleep(max(0.0, due - now()))


def _listen(number: int, url: str, channel: str, told: Told) -> None:
    """The bare subscriber: nothing but redis-py, blocked on its socket."""
    # Ends with its process, whose last act may be to break this connection.
    with suppress(redis.ConnectionError), redis.Redis.from_url(url) as client:
        subscription = client.pubsub(ignore_subscribe_messages=True)
        subscription.subscribe(channel)
        for message in subscription.listen():
            told.heard[number] = now()
            told.message[number] = int(message["data"])
