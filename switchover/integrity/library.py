"""Great Expectations itself: imported late, kept quiet, and used by one thread at a time."""

from __future__ import annotations

import importlib
import os
import threading
from typing import Any

#: Its contexts share process-wide state (the "current project"), so runs take turns.
using_library = threading.RLock()


def load_library() -> Any:
    """The package; the first call takes seconds, which is why nothing imports it at the top.

    Its usage statistics are switched off first: a check of patients' data calls nobody.
    """
    with using_library:
        os.environ["GX_ANALYTICS_ENABLED"] = "false"
        library = importlib.import_module("great_expectations")
        importlib.import_module("great_expectations.expectations")
        return library


def open_context() -> Any:
    """A context that lives in memory only, without progress bars."""
    context = load_library().get_context(mode="ephemeral")
    context.variables.progress_bars = {"globally": False, "metric_calculations": False}
    return context
