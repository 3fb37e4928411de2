"""The mood example's processes, shared by its tests."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager
from pathlib import Path
from typing import Any

import pytest

from examples.mood.demo.services import Service
from examples.mood.generated import SEED, generate
from examples.mood.train import train
from examples.mood.weeks import cut
from switchover.testing.embedded.ports import free_port

ROOT = Path(__file__).parents[3]


def module(name: str, *arguments: object, **settings: Any) -> subprocess.Popen[str]:
    command = [sys.executable, "-m", f"examples.mood.{name}", *map(str, arguments)]
    return subprocess.Popen(
        command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, **settings
    )


@contextmanager
def running(system: str, models: Path, *options: str) -> Iterator[str]:
    """A service as a process, healthy; gives its base URL."""
    service = Service(ROOT, models.parent, system, free_port(), *options)
    try:
        yield service.start().url
    finally:
        service.stop()


@pytest.fixture(scope="module")
def models(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("mood") / "models"
    train(folder, subjects=20)
    return folder


@pytest.fixture(scope="module")
def weeks() -> list[dict[str, Any]]:
    return cut(generate(subjects=30, days=10, seed=SEED + 1)).requests()


@pytest.fixture(scope="module")
def legacy(models: Path) -> Iterator[str]:
    with running("legacy", models) as url:
        yield url


@pytest.fixture(scope="module")
def candidate(models: Path) -> Iterator[str]:
    with running("candidate", models) as url:
        yield url


@pytest.fixture(scope="module")
def faulty(models: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Callable[..., str]]:
    """Starts a faulty candidate once per set of options."""
    started: dict[tuple[str, ...], str] = {}
    with ExitStack() as stack:

        def start(*options: str) -> str:
            if options not in started:
                store = tmp_path_factory.mktemp("store") / "candidate.sqlite"
                started[options] = stack.enter_context(
                    running("candidate", models, "--store", str(store), *options)
                )
            return started[options]

        yield start


@pytest.fixture(name="module")
def _module() -> Callable[..., subprocess.Popen[str]]:
    """Starts a module of the example as a process."""
    return module


@pytest.fixture(name="running")
def _running() -> Callable[..., AbstractContextManager[str]]:
    """Starts a service and gives its address."""
    return running
