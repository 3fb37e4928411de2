"""A migration driven from outside, the way flows drive it, by processes that may be killed."""

from __future__ import annotations

import os
import sqlite3
from collections import Counter
from collections.abc import Callable
from contextlib import closing
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

from switchover.engine.advance import take_step
from switchover.engine.approve import decide_approval
from switchover.engine.assess import due
from switchover.engine.context import Case, Context, Handler, ItemPorts
from switchover.engine.drain import drain
from switchover.engine.monitor import discard, look, watched
from switchover.engine.start import start
from switchover.engine.work import record_data, record_work
from switchover.errors import InputError
from switchover.integrity.items import SqlItemStore
from switchover.judge.block import Block
from switchover.ledger import SqlLedger
from switchover.machine.action import Ask, CheckData, Enter, Wait, Work
from switchover.machine.state import TERMINAL, State
from switchover.observe.stream import RedisBlockStream
from switchover.plan.load import LoadedPlan, digest, restore_plan
from switchover.ports import CheckResult
from switchover.routing.item_tracker import RedisItemTracker
from switchover.routing.store import RedisRoutingStore
from switchover.wiring.handlers import handlers
from switchover.wiring.settings import load_settings
from tests.faults.file_proxy import FileProxy
from tests.faults.fuse import Fuse

NOON = datetime(2026, 1, 5, 12, tzinfo=UTC).timestamp()
#: Observations in one block of traffic; each stage gets one block per system.
SHIPPED = 2000

PLAN: dict[str, Any] = {
    "switchover": 1,
    "migration": "journey",
    "title": "Journey",
    "systems": {
        "legacy": {"version": "1", "url": "http://127.0.0.1:1"},
        "candidate": {"version": "2", "url": "http://127.0.0.1:2"},
    },
    "request_key": {"field": "id"},
    "checks": [{"name": "up", "kind": "health"}],
    "stages": [
        {"kind": "checks"},
        {"kind": "shadow", "bake": "1h"},
        {"kind": "adapters"},
        {"kind": "canary", "percent": 10, "bake": "1h"},
        {"kind": "canary", "percent": 100, "bake": "1h", "approval": True},
    ],
    "data_checks": [
        {"name": "rows", "database": "env:X", "table": "t",
         "expectations": [{"expect": "column_values_to_not_be_null"}]},
    ],
    "judgement": {"no_data_after": "2h"},
    "gates": [{"metric": "success_rate", "at_least": "90%"}],
    "approvals": {"approvers": ["ada", "bo"], "expires": "10h"},
    "notify": {"slack_channel": "#mood-migration"},
    "rollback": {"flags": ["new-format"]},
    "proxies": [{"kind": "haproxy", "address": "127.0.0.1:1"}],
}  # fmt: skip


def plan_of(slug: str, **changes: Any) -> LoadedPlan:
    """The test plan under another name."""
    document = {**PLAN, "migration": slug, **changes}
    return LoadedPlan(restore_plan(document), Path("/"), (), "", digest(document), document)


class FileClock:
    """A clock that processes share and that a kill does not set back."""

    def __init__(self, file: Path) -> None:
        self._file = file

    def now(self) -> datetime:
        return datetime.fromtimestamp(self.timestamp, UTC)

    @property
    def timestamp(self) -> float:
        return float(self._file.read_text()) if self._file.exists() else NOON

    def move(self, to: float) -> None:
        """Go to a moment, forward or back."""
        new = self._file.with_suffix(f".{os.getpid()}")
        new.write_text(repr(to))
        new.replace(self._file)


class Doors(NamedTuple):
    """How the stand-ins of Slack and Prefect are reached from another process."""

    token: str
    base_url: str
    api_url: str


