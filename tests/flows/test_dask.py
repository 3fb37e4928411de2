"""The same work on a Dask cluster of two processes as in threads."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from flows.runner import task_runner
from switchover.errors import InputError
from switchover.wiring import load_settings

pytestmark = pytest.mark.timeout(300)

#: Run in a process of its own: which runner a flow has is settled when it is imported.
PROGRAM = """
import json, os, sys
from switchover.contracts import replay
import switchover.contracts.validate as validate
import flows.runner
from flows.adapter_validation import adapter_validation
from tasks import adapters

validate.RecordedAdapterValidator.__init__.__defaults__ = (500,)  # four parts of 2,000 recordings
migration, told = sys.argv[1:]
runner = adapter_validation.task_runner
adapter_validation(migration, actor="test")
open(told, "w").write(json.dumps({"runner": type(runner).__name__}))
"""


def replayed(land: Any, journey: Any, runner: str) -> tuple[dict[str, Any], dict[str, Any]]:
    """Validate large recordings with a runner; gives what is on record, and what ran it."""
    told = land.directory / f"{journey.migration}.told"
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM, journey.migration, str(told)],
        env={**land.env, "SWITCHOVER_TASK_RUNNER": runner}, capture_output=True, text=True,
        timeout=200, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    (work,) = journey.entries("work_recorded")
    (result,) = work.payload["results"]
    del result["seconds"]
    return result, json.loads(told.read_text()) | {"log": done.stdout + done.stderr}


@pytest.mark.req("P10", "P4")
def test_recordings_replayed_on_a_dask_cluster_give_the_same_result(
    land: Any, journey: Any
) -> None:
    """Two worker processes, the same findings, the same examples at the same lines."""
    answers = [{"score": 7 if n % 400 == 399 else n / 2000, "detail": {}} for n in range(2000)]
    (land.directory / "many.jsonl").write_text("".join(json.dumps(a) + "\n" for a in answers))
    consumer = {"name": "v1", "adapter": "flow_adapters:to_v1", "contract": "v1.schema.json",
                "forbidden": ["detail"], "recordings": "many.jsonl"}  # fmt: skip
    stages = [{"kind": "adapters"}, {"kind": "canary", "percent": 100, "bake": "1s"}]
    other = type(journey)(land, f"{journey.migration[:30]}-dask")
    for each in (journey, other):
        each.start(stages=stages, consumers=[consumer], checks=[])
    threads, first = replayed(land, journey, "threads")
    dask, second = replayed(land, other, "dask")
    assert (first["runner"], second["runner"]) == ("ThreadPoolTaskRunner", "DaskTaskRunner")
    assert "Creating a new Dask cluster" in second["log"]
    assert threads == dask
    assert (dask["detail"]["recordings"], dask["detail"]["passed"]) == (2000, 1995)
    assert [each["line"] for each in dask["detail"]["examples"]] == [400, 800, 1200, 1600, 2000]


@pytest.mark.req("P10")
def test_an_existing_scheduler_is_used_where_its_address_is_given(tmp_path: Path) -> None:
    """Nothing is connected to before there is a task."""
    base = {"SWITCHOVER_STATE_DIR": str(tmp_path)}
    runner = task_runner(
        load_settings(
            {
                **base,
                "SWITCHOVER_TASK_RUNNER": "dask",
                "SWITCHOVER_DASK_ADDRESS": "tcp://127.0.0.1:9",
            }
        )
    )
    assert getattr(runner, "address", None) == "tcp://127.0.0.1:9"
    assert task_runner(load_settings(base)) is None
    with pytest.raises(InputError, match="threads or dask"):
        task_runner(load_settings({**base, "SWITCHOVER_TASK_RUNNER": "ray"}))
