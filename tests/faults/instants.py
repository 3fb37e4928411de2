"""Faults at random instants of a journey: processes and servers die, stall, or answer nobody."""

from __future__ import annotations

import random
import signal
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial

from tests.faults.arena import Arena
from tests.faults.crew import Driver
from tests.faults.journey import Site
from tests.faults.relay import Relay
from tests.faults.trial import Outcome, Trial, finish

#: Journeys that are disturbed: what has to survive is in each of them.
JOURNEYS = ("complete", "rollback by the judge", "retry after a rollback", "flags",
            "rollback while asked", "approval expires: hold")  # fmt: skip


@dataclass
class Crew:
    """The drivers of one journey under attack. ``hit`` is when the last fault was."""

    arena: Arena
    site: Site
    scenario: str
    chance: random.Random
    outcome: Outcome = field(default_factory=Outcome)
    drivers: list[Driver] = field(default_factory=list)
    hit: float = 0.0

    def join(self) -> Driver:
        """One more driver."""
        driver = Driver(self.site, self.scenario, seed=self.chance.random())
        self.drivers.append(driver)
        return driver

    def wait(self) -> bool:
        """Let some part of a second pass; False when the journey has ended meanwhile."""
        time.sleep(self.chance.uniform(0.02, 0.9))
        return any(driver.alive for driver in self.drivers)

    def count(self, hit: bool = True) -> None:
        """A fault that found the journey alive."""
        if hit:
            self.outcome.kills += 1
        self.hit = time.monotonic()

    def end(self) -> None:
        """Let all drivers come to their end; whoever was killed is not asked."""
        for driver in self.drivers:
            report = driver.report()
            if report.error:
                self.outcome.faults.append(report.error)


def _driver_killed(crew: Crew) -> None:
    """The only driver, three times, each time replaced."""
    crew.join()
    for _ in range(3):
        if not crew.wait():
            return
        crew.count(crew.drivers[-1].kill())
        crew.join()


def _one_of_two_killed(crew: Crew) -> None:
    """Two drivers compete; each is killed at some time, and replaced."""
    crew.join(), crew.join()
    for _ in range(4):
        if not crew.wait():
            return
        crew.count(crew.chance.choice([d for d in crew.drivers if d.alive]).kill())
        crew.join()


def _redis_killed(crew: Crew) -> None:
    crew.join()
    for _ in range(2):
        if not crew.wait():
            return
        crew.arena.redis.process.kill()
        crew.count()
        time.sleep(crew.chance.uniform(0, 0.3))
        crew.arena.redis.start()


def _redis_emptied(crew: Crew) -> None:
    crew.join()
    if not crew.wait():
        return
    crew.arena.redis.process.kill()
    crew.count()
    for file in (crew.arena.redis.directory / "appendonlydir").iterdir():
        file.unlink()
    crew.arena.redis.start()


def _postgresql_killed(crew: Crew) -> None:
    crew.join()
    for _ in range(2):
        if not crew.wait():
            return
        crew.arena.postgres.process.kill()
        crew.count()
        time.sleep(crew.chance.uniform(0, 0.3))
        crew.arena.postgres.start()


def _all_killed(crew: Crew) -> None:
    """A power failure: the driver, Redis and PostgreSQL at once."""
    crew.join()
    if not crew.wait():
        return
    crew.count(crew.drivers[-1].kill())
    crew.arena.redis.process.kill()
    crew.arena.postgres.process.kill()
    crew.outcome.kills += 2
    crew.arena.redis.start()
    crew.arena.postgres.start()


def _stalled(crew: Crew) -> None:
    """One driver stands still, for longer than its lease by the clock, while another goes on."""
    first = crew.join()
    if not crew.wait():
        return
    crew.count(first.signal(signal.SIGSTOP))
    second = crew.join()
    deadline = time.monotonic() + 8  # it may have stopped with a row locked
    while second.alive and time.monotonic() < deadline:
        time.sleep(0.05)
    crew.site.clock.move(crew.site.clock.timestamp + 120)
    first.signal(signal.SIGCONT)


def _clock_jumps(crew: Crew) -> None:
    """Forward by up to an hour, back by up to half of one."""
    crew.join()
    for _ in range(3):
        if not crew.wait():
            return
        clock = crew.site.clock
        clock.move(clock.timestamp + crew.chance.uniform(-1800, 3600))
        crew.count()


