"""Example of an automation: an event starts a deployment of yours.

python -m deployments.automations --event switchover.rolled_back --run operations/call-vendor
"""

from __future__ import annotations

import argparse
import difflib
import sys
from typing import Any

from switchover.errors import SwitchoverError
from switchover.launcher.session import PrefectSession
from switchover.machine.event import KINDS
from switchover.wiring import load_settings


def automation(name: str, event: str, deployment: str) -> dict[str, Any]:
    """A run of the deployment with id ``deployment`` for each ``event``; the run's parameter
    ``migration`` is the name of the migration that it happened to."""
    return {
        "name": name,
        "description": "Made by `python -m deployments.automations`.",
        "tags": ["switchover"],
        "trigger": {
            "type": "event",
            "posture": "Reactive",
            "match": {"prefect.resource.id": "switchover.migration.*"},
            "expect": [event],
            "for_each": ["prefect.resource.id"],
            "threshold": 1,
            "within": 0,
        },
        "actions": [
            {
                "type": "run-deployment",
                "source": "selected",
                "deployment_id": deployment,
                "parameters": {
                    "migration": {
                        "__prefect_kind": "jinja",
                        "template": "{{ event.payload.migration }}",
                    }
                },
            }
        ],
    }


def install(session: PrefectSession, name: str, event: str, deployment: str) -> str:
    """Create the automation, or bring the one of that name up to date; gives its id."""
    target = session.get(f"/deployments/name/{deployment}", what=f"the deployment {deployment}")
    document = automation(name, event, target["id"])
    criteria = {"automations": {"name": {"any_": [name]}}}
    known = session.post("/automations/filter", criteria, what="the automations")
    if known:
        session.put(f"/automations/{known[0]['id']}", document, what=f"the automation {name}")
        return str(known[0]["id"])
    made = session.post("/automations/", document, what=f"the automation {name}")
    return str(made["id"])


def main(arguments: list[str] | None = None) -> int:
    """Install it on the server that the settings name."""
    parser = argparse.ArgumentParser(prog="python -m deployments.automations", description=__doc__)
    parser.add_argument("--event", required=True, help="like switchover.rolled_back")
    parser.add_argument("--run", required=True, help="your deployment, as flow/name")
    parser.add_argument("--name", help="of the automation; default: made of both")
    given = parser.parse_args(arguments)
    known = [f"switchover.{kind}" for kind in KINDS]
    if given.event not in known:
        close = difflib.get_close_matches(given.event, known, n=1)
        meant = f"did you mean {close[0]}?" if close else "docs/reference/events.md lists all"
        parser.error(f"Switchover sends no event {given.event!r}; {meant}")
    settings = load_settings()
    session = PrefectSession(settings.prefect_api_url, settings.prefect_auth or None, 10.0)
    name = given.name or f"{given.event} runs {given.run}"
    try:
        identity = install(session, name, given.event, given.run)
    except SwitchoverError as error:
        print(error, file=sys.stderr)
        return error.exit_code
    finally:
        session.close()
    print(f"{name}: {identity}")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
