"""Manifests are checked against the schemas of Kubernetes and Compose, as no cluster is at hand."""

from __future__ import annotations

import importlib
import io
import json
import re
from pathlib import Path
from typing import Any

import jsonschema_rs
import kubernetes_validate
import pytest
import typer
from ruamel.yaml import YAML

from deployments.__main__ import main
from deployments.parts import POOL, parts
from switchover.cli.main import VERBS
from switchover.wiring import load_settings

#: An old and a recent version of Kubernetes that the objects are checked against.
KUBERNETES = ("1.30", "1.36")


def rendered(capsys: pytest.CaptureFixture[str], *arguments: str) -> list[Any]:
    """What the command prints, read again as YAML."""
    assert main([*arguments, "--image", "switchover:test"]) == 0
    return list(YAML(typ="safe").load_all(io.StringIO(capsys.readouterr().out)))


def containers(objects: list[Any]) -> list[Any]:
    pods = [made["spec"]["template"]["spec"] for made in objects if "template" in made["spec"]]
    return [container for pod in pods for container in pod["containers"]]


@pytest.mark.req("P12")
@pytest.mark.parametrize("version", KUBERNETES)
def test_every_object_fits_the_schema_of_kubernetes(
    capsys: pytest.CaptureFixture[str], version: str
) -> None:
    """Strictly: a key that the schema does not know is a fault, too."""
    objects = rendered(capsys, "kubernetes")
    assert len(objects) > 8
    for made in objects:
        kubernetes_validate.validate(made, version, strict=True)


@pytest.mark.req("P12")
def test_a_misspelt_key_would_be_found(capsys: pytest.CaptureFixture[str]) -> None:
    """The schema check can fail."""
    deployment = next(
        made for made in rendered(capsys, "kubernetes") if made["kind"] == "Deployment"
    )
    deployment["spec"]["replica"] = 2
    with pytest.raises(kubernetes_validate.ValidationError):
        kubernetes_validate.validate(deployment, KUBERNETES[-1], strict=True)


@pytest.mark.req("P12")
def test_services_and_policies_select_pods_that_exist(capsys: pytest.CaptureFixture[str]) -> None:
    """A selector that matches nothing is valid, and useless."""
    objects = rendered(capsys, "kubernetes", "--namespace", "clinic")
    labels = [
        made["spec"]["template"]["metadata"]["labels"]
        for made in objects
        if "template" in made["spec"]
    ]
    for made in objects:
        assert made["metadata"]["namespace"] == "clinic"
        selector = made["spec"].get("podSelector") or made["spec"].get("selector")
        if selector is not None:
            wanted = selector.get("matchLabels", selector)
            assert any(wanted.items() <= pod.items() for pod in labels), made["metadata"]["name"]
    services = {made["metadata"]["name"] for made in objects if made["kind"] == "Service"}
    urls = {
        entry["value"]
        for container in containers(objects)
        for entry in container["env"]
        if entry["name"] == "PREFECT_API_URL"
    }
    hosts = {re.match(r"http://([^:]+):4200/api$", url)[1] for url in urls}  # type: ignore[index]
    assert hosts <= services


@pytest.mark.req("P12")
def test_no_secret_is_written_into_a_manifest(capsys: pytest.CaptureFixture[str]) -> None:
    """Kubernetes refers to a secret of the operator; Compose asks for a password and has none."""
    for container in containers(rendered(capsys, "kubernetes")):
        for entry in container["env"]:
            if re.search(r"URL$|AUTH|KEY|TOKEN|SECRET", entry["name"]):
                known = entry["name"] == "PREFECT_API_URL"
                assert known or "secretKeyRef" in entry["valueFrom"], entry["name"]
    [compose] = rendered(capsys, "compose")
    for service in compose["services"].values():
        for name, value in service["environment"].items():
            if re.search(r"PASSWORD|_AUTH|KEY|TOKEN|SECRET|DATABASE_|REDIS_URL", name):
                assert "${" in value, name


@pytest.mark.req("P12")
def test_pods_run_without_rights_and_within_limits(capsys: pytest.CaptureFixture[str]) -> None:
    """No root, no writable root file system, no capabilities, a limit of memory."""
    for container in containers(rendered(capsys, "kubernetes")):
        rights = container["securityContext"]
        assert rights["readOnlyRootFilesystem"]
        assert rights["capabilities"] == {"drop": ["ALL"]}
        assert container["resources"]["limits"]["memory"]


