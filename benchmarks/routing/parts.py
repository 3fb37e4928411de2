"""The parts of the benchmark, each measured in a process of its own."""

from __future__ import annotations

import os
from concurrent.futures import ProcessPoolExecutor
from datetime import UTC, datetime
from importlib import import_module
from multiprocessing import get_context
from typing import Any

#: Modules with a function ``measure(quick)`` that gives ``title``, ``rows`` (a table),
#: ``notes``, ``parameters`` and perhaps ``targets``, all plain JSON.
PARTS = ("decisions", "shadow", "propagation", "proxying")


def measure(name: str, quick: bool, package: str = "benchmarks.routing") -> dict[str, Any]:
    """The figures of one part of ``package``, with when they were measured and how busy the
    machine was.

    A fresh process, so that no peer's threads are in the way of the next part.
    """
    load = os.getloadavg()[0]
    with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as process:
        figures: dict[str, Any] = process.submit(_measure, name, quick, package).result()
    figures["parameters"]["load_average_before"] = round(load, 2)
    return figures | {"measured_at": f"{datetime.now(UTC):%Y-%m-%d %H:%M} UTC"}


def _measure(name: str, quick: bool, package: str) -> dict[str, Any]:
    figures: dict[str, Any] = import_module(f"{package}.{name}").measure(quick)
    return figures


def missed(parts: dict[str, dict[str, Any]]) -> list[str]:
    """A line for each target that was not reached."""
    return [
        f"{target['what']}: {target['measured']}, target {target['target']}"
        for figures in parts.values()
        for target in figures.get("targets", ())
        if not target["met"]
    ]
