from __future__ import annotations

import subprocess
import sys

import pytest

pytestmark = pytest.mark.req("T12")

WITHOUT = """
import sys
sys.modules["openfeature"] = None  # as if it were not installed
try:
    import switchover.routing.openfeature
except ImportError as error:
    print(error)
"""
LIGHT = """
import sys
from switchover import Recorder, Router
import switchover.routing.flags
print(sorted(name for name in sys.modules if name.split(".")[0] == "openfeature"))
"""


def said(script: str) -> str:
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


def test_missing_sdk_names_the_extra() -> None:
    """Whoever imports the provider without it is told what to install."""
    assert "install switchover[openfeature]" in said(WITHOUT)


def test_nothing_else_imports_the_sdk() -> None:
    """An application that does not use OpenFeature needs none of it."""
    assert said(LIGHT) == "[]"
