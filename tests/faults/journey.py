"""A migration driven from outside, the way flows drive it, by processes that may be killed."""

from __future__ import annotations

import os
import re
import signal
from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from switchover.engine.advance import take_step
from switchover.engine.approve import decide_approval
from switchover.engine.assess import due
from switchover.engine.context import Context, Handler
from switchover.engine.drain import drain
from switchover.engine.monitor import look, watched
from switchover.engine.project import snapshot_of
from switchover.engine.start import start
from switchover.engine.work import record_data, record_work
from switchover.errors import InputError
from switchover.judge.block import Block
from switchover.ledger import SqlLedger, verify
from switchover.machine.action import Ask, CheckData, Enter, Wait, Work
from switchover.machine.snapshot import Snapshot
from switchover.machine.state import TERMINAL, State
from switchover.observe.stream import RedisBlockStream
from switchover.plan.load import LoadedPlan, digest, restore_plan
from switchover.ports import CheckResult
from switchover.routing.store import RedisRoutingStore
from switchover.wiring.handlers import handlers
from switchover.wiring.settings import load_settings

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


class Fuse:
    """Kills this process after the N-th write that it lets through; 0 never does."""

    def __init__(self, kill_at: int = 0) -> None:
        self.kill_at, self.names = kill_at, list[str]()

    def guard(self, target: Any, *methods: str) -> Any:
        """``target``, whose ``methods`` count."""
        return _Guarded(self, target, frozenset(methods))

    def call(self, name: str, work: Callable[..., Any], *args: Any, **words: Any) -> Any:
        """Do the work and count it."""
        answer = work(*args, **words)
        self.names.append(name)
        if len(self.names) == self.kill_at:
            os.kill(os.getpid(), signal.SIGKILL)
        return answer


class _Guarded:
    def __init__(self, fuse: Fuse, target: Any, methods: frozenset[str]) -> None:
        self._fuse, self._target, self._methods = fuse, target, methods

    def __getattr__(self, name: str) -> Any:
        found = getattr(self._target, name)
        if name not in self._methods:
            return found
        return lambda *args, **words: self._fuse.call(name, found, *args, **words)


class Site:
    """Where one journey takes place: its servers, its clock, its files. Without a ``slack``
    side effects stay in the outbox."""

    def __init__(self, directory: Path, slug: str, database: str, redis: str, slack: Any = None,
                 prefect: Any = None, **changes: Any) -> None:  # fmt: skip
        self.slug, self.database, self.redis = slug, database, redis
        self.slack, self.prefect = slack, prefect
        self.incidents = directory / "incidents"
        self.clock = FileClock(directory / "clock")
        self.plan = plan_of(slug, **changes)
        self._ledgers: list[SqlLedger] = []

    def close(self) -> None:
        """Close the connections of every context that this process made."""
        for ledger in self._ledgers:
            ledger.close()

    def context(self, fuse: Fuse | None = None) -> Context:
        """A context of this process, each of whose writes the fuse counts."""
        fuse = fuse or Fuse()
        self._ledgers.append(SqlLedger(self.database, b"key"))
        ledger = fuse.guard(
            self._ledgers[-1],
            "create", "append", "ingest", "claim_effects", "finish_effect", "fail_effect",
        )  # fmt: skip
        return Context(
            ledger=ledger,
            routing=fuse.guard(RedisRoutingStore(self.redis), "write", "halt"),
            stream=fuse.guard(RedisBlockStream(self.redis), "append", "trim"),
            clock=self.clock,
            checks=None,  # type: ignore[arg-type]  # the work is done by the driver below
            adapters=None,  # type: ignore[arg-type]
            data=None,  # type: ignore[arg-type]
            handlers=self._handlers(fuse, ledger) if self.slack else {},
        )

    def _handlers(self, fuse: Fuse, ledger: Any) -> dict[str, Handler]:
        settings = load_settings({
            "SWITCHOVER_STATE_DIR": str(self.incidents.parent),
            "PREFECT_API_URL": self.prefect.api_url,
            "SWITCHOVER_SLACK_TOKEN": self.slack.token,
            "SWITCHOVER_SLACK_API_URL": self.slack.base_url,
            "SWITCHOVER_INCIDENTS_DIR": str(self.incidents),
        })  # fmt: skip
        return {
            kind: lambda effect, kind=kind, handler=handler: fuse.call(kind, handler, effect)
            for kind, handler in handlers(settings, ledger).items()
        }


