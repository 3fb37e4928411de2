"""A process dies between doing a thing outside and writing down that it is done."""

from __future__ import annotations

import shutil
from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest

from switchover.engine.advance import take_step
from switchover.engine.approve import decide_approval
from switchover.engine.context import Context
from switchover.engine.drain import LEASE, RETRY_MOST, drain
from switchover.engine.roll_back import roll_back
from switchover.ledger import upgrade
from switchover.testing.slack import SlackServer, Trouble
from tests.faults.journey import Site, walk
from tests.faults.prefect_stand_in import PrefectStandIn

_STAGES = [
    {"kind": "checks"},
    {"kind": "canary", "percent": 10, "bake": "1h"},
    {"kind": "canary", "percent": 50, "bake": "1h", "approval": True},
]


class Killed(BaseException):
    """Stands for SIGKILL: nothing in the engine catches it."""


class DiesBeforeFinishing:
    """A ledger whose process ends before the first ``finish_effect`` of a key is written."""

    def __init__(self, ledger: Any, suffix: str) -> None:
        self._ledger, self._suffix = ledger, suffix

    def __getattr__(self, name: str) -> Any:
        return getattr(self._ledger, name)

    def finish_effect(self, key: str, result: dict[str, Any]) -> None:
        if key.endswith(self._suffix):
            raise Killed
        self._ledger.finish_effect(key, result)


@pytest.fixture
def site(tmp_path: Path, redis_url: str, sqlite_url: str) -> Iterator[Site]:
    """A migration that stands before an approval, with Slack and Prefect at hand."""
    upgrade(sqlite_url)
    with SlackServer() as slack, PrefectStandIn() as prefect:
        slug = f"e-{uuid4().hex[:8]}"
        made = Site(tmp_path, slug, sqlite_url, redis_url, slack, prefect, stages=_STAGES)
        walk(made, made.context(), stage=1)
        drain(made.context())
        yield made
        made.close()


def drain_all(site: Site, context: Context) -> None:
    """Let time pass and drain until every effect is done."""
    for _ in range(10):
        drain(context)
        if all(effect["status"] == "done" for effect in context.ledger.effects(site.slug)):
            return
        site.clock.move(site.clock.timestamp + LEASE + RETRY_MOST * 1.3)
    raise AssertionError(context.ledger.effects(site.slug))


def keys(site: Site) -> Counter[str]:
    """How often people saw each message."""
    return Counter(m["metadata"]["event_payload"]["key"] for m in site.slack.messages)


@pytest.mark.req("INV4", "P9")
def test_a_page_that_was_posted_and_not_written_down_is_seen_once(site: Site) -> None:
    """The next process looks for the message before it posts another."""
    context = site.context()
    outcome = roll_back(context, site.slug, actor="bo", trigger="person", reason="smoke")
    with pytest.raises(Killed):
        drain(replace(context, ledger=DiesBeforeFinishing(context.ledger, ":page")))
    assert keys(site)[f"{outcome.incident}:page"] == 1
    drain_all(site, context)
    assert set(keys(site).values()) == {1}
    assert f"{outcome.incident}:page:measured" in keys(site)


@pytest.mark.req("INV4", "P9", "R8")
def test_slack_that_takes_a_message_and_never_answers_shows_it_once(site: Site) -> None:
    """The answer got lost, and the retry finds the message."""
    context = site.context()
    roll_back(context, site.slug, actor="bo", trigger="person", reason="smoke")
    site.slack.trouble("chat.postMessage", Trouble(0, done=True), Trouble(0, done=True))
    drain_all(site, context)
    assert set(keys(site).values()) == {1}


@pytest.mark.req("INV4", "R5")
def test_a_report_that_was_written_and_not_noted_stays_one_file(site: Site) -> None:
    """Rendering it again keeps the file, and the picture beside it."""
    context = site.context()
    roll_back(context, site.slug, actor="bo", trigger="person", reason="smoke")
    for suffix in (":report", ":report:measured"):
        with pytest.raises(Killed):
            drain(replace(context, ledger=DiesBeforeFinishing(context.ledger, suffix)))
        site.clock.move(site.clock.timestamp + LEASE + 1)
    drain_all(site, context)
    assert sorted(path.suffix for path in site.incidents.iterdir()) == [".md", ".png"]


@pytest.mark.req("R8", "P9")
def test_a_directory_that_can_not_be_written_keeps_nobody_from_being_paged(site: Site) -> None:
    """The report is written with its picture when it can be."""
    context = site.context()
    site.incidents.write_text("in the way")
    roll_back(context, site.slug, actor="bo", trigger="person", reason="smoke")
    drained = drain(context)
    assert any("report" in failure for failure in drained.failed)
    assert any(key.endswith(":page") for key in keys(site))
    site.incidents.unlink()
    drain_all(site, context)
    assert sorted(path.suffix for path in site.incidents.iterdir()) == [".md", ".png"]
    shutil.rmtree(site.incidents)


@pytest.mark.req("INV4", "P6")
def test_an_approve_run_that_was_started_and_not_written_down_is_still_ended(site: Site) -> None:
    """Ending it waits until it is known; otherwise a person would find a form for nothing."""
    context = site.context()
    assert take_step(context, site.slug, actor="flow").action == "ask"
    with pytest.raises(Killed):
        drain(replace(context, ledger=DiesBeforeFinishing(context.ledger, ":run")))
    decide_approval(context, site.slug, "approve", approver="ada", via="cli")
    drained = drain(context)
    assert any("not known to be started" in failure for failure in drained.failed)
    drain_all(site, context)
    waiting = [run for key, run in site.prefect.runs.items() if key.endswith(":run")]
    assert [(run["state"], run["resumed"]) for run in waiting] == [("COMPLETED", 1)]


@pytest.mark.req("P6", "INV4")
def test_a_run_that_is_not_suspended_yet_is_ended_once_it_is(site: Site) -> None:
    """Prefect takes seconds to start a run; a decision may be faster."""
    context = site.context()
    take_step(context, site.slug, actor="flow")
    drain(context)
    (run,) = site.prefect.runs.values()
    run["state"] = "PENDING"
    decide_approval(context, site.slug, "reject", approver="ada", via="slack")
    assert any("still PENDING" in failure for failure in drain(context).failed)
    run["state"] = "PAUSED"
    drain_all(site, context)
    assert (run["state"], run["resumed"]) == ("COMPLETED", 1)
