"""Health as a platform asks for it: alive, and ready with every dependency named."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import httpx
import pytest

from switchover.api.app import build_app
from switchover.api.serve import assemble
from switchover.errors import DependencyUnavailable
from switchover.ports.guards import GuardBeat
from switchover.routing.guard_beats import RedisGuards
from tests.eventually import eventually
from tests.integration.api.conftest import World, listening

GONE = "127.0.0.1:9"


@pytest.mark.req("O7")
def test_ready_when_everything_answers(world: World) -> None:
    """Ledger, Redis and Prefect, without a credential."""
    assert httpx.get(world.url + "/health").json() == {"status": "alive"}
    answer = httpx.get(world.url + "/ready")
    assert answer.status_code == 200
    assert answer.json() == {
        "status": "ready", "ledger": "up", "redis": "up", "prefect": "up",
        "guards": "watched by no guard, by monitor every minute",
    }  # fmt: skip


@pytest.mark.req("O7")
def test_ready_counts_the_guards_that_are_wanted(world: World) -> None:
    """Too few of them is a fault only where the operator says how many there should be."""
    with listening(assemble(replace(world.settings, guards=1))) as url:
        answer = httpx.get(url + "/ready", timeout=30)
        assert answer.status_code == 503
        assert "guards: down" in answer.json()["error"]
        RedisGuards(world.settings.redis_url).say(GuardBeat("host:1", 1.0, 0.01, 3))
        assert eventually(lambda: httpx.get(url + "/ready", timeout=30).status_code == 200)
        assert httpx.get(url + "/ready").json()["guards"].startswith("watched by 1 guard, last")
    RedisGuards(world.settings.redis_url).leave("host:1")


@pytest.mark.req("O7")
@pytest.mark.parametrize(
    ("name", "setting"),
    [
        ("ledger", {"database_url": f"postgresql://nobody:s3cr3t@{GONE}/x"}),
        ("redis", {"redis_url": f"redis://:s3cr3t@{GONE}/0"}),
        ("prefect", {"prefect_api_url": f"http://{GONE}/api", "prefect_auth": "admin:s3cr3t"}),
    ],
)
def test_a_dependency_that_is_down_is_named(
    world: World, name: str, setting: dict[str, Any]
) -> None:
    """503 names it and tells strangers neither address nor credential; the process lives."""
    with listening(assemble(replace(world.settings, **setting))) as url:
        answer = httpx.get(url + "/ready", timeout=30)
        assert answer.status_code == 503
        said = answer.json()["error"]
        assert f"{name}: " in said
        assert said.count(": ") == 2, "the others are up"
        assert GONE not in answer.text
        assert "s3cr3t" not in answer.text
        assert httpx.get(url + "/health").status_code == 200


@pytest.mark.req("O7")
def test_a_silent_dependency_has_a_deadline_and_is_not_asked_by_everybody(world: World) -> None:
    """Who says nothing counts as away; ten questions at once are one question to it."""
    asked: list[float] = []

    def silent() -> None:
        asked.append(time.monotonic())
        time.sleep(4)

    def broken() -> None:
        raise RuntimeError("a fault of the probe")

    def away() -> None:
        raise DependencyUnavailable("that", "gone")

    probes: dict[str, Callable[[], None]] = {"silent": silent, "broken": broken, "away": away}
    with listening(build_app(world.context, probes)) as url:
        first = httpx.get(url + "/ready", timeout=30)
        assert first.status_code == 503
        assert "away: down, broken: down, silent: no answer in time" in first.json()["error"]
        for _ in range(10):
            assert httpx.get(url + "/ready", timeout=30).status_code == 503
    assert len(asked) <= 3


@pytest.mark.req("O7")
def test_an_empty_database_is_ready(world: World, tmp_path: Path) -> None:
    """Nothing was started yet: that is no outage."""
    settings = replace(world.settings, database_url=f"sqlite:///{tmp_path / 'new.sqlite'}")
    with listening(assemble(settings)) as url:
        assert httpx.get(url + "/ready", timeout=30).status_code == 200