def drive(site: Site, context: Context, *, bad: bool) -> None:
    """Go on from wherever the journey is, to its end: complete, or rolled back when ``bad``."""
    try:
        context.ledger.read(site.slug)
    except InputError:
        start(context, site.plan, actor="carl")
    for _ in range(60):
        drain(context)
        if not move_on(site, context, bad):
            break
    for _ in range(12):
        for name in watched(context):
            look(context, name, actor="monitor")
        drain(context)
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


def move_on(site: Site, context: Context, bad: bool = False) -> bool:
    """One look and one move, as flows and people make them; False at the end."""
    look(context, site.slug, actor="monitor")
    case = context.open(site.slug)
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
    """What a recorder saw at the end of this stage's bake time. After a kill it ships the same
    blocks again."""
    blocks = [
        Block(f"{state.migration}/{state.attempt}/{state.stage}/{system}", state.migration,
              "success_rate", system, state.not_before - 60, 60.0, SHIPPED,
              SHIPPED // 2 if bad and system == "candidate" else 20)
        for system in ("legacy", "candidate")
    ]  # fmt: skip
    context.stream.append(state.migration, [block.to_json() for block in blocks])  # type: ignore[attr-defined]


def outside(site: Site) -> dict[str, Any]:
    """All that can be seen of a journey from outside, without what differs by chance; every
    invariant that holds for any journey is checked on the way."""
    ledger = SqlLedger(site.database, b"key")
    try:
        return _outside(site, replace(site.context(), ledger=ledger), ledger)
    finally:
        ledger.close()
        site.close()


def _bare(snapshot: Snapshot) -> Snapshot:
    """Without its place in time: a halt's epoch is counted in routing, before the ledger's."""
    return replace(snapshot, epoch=0, turned=0)


def _outside(site: Site, context: Context, ledger: SqlLedger) -> dict[str, Any]:
    assert verify(ledger, site.slug) == []
    case, entries = context.open(site.slug), ledger.entries(site.slug)
    stored, halt = context.routing.read(site.slug), context.routing.halted(site.slug)
    assert stored is not None
    wanted = snapshot_of(case)
    assert stored.epoch >= wanted.epoch or stored == wanted
    assert _bare(stored) == _bare(wanted), "routing is not the projection"
    assert (halt.id if halt else "") == (case.state.halt if case.state.incident else "")
    effects = ledger.effects(site.slug)
    assert {effect["status"] for effect in effects} <= {"done"}
    evidence = ledger.evidence(site.slug) or {"blocks": 0}
    counted = sum(row["n"] for row in ledger.rates(site.slug, "success_rate"))
    assert counted == SHIPPED * evidence["blocks"], "evidence is counted more than once"
    messages = Counter(
        message["metadata"]["event_payload"]["key"] for message in site.slack.messages
    )
    assert set(messages.values()) <= {1}, f"a message was posted twice: {messages}"
    runs = site.prefect.runs
    assert all(run["state"] != "PAUSED" for run in runs.values()), "a run waits for nobody"
    return {
        "phase": case.state.phase.value,
        "entries": [(e.kind, e.actor, _plain(site, e.payload)) for e in entries],
        "routing": (stored.mode, stored.split, stored.shadow, stored.flags),
        "blocks": evidence["blocks"],
        "effects": sorted(_name(site, effect["key"]) for effect in effects),
        "messages": sorted(_name(site, key) for key in messages),
        "runs": sorted(_name(site, key) for key in runs),
        "resumed": sorted(run["resumed"] for run in runs.values()),
        "reports": len(list(site.incidents.glob("*.md"))),
    }


#: Fields whose value is a moment, or says how long something took.
_MOMENTS = {"at", "not_before", "expires_at", "seconds", "evidence", "sentence", "salt", "plan",
            "stored_plan"}  # fmt: skip


def _plain(site: Site, payload: dict[str, Any]) -> dict[str, Any]:
    kept = {k: v for k, v in payload.items() if k not in _MOMENTS and k != "reading"}
    verdict = (payload.get("reading") or {}).get("verdict", "")
    return {k: _name(site, v) for k, v in kept.items()} | {
        "verdict": verdict or kept.get("verdict")
    }


def _name(site: Site, value: Any) -> Any:
    """A value without the journey's name and the random part of an id."""
    if not isinstance(value, str):
        return value
    return re.sub(rf"{re.escape(site.slug)}-[0-9a-f]{{10,12}}", "ID", value).replace(site.slug, "M")
