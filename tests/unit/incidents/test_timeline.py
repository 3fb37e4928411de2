"""The timeline of a rollback, where only a part of the candidate went back."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from switchover.incidents.markdown import render
from switchover.incidents.record import incident_of
from switchover.incidents.slack_thread import mitigated_text, thread_text
from switchover.incidents.timeline import timeline
from switchover.ports import Entry

PLAN = {"title": "Shop", "rollback": {"target": 60.0}}
BACK = {"trigger": "person", "reason": "wrong totals", "incident": "mood-1"}


@pytest.fixture
def component(make_entry: Callable[..., Entry]) -> Callable[..., list[Entry]]:
    """Entries of a component's rollback, measured by so many routers."""

    def make(routers: int = 2, flags: tuple[str, ...] = ("new-search", "facets")) -> list[Entry]:
        return [
            make_entry(1, "started", 0, "ada", plan="p", salt="s", key="string"),
            make_entry(2, "component_rolled_back", 60, "ada", component="search",
                       flags=list(flags), **BACK),
            make_entry(3, "rollback_measured", 61, incident="mood-1", seconds=0.106,
                       routers=routers, complete=True),
        ]  # fmt: skip

    return make


@pytest.mark.req("R2", "R5")
def test_a_components_timeline_names_its_flags_and_not_all_traffic(component: Any) -> None:
    """Report and thread say the same: legacy serves no more than before."""
    entries = component()
    said = [moment.what for moment in timeline(entries)]
    assert said[1:] == [
        "Component search rolled back (person): new-search, facets off, who serves stays; held: "
        "wrong totals",
        "All 2 live routers have new-search, facets of component search off, 0.106 s after the "
        "trigger",
    ]
    incident = incident_of(entries, PLAN, "mood-1")
    for text in (render(incident), mitigated_text(incident)):
        assert "new-search, facets of component search off" in text
        assert "on legacy" not in text


@pytest.mark.req("R2", "R5")
@pytest.mark.parametrize(
    ("routers", "flags", "said"),
    [
        (0, ("facets",), "whichever starts now has facets of component search off"),
        (2, (), "All 2 live routers have no flag of component search, 0.106 s"),
    ],
)
def test_a_component_without_routers_or_flags_is_told_as_it_is(
    component: Any, routers: int, flags: tuple[str, ...], said: str
) -> None:
    """Neither claims that anything turned."""
    assert said in timeline(component(routers, flags))[-1].what


@pytest.mark.req("R1", "R5")
def test_a_rollback_of_everything_still_says_so(make_attempt: Callable[..., list[Entry]]) -> None:
    """The words for one component are for one component."""
    assert timeline(make_attempt())[-1].what.startswith("All 3 live routers route to legacy")


@pytest.mark.req("R2")
def test_the_thread_is_told_which_step_needs_people(make_incident: Callable[..., Any]) -> None:
    """With the command that shows more."""
    frozen = ("rollback_frozen", {"level": "service", "step": "routes", "reason": "503"})
    incident = make_incident(frozen)
    assert incident.severity == "critical"
    told = thread_text(incident, "frozen")
    assert told.startswith("CRITICAL: people are needed: the rollback stopped at its step routes")
    assert "`switchover steps mood`" in told