@pytest.mark.req("R8", "R9")
def test_reports_runbooks_and_orders_that_wait_are_written_to_volumes(
    capsys: pytest.CaptureFixture[str],
) -> None:
    """The root file system is read-only, and a restart of a container must lose no order."""
    for container in containers(rendered(capsys, "kubernetes")):
        mounts = {Path(each["mountPath"]) for each in container["volumeMounts"]}
        env = {entry["name"]: entry.get("value", "") for entry in container["env"]}
        kept_apart(env, mounts)
    [compose] = rendered(capsys, "compose")
    for service in compose["services"].values():
        mounts = {Path(each.split(":")[1]) for each in service.get("volumes", [])}
        kept_apart(service["environment"], mounts)


def kept_apart(environment: dict[str, str], mounts: set[Path]) -> None:
    """Whatever a process of Switchover writes is below a mount."""
    if "SWITCHOVER_STATE_DIR" not in environment:
        return
    settings = load_settings(environment)
    for folder in (settings.state_dir, settings.incidents_dir, settings.runbooks_dir):
        assert mounts & {folder, *folder.parents}, folder


@pytest.mark.req("R8")
def test_the_unit_of_systemd_starts_a_guard_that_says_it_lives() -> None:
    """It is of the type whose messages the guard sends, and its verb and options exist."""
    text = Path("deployments/switchover-watch.service").read_text(encoding="utf-8")
    unit = dict(line.split("=", 1) for line in text.splitlines() if "=" in line and line[0] != "#")
    assert unit["Type"] == "notify"
    assert float(unit["WatchdogSec"]) > 30, "longer than a sweep with every server silent"
    program, verb, *options = unit["ExecStart"].split()
    assert Path(program).name == "switchover"
    command = typer.main.get_command(importlib.import_module(f"switchover.cli.{verb}").app)
    known = {name for each in command.params for name in each.opts}
    assert {option for option in options if option.startswith("--")} <= known


@pytest.mark.req("P12")
def test_the_compose_file_fits_its_schema(capsys: pytest.CaptureFixture[str]) -> None:
    """Types and keys are right, and every volume, config and service that is named is defined."""
    [compose] = rendered(capsys, "compose")
    schema = json.loads(Path(__file__).with_name("compose_schema.json").read_text())
    jsonschema_rs.validator_for(schema).validate(compose)
    for service in compose["services"].values():
        assert set(service.get("depends_on", {})) <= set(compose["services"])
        volumes = {volume.split(":")[0] for volume in service.get("volumes", [])}
        assert volumes <= set(compose["volumes"])
        for needed in service.get("depends_on", {}):
            assert "healthcheck" in compose["services"][needed], needed


@pytest.mark.req("P12")
def test_compose_publishes_on_loopback_only(capsys: pytest.CaptureFixture[str]) -> None:
    """Prefect's API is code execution; a published port must not leave the machine."""
    [compose] = rendered(capsys, "compose")
    ports = [port for service in compose["services"].values() for port in service.get("ports", [])]
    assert ports
    assert all(port.startswith("127.0.0.1:") for port in ports)


@pytest.mark.req("P12")
def test_the_parts_run_commands_that_exist() -> None:
    """A verb that was renamed would otherwise be noticed in production."""
    for part in parts():
        if part.command[0] == "switchover":
            assert part.command[1] in VERBS, part.command
    worker = next(part for part in parts() if part.name == "worker")
    flows = YAML(typ="safe").load(Path("prefect.yaml").read_text())["deployments"]
    assert {flow["work_pool"]["name"] for flow in flows} == {POOL}
    assert POOL in worker.command


@pytest.mark.req("P12")
def test_as_many_workers_as_asked(capsys: pytest.CaptureFixture[str]) -> None:
    """The number of workers is the one thing that everybody changes."""
    objects = rendered(capsys, "kubernetes", "--workers", "5")
    counts = {
        made["metadata"]["name"]: made["spec"]["replicas"]
        for made in objects
        if made["kind"] == "Deployment"
    }
    assert counts["switchover-worker"] == 5
    [compose] = rendered(capsys, "compose", "--workers", "5")
    assert compose["services"]["worker"]["deploy"] == {"replicas": 5}
    with pytest.raises(SystemExit):
        main(["compose", "--image", "x", "--workers", "0"])