class Site:
    """Where one journey takes place: its servers, its clock, its files. Without a ``slack``
    side effects stay in the outbox. It may be sent to another process."""

    def __init__(self, directory: Path, slug: str, database: str, redis: str, slack: Any = None,
                 prefect: Any = None, **changes: Any) -> None:  # fmt: skip
        self.directory, self.slug, self.database, self.redis = directory, slug, database, redis
        self.slack, self.prefect, self.changes = slack, prefect, changes
        self.incidents = directory / "incidents"
        self.clock = FileClock(directory / "clock")
        self.proxy = FileProxy(directory / "proxy")
        self.plan = plan_of(slug, **changes)
        #: Where Slack or Prefect are reached instead, by name.
        self.detour: dict[str, str] = {}
        self._ledgers: list[SqlLedger] = []

    def __reduce__(self) -> Any:
        doors = None
        if self.slack is not None:
            doors = Doors(
                self.slack.token,
                self.detour.get("Slack", self.slack.base_url),
                self.detour.get("Prefect", self.prefect.api_url),
            )
        where = (self.directory, self.slug, self.database, self.redis, doors, doors)
        return partial(Site, **self.changes), where

    def close(self) -> None:
        """Close the connections of every context that this process made."""
        for ledger in self._ledgers:
            ledger.close()

    def context(self, fuse: Fuse | None = None) -> Context:
        """A context of this process, each of whose changes of the world the fuse counts."""
        fuse = fuse or Fuse()
        self._ledgers.append(SqlLedger(self.database, b"key"))
        ledger = fuse.guard(
            self._ledgers[-1], "create", "append", "ingest", "keep_samples", "claim_effects",
            "finish_effect", "fail_effect", "freeze", "unfreeze",
        )  # fmt: skip
        return Context(
            ledger=ledger,
            routing=fuse.guard(RedisRoutingStore(self.redis), "write", "halt"),
            stream=fuse.guard(
                RedisBlockStream(self.redis), "read", "append", "trim", "discard", "forget"
            ),
            clock=self.clock,
            checks=None,  # type: ignore[arg-type]  # the work is done by the driver below
            adapters=None,  # type: ignore[arg-type]
            data=None,  # type: ignore[arg-type]
            handlers=self._handlers(fuse, ledger) if self.slack else {},
            splits=lambda plan: fuse.guard(self.proxy, "apply"),
            items=ItemPorts(
                lambda table, side: fuse.guard(
                    SqlItemStore(table, side, self.tables), "set_states"
                ),
                fuse.guard(RedisItemTracker(self.redis), "remember"),
            ),
        )

    @property
    def tables(self) -> dict[str, str]:
        """Where each side keeps its work items, by the variable that the plan names."""
        return {side: f"sqlite:///{self._table(side)}" for side in ("LEGACY", "CANDIDATE")}

    def fill(self) -> None:
        """Give both sides six work items, of which three disagree."""
        for side, odd in (("LEGACY", "done"), ("CANDIDATE", "open")):
            with closing(sqlite3.connect(self._table(side))) as connection, connection:
                connection.execute("CREATE TABLE items (id INTEGER PRIMARY KEY, state TEXT)")
                rows = [(key, odd if key % 2 else "running") for key in range(6)]
                connection.executemany("INSERT INTO items VALUES (?, ?)", rows)

    def items(self) -> list[tuple[str, int, str]]:
        """The work items of both sides, where there are any."""
        found = []
        for side in ("LEGACY", "CANDIDATE"):
            if self._table(side).exists():
                with closing(sqlite3.connect(self._table(side))) as connection:
                    rows = connection.execute("SELECT id, state FROM items ORDER BY id")
                    found += [(side, *row) for row in rows]
        return found

    def _table(self, side: str) -> Path:
        return self.directory / f"{side.lower()}.sqlite"

    def _handlers(self, fuse: Fuse, ledger: Any) -> dict[str, Handler]:
        settings = load_settings({
            "SWITCHOVER_STATE_DIR": str(self.directory),
            "PREFECT_API_URL": self.prefect.api_url,
            "SWITCHOVER_SLACK_TOKEN": self.slack.token,
            "SWITCHOVER_SLACK_API_URL": self.slack.base_url,
            "SWITCHOVER_INCIDENTS_DIR": str(self.incidents),
        })  # fmt: skip
        return {
            kind: lambda effect, kind=kind, handler=handler: fuse.call(kind, handler, effect)
            for kind, handler in handlers(settings, ledger).items()
        }


