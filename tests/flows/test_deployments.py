"""What ``prefect deploy --all`` registers."""

from __future__ import annotations

from typing import Any

import pytest

from switchover.testing.embedded.stack import deploy

pytestmark = pytest.mark.timeout(300)

#: Deployment -> its parameters and which of them must be given.
FORMS = {
    "advance/advance": ({"migration", "actor"}, {"migration"}),
    "monitor/monitor": (set(), set()),
    "approve/approve": ({"migration", "approval"}, {"migration", "approval"}),
    "rollback/rollback": (
        {"migration", "reason", "actor", "level", "component", "dry_run", "incident"},
        {"migration", "reason", "actor"},
    ),
    "parallel_checks/parallel_checks": ({"migration", "actor"}, {"migration"}),
    "shadow/shadow": ({"migration", "actor"}, {"migration"}),
    "adapter_validation/adapter_validation": ({"migration", "actor"}, {"migration"}),
    "staged_canary/staged_canary": ({"migration", "actor"}, {"migration"}),
    "notice/notice": ({"migration", "stakeholder"}, {"migration", "stakeholder"}),
    "review/review": ({"migration"}, {"migration"}),
    "drill/drill": ({"migration", "actor"}, {"migration"}),
}  # fmt: skip


@pytest.mark.req("P12")
def test_all_flows_are_deployed_with_a_form_for_their_parameters(land: Any) -> None:
    """Every deployment names its fields, their types, what they mean, and which must be given."""
    assert land.registered.keys() == FORMS.keys()
    for name, (fields, required) in FORMS.items():
        deployment = land.registered[name]
        schema = deployment["parameter_openapi_schema"]
        assert schema["properties"].keys() == fields, name
        assert set(schema.get("required", [])) == required, name
        for field in schema["properties"].values():
            assert field["type"] in ("string", "boolean"), name
            assert len(field["description"]) > 10, name
        assert deployment["enforce_parameter_schema"], name
        assert deployment["description"], name
        assert deployment["tags"] == ["switchover"], name
        assert deployment["entrypoint"].startswith("flows."), name


@pytest.mark.req("R2", "P12")
def test_the_rollback_form_begins_with_all_traffic_of_the_service(land: Any) -> None:
    """Whoever only says which migration, why and who they are rolls it back: the level is a choice
    of three, a dry run a switch that is off, and what only machines fill in comes last."""
    fields = land.registered["rollback/rollback"]["parameter_openapi_schema"]["properties"]
    assert sorted(fields, key=lambda name: fields[name]["position"]) == [
        "migration", "reason", "actor", "level", "component", "dry_run", "incident",
    ]  # fmt: skip
    assert fields["level"]["enum"] == ["component", "service", "system"]
    given = {name: field["default"] for name, field in fields.items() if "default" in field}
    assert given == {"level": "service", "component": "", "dry_run": False, "incident": ""}


@pytest.mark.req("P7")
def test_monitor_runs_every_minute_and_advance_by_the_plans(land: Any) -> None:
    """The generic flows know no migration: what runs by a plan's clock comes with the plan."""
    (minute,) = land.registered["monitor/monitor"]["schedules"]
    assert minute["schedule"]["interval"] == 60
    assert minute["active"]
    assert land.registered["advance/advance"]["schedules"] == []
    assert land.registered["advance/advance"]["parameters"] == {}


@pytest.mark.req("P12")
def test_deploying_again_duplicates_nothing_and_wakes_no_paused_schedule(land: Any) -> None:
    """A second deployment keeps ids and schedules; what people paused stays paused."""
    before = land.deployments()
    deploy(land.stack.root, land.stack.env)
    after = land.deployments()
    assert {name: each["id"] for name, each in after.items()} == {
        name: each["id"] for name, each in before.items()
    }
    for name, deployment in after.items():
        assert len(deployment["schedules"]) == len(before[name]["schedules"]), name
        assert not any(schedule["active"] for schedule in deployment["schedules"]), name
