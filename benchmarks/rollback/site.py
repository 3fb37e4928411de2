"""A migration that serves the candidate, again and again, on real servers."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from benchmarks.overhead.fleet import servers
from switchover.engine.advance import take_step
from switchover.engine.context import Context
from switchover.engine.errands import Errands
from switchover.engine.reconcile import reconcile
from switchover.engine.roll_back import roll_back
from switchover.engine.start import start
from switchover.plan.load import LoadedPlan, digest, restore_plan
from switchover.testing.embedded import PrefectServer
from switchover.testing.embedded.ports import free_port
from switchover.testing.incidents import work_through
from switchover.testing.slack import SlackServer
from switchover.wiring import build_context, load_settings

CHANNEL = "bench"
#: What is down, and the settings that no longer reach it.
DOWN = {
    "nothing": (),
    "Prefect": ("PREFECT_API_URL",),
    "SQL": ("SWITCHOVER_DATABASE_URL",),
    "Slack": ("SWITCHOVER_SLACK_API_URL",),
    "all three": ("PREFECT_API_URL", "SWITCHOVER_DATABASE_URL", "SWITCHOVER_SLACK_API_URL"),
}


@dataclass(frozen=True, slots=True)
class Site:
    """``context`` reaches all servers; ``broken`` has one for each case of :data:`DOWN`."""

    url: str
    context: Context
    broken: dict[str, Context]
    errands: dict[str, Errands]

    def serve(self, name: str) -> int:
        """Give everything to the candidate, in a new attempt where one was rolled back; gives the
        epoch of it."""
        if any(state.migration == name for state in self.context.ledger.migrations()):
            reconcile(self.context, name)
            work_through(self.context, name, actor="bench")
        start(self.context, _plan(name), actor="bench")
        take_step(self.context, name, actor="bench")
        return self.context.open(name).state.epoch

    def back(self, name: str, down: str) -> None:
        """Roll back as a guard does: traffic and record; a thread of its own tells people."""
        words = {"actor": "bench", "trigger": "person", "reason": "bench"}
        outcome = roll_back(self.broken[down], name, **words)
        if outcome.recorded:  # there is no outbox without the database
            self.errands[down].call()


@contextmanager
def site(directory: Path) -> Iterator[Site]:
    """PostgreSQL, Valkey, a Prefect server, and a Slack that answers on loopback."""
    # What is down on purpose is no news.
    logging.getLogger("switchover").setLevel(logging.ERROR)
    with (
        servers(directory) as (settings, postgres),
        SlackServer(channels={CHANNEL: "C0000BENCH"}) as slack,
        PrefectServer(postgres.create_database("prefect", "asyncpg")) as prefect,
        ExitStack() as threads,
    ):
        settings |= prefect.env
        settings["SWITCHOVER_SLACK_TOKEN"] = slack.token
        settings["SWITCHOVER_SLACK_API_URL"] = slack.base_url
        broken = {down: _without(settings, names) for down, names in DOWN.items()}
        errands = {
            down: threads.enter_context(Errands(each, threads=1))
            for down, each in broken.items()
            if "SWITCHOVER_DATABASE_URL" not in DOWN[down]
        }
        context = build_context(load_settings(settings))
        yield Site(settings["SWITCHOVER_REDIS_URL"], context, broken, errands)
        for each in errands.values():
            each.end(1.0)


def _without(settings: dict[str, str], names: tuple[str, ...]) -> Context:
    """The engine where those servers have ended: nothing listens at their addresses."""
    closed = f"127.0.0.1:{free_port()}"
    gone = {
        "PREFECT_API_URL": f"http://{closed}/api",
        "SWITCHOVER_DATABASE_URL": f"postgresql+psycopg://nobody@{closed}/gone",
        "SWITCHOVER_SLACK_API_URL": f"http://{closed}/api/",
    }
    context = build_context(load_settings({**settings, **{name: gone[name] for name in names}}))
    # To draw a report's picture takes longer than a round, and would be in the way of the next one.
    return replace(context, handlers={**context.handlers, "incident_report": lambda _: {}})


def _plan(name: str) -> LoadedPlan:
    plan: dict[str, Any] = {
        "switchover": 1,
        "migration": name,
        "title": name,
        "systems": {
            "legacy": {"version": "1", "url": "http://127.0.0.1:1"},
            "candidate": {"version": "2", "url": "http://127.0.0.1:2"},
        },
        "request_key": {"field": "id"},
        "stages": [{"kind": "canary", "percent": 100, "bake": "24h"}],
        "gates": [{"metric": "success_rate"}],
        "notify": {"slack_channel": f"#{CHANNEL}"},
        "rollback": {"criteria": []},
    }
    return LoadedPlan(
        plan=restore_plan(plan), directory=Path.cwd(), files=(), source="",
        digest=digest(plan), document=plan,
    )  # fmt: skip