class Moment(NamedTuple):
    """Where a journey is: ``wrote`` counts the kinds of its entries."""

    site: Site
    context: Context
    case: Case
    wrote: Counter[str]


#: What people do on the way: looks where the journey is, does at most one thing, and says
#: whether it did. After a kill it is asked again, so it goes by what is on record.
Act = Callable[[Moment], bool]


def nobody(moment: Moment) -> bool:
    """Nobody does anything out of the ordinary."""
    return False


def drive(site: Site, context: Context, *, bad: bool = False, act: Act = nobody) -> None:
    """Go on from wherever the journey is to its end, and until no side effect is left."""
    try:
        context.ledger.read(site.slug)
    except InputError:
        start(context, site.plan, actor="carl")
    for _ in range(120):
        drain(context)
        if not move_on(site, context, bad, act):
            break
    else:
        raise AssertionError(f"no end: {context.open(site.slug).state}")
    for _ in range(12):
        for name in watched(context):
            look(context, name, actor="monitor")
        drain(context)
        discard(context)
        if all(effect["status"] == "done" for effect in context.ledger.effects(site.slug)):
            return
        site.clock.move(site.clock.timestamp + 300)
    raise AssertionError(f"effects are left over: {context.ledger.effects(site.slug)}")


def walk(site: Site, context: Context, stage: int) -> None:
    """Start, and go to ``stage`` until the next step is due."""
    start(context, site.plan, actor="carl")
    while True:
        case = context.open(site.slug)
        if case.state.stage == stage and isinstance(due(case), Ask | Enter):
            return
        assert move_on(site, context)


def move_on(site: Site, context: Context, bad: bool = False, act: Act = nobody) -> bool:
    """One look and one move, as flows and people make them; False at the end."""
    look(context, site.slug, actor="monitor")
    case = context.open(site.slug)
    wrote = Counter(entry.kind for entry in context.ledger.entries(site.slug))
    if act(Moment(site, context, case, wrote)):
        return True
    if case.state.phase in TERMINAL:
        return False
    action, result = due(case), [CheckResult("up", True, "fine", 0.1)]
    if isinstance(action, Work):
        record_work(context, site.slug, case.stage.kind, result, actor="flow")
    elif isinstance(action, CheckData):
        record_data(context, site.slug, result, actor="flow")
    elif isinstance(action, Ask | Enter):
        take_step(context, site.slug, actor="flow")
    elif isinstance(action, Wait) and action.code == "approval":
        decide_approval(context, site.slug, "approve", approver="ada", via="cli")
    elif isinstance(action, Wait) and context.timestamp < case.state.not_before:
        site.clock.move(case.state.not_before + 1)
    else:
        ship(context, case.state, bad and case.stage.kind == "canary")
    return True


def ship(context: Context, state: State, bad: bool = False) -> None:
    """What a recorder saw until now, which is the end of this stage's bake time or later. After
    a kill it ships the same blocks again."""
    send(context, state, {"legacy": 20, "candidate": SHIPPED // 2 if bad else 20})


def send(context: Context, state: State, failed: dict[str, int], name: str = "",
         n: int = SHIPPED) -> None:  # fmt: skip
    """Ship a block of the last minute for each system, ``n`` requests with so many failures."""
    at = context.timestamp
    name = name or f"{state.attempt}/{state.stage}/{at - NOON:.0f}"
    blocks = [
        Block(f"{state.migration}/{name}/{system}", state.migration, "success_rate", system,
              at - 60, 60.0, n, bad)
        for system, bad in failed.items()
    ]  # fmt: skip
    context.stream.append(state.migration, [block.to_json() for block in blocks])  # type: ignore[attr-defined]