def _undisturbed_pair(crew: Crew) -> None:
    """Nothing dies: two drivers from the first moment."""
    crew.join(), crew.join()
    crew.count()


@contextmanager
def _relayed(crew: Crew, server: str, lose: frozenset[int]) -> Iterator[Relay]:
    site = crew.site
    direct = site.redis, site.database
    urls = {"Redis": site.redis, "PostgreSQL": site.database,
            "Prefect": site.prefect.api_url, "Slack": site.slack.base_url}  # fmt: skip
    with Relay(urls[server], lose) as relay:
        if server == "Redis":
            site.redis = relay.url
        elif server == "PostgreSQL":
            site.database = relay.url
        else:
            site.detour = {server: relay.url}
        try:
            yield relay
        finally:
            site.redis, site.database = direct
            site.detour = {}


def _replies_lost(server: str, upto: int, crew: Crew) -> None:
    """The requests arrive and have their effect, and nobody hears of it: up to four of them."""
    lose = frozenset(crew.chance.randint(1, upto) for _ in range(4))
    with _relayed(crew, server, lose) as relay:
        crew.join()
        crew.end()
        crew.outcome.kills += relay.lost
        crew.hit = relay.last
    crew.drivers.clear()


@dataclass(frozen=True)
class Kind:
    """A kind of fault, as a row of the table: ``weight`` of all that fall at random instants."""

    name: str
    what: str
    attack: Callable[[Crew], None]
    weight: int = 1
    database: str = "postgresql"
    journeys: tuple[str, ...] = JOURNEYS


_ANY = "at a random instant"
KINDS = {
    kind.name: kind
    for kind in (
        Kind("driver", "the process that drives", _driver_killed, 3),
        Kind("two-drivers", "one of two competing drivers", _one_of_two_killed, 3),
        Kind("redis", "Redis, restarted with its data", _redis_killed, 2),
        Kind("redis-empty", "Redis, restarted empty", _redis_emptied, 2),
        Kind("postgresql", "PostgreSQL", _postgresql_killed, 2),
        Kind("power", "driver, Redis and PostgreSQL at once", _all_killed),
        Kind("pair", "nothing: two drivers all the way", _undisturbed_pair),
        Kind("stall", "a driver stands still past its lease", _stalled),
        Kind("clock", "the clock jumps forward or back", _clock_jumps),
        Kind("reply-redis", "replies of Redis are lost", partial(_replies_lost, "Redis", 400)),
        Kind("reply-postgresql", "replies of PostgreSQL are lost",
             partial(_replies_lost, "PostgreSQL", 600)),
        Kind("reply-prefect", "replies of Prefect are lost", partial(_replies_lost, "Prefect", 6),
             journeys=("complete", "rollback while asked", "approval expires: hold")),
        Kind("reply-slack", "replies of Slack are lost", partial(_replies_lost, "Slack", 12)),
    )
}  # fmt: skip


def instant(kind: str, scenario: str, seed: int) -> Trial:
    """One journey with faults of one kind."""
    return Trial(f"instant/{kind}/{scenario}/{seed}", KINDS[kind].what, _ANY,
                 partial(_attack, kind, scenario, seed))  # fmt: skip


def _attack(kind: str, scenario: str, seed: int, arena: Arena) -> Outcome:
    fault = KINDS[kind]
    arena.undisturbed(scenario)
    chance = random.Random(f"{kind}/{scenario}/{seed}")
    crew = Crew(arena, arena.site(scenario, fault.database), scenario, chance)
    try:
        fault.attack(crew)
        crew.end()
    finally:
        for driver in crew.drivers:
            driver.kill()
        for server in (arena.redis, arena.postgres):
            if not server.process.running:
                server.start()
    if crew.outcome.faults:
        return crew.outcome
    return finish(arena, crew.site, scenario, crew.outcome, crew.hit or time.monotonic(),
                  exact=False)  # fmt: skip


def instants(chance: random.Random, rounds: int) -> list[Trial]:
    """So many rounds; in each, every kind as often as its weight."""
    return [
        instant(kind.name, chance.choice(kind.journeys), chance.randrange(10**6))
        for _ in range(rounds)
        for kind in KINDS.values()
        for _ in range(kind.weight)
    ]
