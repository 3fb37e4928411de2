"""What an application installs: the wheel alone, in an environment of its own."""

from __future__ import annotations

import os
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest
from uv import find_uv_bin

ROOT = Path(__file__).parents[2]
ENGINE_ONLY = ("pydantic", "sqlalchemy", "prefect", "fastapi", "numpy", "pandas", "httpx")
IMPORT_LIMIT_MS = 150
MEASURE = """
import time
start = time.perf_counter()
from switchover import Recorder, Router
print((time.perf_counter() - start) * 1000)
"""


def run(*command: str | Path, cwd: Path) -> str:
    """Run a command and give its output; its error output shows when it fails."""
    outside = {"PYTHONPATH", "VIRTUAL_ENV", "PYTHONDONTWRITEBYTECODE"}
    env = {name: value for name, value in os.environ.items() if name not in outside}
    done = subprocess.run(
        [str(part) for part in command], cwd=cwd, env=env, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The project's wheel, built as a release would."""
    folder = tmp_path_factory.mktemp("dist")
    script = "import sys; from hatchling.build import build_wheel; build_wheel(sys.argv[1])"
    run(sys.executable, "-c", script, folder, cwd=ROOT)
    (file,) = folder.glob("*.whl")
    return file


@pytest.fixture(scope="module")
def application(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The interpreter of a fresh environment that holds the wheel and what it asks for."""
    folder = tmp_path_factory.mktemp("application")
    uv = find_uv_bin()
    run(uv, "venv", "--quiet", "--no-project", "--python", sys.executable, "env", cwd=folder)
    python = folder / "env" / "bin" / "python"
    run(
        *(uv, "pip", "install", "--quiet", "--compile-bytecode", "--python", python),
        *("--constraint", _versions(folder), wheel),
        cwd=folder,
    )
    return python


def _versions(folder: Path) -> Path:
    """The locked versions without their hashes: uv would want one for our own wheel too."""
    locked = (ROOT / "requirements" / "environment.txt").read_text().splitlines()
    file = folder / "versions.txt"
    file.write_text("\n".join(line.rstrip("\\ ") for line in locked if "==" in line))
    return file


def test_the_wheel_holds_the_library_and_nothing_else(wheel: Path) -> None:
    """No flows, tasks, tests or examples; the migrations and typing marker are inside."""
    with zipfile.ZipFile(wheel) as archive:
        names = archive.namelist()
    assert {name.split("/")[0] for name in names if ".dist-info/" not in name} == {"switchover"}
    assert "switchover/py.typed" in names
    assert "switchover/testing/embedded/postgres_share/extension/pg_trgm.control" in names
    assert any(name.startswith("switchover/ledger/migrations/versions/") for name in names)


def test_the_light_install_brings_none_of_the_engines_dependencies(application: Path) -> None:
    """An application gets redis and a hash, and not the engine's hundred packages."""
    script = "from importlib.metadata import distributions as d; print(*(x.name for x in d()))"
    installed = {
        name.lower() for name in run(application, "-c", script, cwd=application.parent).split()
    }
    assert {"switchover", "redis", "xxhash"} <= installed
    assert not installed & set(ENGINE_ONLY)


def test_router_and_recorder_import_within_their_limit(application: Path) -> None:
    """The best of several cold imports stays within 150 ms, as the first is the disk's."""
    times = [float(run(application, "-c", MEASURE, cwd=application.parent)) for _ in range(7)]
    assert min(times) <= IMPORT_LIMIT_MS


def test_importing_the_facade_opens_no_heavy_library(application: Path) -> None:
    """Redis is imported when a connection is needed, not before."""
    script = "import sys; from switchover import Recorder, Router; print(*sys.modules)"
    loaded = set(run(application, "-c", script, cwd=application.parent).split())
    assert not loaded & {"redis", *ENGINE_ONLY}
