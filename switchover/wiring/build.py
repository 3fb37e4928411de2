"""Build the ports from settings. Imports are inside, so that a command pays for what it uses."""

from __future__ import annotations

from typing import TYPE_CHECKING

from switchover.clock import SystemClock
from switchover.engine.context import Context, ItemPorts
from switchover.wiring.handlers import handlers
from switchover.wiring.lazy import (
    LazyActions,
    LazyAdapters,
    LazyChecks,
    LazyData,
    LazyProbes,
    open_items,
    sources,
)
from switchover.wiring.rehearsals import LiveRehearsals
from switchover.wiring.settings import Settings

if TYPE_CHECKING:
    from switchover.launcher.prefect_events import PrefectEvents
    from switchover.ledger.announcements import SqlAnnouncements
    from switchover.ledger.approvers import SqlApprovers
    from switchover.ledger.repository import SqlLedger
    from switchover.plan.spec import Plan
    from switchover.ports import TrafficSplits
    from switchover.spool.files import FileSpool


def build_context(settings: Settings) -> Context:
    """Everything the use cases need, connected to the operator's servers.

    Nothing connects before it is used: a rollback must not wait for a database that is down.
    """
    from switchover.observe.stream import RedisBlockStream
    from switchover.routing.guard_beats import RedisGuards
    from switchover.routing.item_tracker import RedisItemTracker
    from switchover.routing.store import RedisRoutingStore

    def splits(plan: Plan) -> TrafficSplits:
        from switchover.routing.proxies import open_splits

        return open_splits(plan.migration, plan.proxies, allow_programs=settings.allow_commands)

    ledger = build_ledger(settings)
    return Context(
        ledger=ledger,
        routing=RedisRoutingStore(settings.redis_url),
        stream=RedisBlockStream(settings.redis_url),
        clock=SystemClock(),
        checks=LazyChecks(settings.allow_commands),
        adapters=LazyAdapters(),
        data=LazyData(),
        handlers=handlers(settings, ledger),
        splits=splits,
        items=ItemPorts(open_items, RedisItemTracker(settings.redis_url)),
        sources=sources,
        approvers=build_approvers(ledger),
        guards=RedisGuards(settings.redis_url, settings.guards),
        probes=LazyProbes(settings.allow_commands, ledger),
        actions=LazyActions(settings.allow_commands),
        rehearsals=LiveRehearsals(settings.redis_url, settings.state_dir / "drills"),
        spool=build_spool(settings),
    )


def build_spool(settings: Settings) -> FileSpool:
    """What this host keeps for the servers of these settings."""
    from switchover.spool.files import FileSpool

    # Cut by hand: no password, and an address that nobody can read must not stop a rollback here.
    redis, database = (
        url.rpartition("@")[2].partition("?")[0]
        for url in (settings.redis_url, settings.database_url)
    )
    return FileSpool(settings.state_dir / "spool", (redis, database))


def build_ledger(settings: Settings) -> SqlLedger:
    """The ledger, for those who audit it."""
    from switchover.ledger.repository import SqlLedger

    return SqlLedger(settings.database_url, key=settings.audit_key)


def build_approvers(ledger: SqlLedger) -> SqlApprovers:
    """The register of approvers, beside the ledger."""
    from switchover.ledger.approvers import SqlApprovers

    return SqlApprovers(ledger)


def build_announcements(context: Context) -> SqlAnnouncements:
    """Up to where the ledger was announced, over the connections that the ledger has already."""
    from switchover.ledger.announcements import SqlAnnouncements
    from switchover.ledger.repository import SqlLedger

    if not isinstance(context.ledger, SqlLedger):
        raise TypeError(f"announcements are kept beside a ledger in SQL, not {context.ledger!r}")
    return SqlAnnouncements(context.ledger.engine)


def build_events(settings: Settings) -> PrefectEvents:
    """Prefect's events. Nobody waits for them, so it is asked with little patience."""
    from switchover.launcher.prefect_events import PrefectEvents
    from switchover.launcher.session import PrefectSession

    auth = settings.prefect_auth or None
    return PrefectEvents(PrefectSession(settings.prefect_api_url, auth, 3.0))
