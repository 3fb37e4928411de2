"""Several people approve in the Prefect form, each by a personal code that is not kept."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import create_engine, inspect, text

from switchover.clock import SystemClock
from switchover.engine.approve import decide_approval
from switchover.engine.drain import drain
from tests.eventually import eventually

pytestmark = pytest.mark.timeout(300)

STAGES = [
    {"kind": "checks"},
    {"kind": "canary", "percent": 25, "bake": "2s", "approval": True},
    {"kind": "canary", "percent": 100, "bake": "1s"},
]
POLICY = {
    "approvers": ["ada", "bo"],
    "roles": {"ward": ["cleo", "dora"]},
    "min_approvers": 2,
    "require": {"ward": 1},
    "identity": "code",
    "expires": "1h",
}


def inputs(land: Any, run: str) -> dict[str, str]:
    """What Prefect keeps of a run's inputs."""
    body = {"prefix": "", "limit": 200}
    return {
        each["key"]: each["value"] for each in land.call(f"/flow_runs/{run}/input/filter", body)
    }


def places(land: Any, needle: str) -> list[str]:
    """Tables of Prefect's database with a row that holds the text."""
    url = land.stack.postgres.create_database("prefect", driver="psycopg")
    engine = create_engine(url)
    found = []
    with engine.connect() as connection:
        for table in inspect(connection).get_table_names():
            query = text(f'SELECT count(*) FROM "{table}" AS x WHERE CAST(x AS text) LIKE :part')
            if connection.execute(query, {"part": f"%{needle}%"}).scalar_one():
                found.append(table)
    engine.dispose()
    return found


@pytest.mark.req("P6", "INV10")
def test_two_people_approve_in_the_form_and_their_codes_are_not_kept(
    land: Any, journey: Any
) -> None:
    """A wrong code, a first vote and the deciding one, each with the form's next page."""
    approvers = land.context.approvers
    codes = {name: approvers.issue(name) for name in ("ada", "cleo")}
    journey.start(stages=STAGES, approvals=POLICY)
    assert "needs a person's approval" in journey.advance()
    run = journey.suspended()
    approval = journey.case.state.approval.id
    # Prefect writes the page of a form last, a moment after the run is suspended.
    page = f"suspended-{approval}-1-description"
    assert eventually(lambda: page in inputs(land, run))
    form = inputs(land, run)
    schema = form[f"suspended-{approval}-1-schema"]
    assert '"password"' in schema
    fields = json.loads(schema)["properties"]
    bounded = {name: field.get("maxLength") for name, field in fields.items()}
    assert bounded == {"decision": None, "approver": 200, "reason": 2000, "code": 200}
    assert "Still missing: 1 of ward" in form[page]

    answers = [
        ({"approver": "ada", "code": codes["cleo"]}, "Not accepted"),
        (
            {"approver": "ada", "code": codes["ada"], "reason": "good"},
            "approval of ada is recorded",
        ),
    ]
    for number, (answer, said) in enumerate(answers, start=2):
        journey.launcher.resume(run, {"decision": "approve", **answer})
        journey.until(run, {"Running"})
        journey.until(run, {"Suspended"})
        assert said in inputs(land, run)[f"suspended-{approval}-{number}-description"]
    assert "| ada |" in inputs(land, run)[f"suspended-{approval}-3-description"]
    assert journey.case.state.approval.voters == ("ada",)
    assert journey.case.state.split == 0

    journey.launcher.resume(run, {"decision": "approve", "approver": "cleo", "code": codes["cleo"]})
    kind, _, message = journey.ended(run)
    assert (kind, "canary 25 % begins" in message) == ("COMPLETED", True), message
    [voted] = journey.entries("approval_voted")
    [decided] = journey.entries("approval_decided")
    for entry, name in ((voted, "ada"), (decided, "cleo")):
        known = (entry.payload["approver"], entry.payload["via"], entry.payload["identity"])
        assert known == (name, "prefect", "code")
    assert len(journey.entries("noted")) == 1

    assert not [key for key in inputs(land, run) if key.endswith("-response")]
    for name, code in codes.items():
        assert places(land, code) == [], name
    assert places(land, approval), "the search finds what is there"


@pytest.mark.req("P6", "INV4")
def test_a_step_whose_run_died_after_the_decision_is_taken_all_the_same(
    land: Any, journey: Any
) -> None:
    """The decision is in the ledger, and a later effect starts what the dead run did not do."""
    journey.start(stages=STAGES, approvals={"approvers": ["ada"], "expires": "1h"})
    assert "needs a person's approval" in journey.advance()
    journey.suspended()
    decide_approval(land.context, journey.migration, "approve", approver="ada", via="prefect")

    class Later(SystemClock):
        def now(self) -> datetime:
            return super().now() + timedelta(minutes=3)

    drain(replace(land.context, clock=Later()))
    rows = {row["key"]: row for row in land.ledger.effects(journey.migration)}
    [release] = [row for key, row in rows.items() if key.endswith(":release")]
    kind, _, message = journey.ended(release["result"]["run"])
    assert (kind, "canary 25 % begins" in message) == ("COMPLETED", True), message
    assert journey.case.state.split == 2500
