"""SIGKILL before and after numbered calls of each scenario: run again, and nothing shows it."""

from __future__ import annotations

import random

import pytest

from tests.faults.arena import Arena
from tests.faults.crew import Driver
from tests.faults.numbered import numbered
from tests.faults.outside import difference, outside
from tests.faults.scenarios import SCENARIOS

pytestmark = pytest.mark.timeout(300)

#: Kills in each scenario here; `make faults` does the others.
SAMPLE = 1


def _kill_some(arena: Arena, scenario: str, database: str, kills: int) -> None:
    chance = random.Random(f"{scenario}/{database}")
    for trial in chance.sample(numbered(arena, scenario, database), kills):
        outcome = trial.run(arena)
        assert outcome.faults == [], trial.name
        assert outcome.resumed == 1


@pytest.mark.req("INV4", "INV1", "INV2", "INV3", "INV5")
@pytest.mark.parametrize("scenario", SCENARIOS)
def test_a_journey_killed_at_a_call_ends_as_if_it_had_not_been(arena: Arena, scenario: str) -> None:
    """Same entries, same routing, each message, run and block once, whatever the journey."""
    _kill_some(arena, scenario, "sqlite", SAMPLE)


@pytest.mark.req("INV4")
@pytest.mark.parametrize("scenario", ["complete", "rollback by the judge", "work items"])
def test_on_postgresql_a_kill_leaves_no_trace_either(arena: Arena, scenario: str) -> None:
    """The same on the database of real deployments."""
    _kill_some(arena, scenario, "postgresql", SAMPLE)


@pytest.mark.req("INV4")
@pytest.mark.parametrize("scenario", ["complete", "rollback by the judge"])
def test_a_journey_killed_again_and_again_ends_as_if_it_had_not_been(
    arena: Arena, scenario: str
) -> None:
    """No run gets further than a few calls, and the last one finds nothing out of place."""
    wanted, _ = arena.undisturbed(scenario)
    site, chance, kills = arena.site(scenario), random.Random(11), 0
    while (report := Driver(site, scenario, kill_at=chance.randint(3, 15)).report()).killed:
        kills += 1
        assert kills < 200, "no progress"
    assert report.error == ""
    assert kills > 4
    assert difference(outside(site), wanted) == ""


@pytest.mark.req("INV4")
def test_every_kind_of_call_is_numbered(arena: Arena) -> None:
    """The scenarios together make each call by which the engine changes the world."""
    made = {name for scenario in SCENARIOS for name in arena.undisturbed(scenario)[1]}
    assert made >= {
        "create", "append", "ingest", "claim_effects", "finish_effect", "write", "halt", "read",
        "trim", "discard", "apply", "remember", "set_states", "start_flow", "end_approval",
        "incident_report", "page", "page_update", "ask_people", "notice", "runbook",
        "ask_update", "release_step", "freeze", "unfreeze",
    }  # fmt: skip
