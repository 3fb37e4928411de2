"""The checks of the suite find what is broken: each is shown a fault of its kind."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
import redis

from switchover.connection import redis_key
from switchover.ledger import SqlLedger
from tests.faults.arena import Arena
from tests.faults.crew import Driver
from tests.faults.journey import Site
from tests.faults.outside import changes, difference, milestones, outside
from tests.faults.relay import Relay
from tests.faults.table import Findings
from tests.faults.trial import Outcome, Trial


@pytest.fixture(scope="module")
def finished(arena: Arena) -> Site:
    """A journey that was rolled back."""
    site = arena.site("rollback by hand")
    assert Driver(site, "rollback by hand").report().names
    return site


def _posts_twice(site: Site) -> Callable[[], None]:
    site.slack.messages.append(
        next(m for m in site.slack.messages if site.slug in m["metadata"]["event_payload"]["key"])
    )
    return lambda: site.slack.messages.pop() and None


def _proxy_goes_back(site: Site) -> Callable[[], None]:
    file = Path(site.directory / "proxy")
    before = file.read_text()
    file.write_text(before + "1 5000\n")
    return lambda: file.write_text(before) and None


def _publish(site: Site, **changed: object) -> Callable[[], None]:
    """Put a document among those that routers saw."""
    with redis.Redis.from_url(site.redis) as client:
        document = replace(changes(site)[-1], **changed).to_json()  # type: ignore[arg-type]
        entry = client.xadd(redis_key(site.slug, "changes"), {"document": document})

    def take_back() -> None:
        with redis.Redis.from_url(site.redis) as client:
            client.xdel(redis_key(site.slug, "changes"), entry)

    return take_back


def _serves_again(site: Site) -> Callable[[], None]:
    epoch = changes(site)[-1].epoch + 1
    return _publish(site, mode="gradual", split=1000, halt="", epoch=epoch)


def _execute(site: Site, statement: str, back: str) -> Callable[[], None]:
    def execute(what: str) -> None:
        ledger = SqlLedger(site.database, b"key")
        with ledger.engine.begin() as connection:
            connection.exec_driver_sql(what)
        ledger.close()

    execute(statement)
    return lambda: execute(back)


def _forgets_an_effect(site: Site) -> Callable[[], None]:
    return _execute(site, "UPDATE effects SET status = 'pending' WHERE kind = 'page'",
                    "UPDATE effects SET status = 'done'")  # fmt: skip


BREAKS: dict[str, tuple[Callable[[Site], Callable[[], None]], str]] = {
    "a message twice": (_posts_twice, "was posted 2 times"),
    "an older epoch at a proxy": (_proxy_goes_back, "the proxy's epochs went back"),
    "an older epoch in routing": (
        lambda site: _publish(site, epoch=1, turned=0),
        "epochs went back",
    ),
    "traffic after a halt": (_serves_again, "serves the candidate after halt"),
    "an effect not done": (_forgets_an_effect, "is pending"),
}


@pytest.mark.req("INV4", "INV3", "INV5")
@pytest.mark.parametrize("broken", BREAKS)
def test_what_is_broken_is_found(finished: Site, broken: str) -> None:
    """And is found no more once it is mended."""
    do, told = BREAKS[broken]
    mend = do(finished)
    try:
        with pytest.raises(AssertionError, match=told):
            outside(finished)
    finally:
        mend()
    assert outside(finished)["phase"] == "rolled_back"


@pytest.mark.req("INV4")
def test_another_end_is_told_in_words(finished: Site) -> None:
    """A missing entry and another phase are named."""
    seen = outside(finished)
    other = {**seen, "phase": "complete", "entries": seen["entries"][:-1]}
    assert "phase: 'complete' instead of 'rolled_back'" in difference(other, seen)
    assert "rollback_measured" in difference(other, seen)
    assert difference(milestones(other), milestones(seen)) != ""
    assert difference(seen, seen) == ""


@pytest.mark.req("INV4")
def test_a_lost_reply_is_lost_after_the_request_took_effect(arena: Arena) -> None:
    """The relay forwards the request, and the client hears nothing."""
    with Relay(arena.redis.url, frozenset({8})) as relay:
        client = redis.Redis.from_url(relay.url, retry=None)
        key, lost = "relayed", 0
        for _ in range(8):
            try:
                client.incr(key)
            except redis.ConnectionError:
                lost += 1
        client.close()
    assert (lost, relay.lost) == (1, 1)
    with redis.Redis.from_url(arena.redis.url) as direct:
        assert direct.getdel(key) == b"8"


@pytest.mark.req("INV4")
def test_the_table_counts_and_names_the_command_that_shows_a_violation_again() -> None:
    """One row per kind of fault, and a total."""
    findings = Findings()
    trial = Trial("call/flags/sqlite/3/after", "flags", "then", lambda arena: Outcome())
    findings.add(trial, Outcome(kills=1, resumed=1, seconds=0.5))
    findings.add(trial, Outcome(kills=1, seconds=2.0, faults=["lost"]))
    assert (findings.total.kills, findings.total.violations) == (2, 1)
    assert "| flags | then |      2 |     2 |       1 |          1 |      2.0 s |" in (
        findings.table()
    )
    assert findings.violations[0]["again"] == (
        "make faults ARGS=\"--only 'call/flags/sqlite/3/after'\""
    )
