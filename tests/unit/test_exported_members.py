from __future__ import annotations

import json
import os
import subprocess
import sys

import pytest

import switchover

HEAVY = ("redis", "pydantic", "numpy", "pandas", "sqlalchemy", "fastapi", "prefect", "httpx")


def python(program: str) -> str:
    """What a fresh interpreter prints."""
    return subprocess.run(
        [sys.executable, "-c", program],
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
        check=True,
        capture_output=True,
        text=True,
    ).stdout


@pytest.mark.req("P12")
def test_facade_is_small_sorted_and_complete() -> None:
    """What users import from the top is exactly this."""
    assert switchover.__all__ == [
        "AsyncRouter",
        "Decision",
        "Evaluation",
        "Recorder",
        "Router",
        "__version__",
        "load_plan",
    ]
    assert switchover.__all__ == sorted(switchover.__all__)
    for name in switchover.__all__:
        assert getattr(switchover, name) is not None
        assert name in dir(switchover)


@pytest.mark.req("T1")
def test_unknown_name_is_an_attribute_error() -> None:
    """A misspelt import fails as Python users expect."""
    with pytest.raises(AttributeError, match="Ruoter"):
        switchover.Ruoter  # noqa: B018


@pytest.mark.req("T1")
def test_importing_the_sdk_loads_nothing_heavy() -> None:
    """Making a router and a recorder, routing and recording need neither redis nor pydantic."""
    program = (
        "import json, sys\n"
        "from switchover import Decision, Recorder, Router\n"
        "router = Router('m', 'redis://127.0.0.1:1/0'); router.route('a')\n"
        "Recorder('m', 'redis://127.0.0.1:1/0').record('success_rate', True, 'legacy')\n"
        "print(json.dumps(sorted(name.split('.')[0] for name in sys.modules)))\n"
        "import os; os._exit(0) if not sys.stdout.flush() else None\n"
    )
    loaded = set(json.loads(python(program)))
    assert loaded.isdisjoint(HEAVY)


@pytest.mark.req("T1")
def test_bare_import_loads_no_submodule_at_all() -> None:
    """``import switchover`` alone is free."""
    program = (
        "import sys, switchover; print([n for n in sys.modules if n.startswith('switchover.')])"
    )
    assert python(program) == "[]\n"
