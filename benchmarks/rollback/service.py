"""A service whose candidates fail one after another, in one process: what the guard has to see.

Real routers and recorders at their default settings, one of each for a migration. One loop answers
a request of every migration in its turn, as threads of their own would wait for each other.
"""

from __future__ import annotations

import json
import random
import sys
import time
from contextlib import ExitStack
from dataclasses import asdict, dataclass

from switchover.observe.recorder import Recorder
from switchover.routing.router import Router

#: Healthy seconds before a failure, at least.
HEALTHY = 6.0
#: Seconds after the last failure that are waited for the rollbacks.
PATIENCE = 40.0
#: Seconds that go on after a rollback, as a last request may come late.
AFTER = 1.0


@dataclass(frozen=True, slots=True)
class Order:
    """A migration to serve: ``metric`` says how its requests end, a share of ``bad`` fails while
    all is well. One that never ``fails`` goes on so to the end."""

    migration: str
    metric: str
    bad: float = 0.0
    fails: bool = True


@dataclass(frozen=True, slots=True)
class Seen:
    """What was seen of one, in seconds since the Unix epoch; 0 where it never came. ``bad`` are
    the bad answers of the candidate since ``first_bad``."""

    migration: str
    first_bad: float
    last_candidate: float
    bad: int
    turned: bool
    watched: float


class Line:
    """One migration of the service."""

    def __init__(self, order: Order, seed: int, fails_at: float, open_ones: ExitStack) -> None:
        self.order, self._rng, self._number = order, random.Random(seed), 0
        self.fails_at = fails_at
        self._router = open_ones.enter_context(Router(order.migration))
        self._recorder = open_ones.enter_context(
            Recorder(order.migration, epoch=lambda: self._router.epoch)
        )
        self._began, self._first, self._last, self._bad = time.time(), 0.0, 0.0, 0
        self._turned = False

    def answer(self, now: float) -> None:
        """One request."""
        order, self._number = self.order, self._number + 1
        system = self._router.route(f"{order.migration}-{self._number}").system
        failed = order.fails and now >= self.fails_at
        good = not failed and self._rng.random() >= order.bad
        if system == "candidate":
            self._last, self._turned = now, False
            if failed:
                self._first, self._bad = self._first or now, self._bad + 1
        else:
            good = True
            self._turned = self._turned or (self._first > 0.0 and now > self._last + AFTER)
        self._recorder.record(order.metric, good, system=system)
        self._recorder.record("latency", 0.01 + 0.01 * self._rng.random(), system=system)

    def over(self, now: float) -> bool:
        """Whether nothing more is to come of it."""
        return self._turned if self.order.fails else now > self.fails_at

    def seen(self, now: float) -> Seen:
        """What became of it."""
        return Seen(self.order.migration, self._first, self._last, self._bad, self._turned,
                    now - self._began)  # fmt: skip


def serve(orders: list[Order], rate: int, spread: float) -> list[Seen]:
    """Serve ``rate`` requests a second of each until all is over. The failures come within
    ``spread`` seconds, in any order."""
    rng = random.Random(len(orders))
    with ExitStack() as open_ones:
        began, number = time.time(), 0
        lines = [
            Line(order, seed, began + HEALTHY + spread * rng.random(), open_ones)
            for seed, order in enumerate(orders)
        ]
        until = began + HEALTHY + spread + PATIENCE
        while (now := time.time()) < until and not all(line.over(now) for line in lines):
            for line in lines:
                line.answer(time.time())
            number += 1
            time.sleep(max(0.0, began + number / rate - time.time()))
        return [line.seen(now) for line in lines]


if __name__ == "__main__":
    asked = json.load(sys.stdin)
    found = serve([Order(**each) for each in asked["orders"]], asked["rate"], asked["spread"])
    print(json.dumps([asdict(each) for each in found]))
