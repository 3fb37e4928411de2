"""Writes the table into the docs."""

from __future__ import annotations

import json
import platform
import re
from pathlib import Path
from typing import Any

from tests.faults.table import Findings


def write_page(directory: Path, findings: Findings, document: dict[str, Any]) -> None:
    """Write ``faults.json``, and the table between the marks of ``faults.md``."""
    (directory / "faults.json").write_text(
        json.dumps({**document, "python": platform.python_version()}, indent=1) + "\n"
    )
    page, total = directory / "faults.md", findings.total
    if not page.exists():
        return
    told = (
        f"{findings.table()}\n\n{total.kills:,} kills and other faults in {total.trials:,} "
        f"trials, {total.violations} violations; seed {document['seed']}, "
        f"{document['seconds'] / 60:.0f} minutes."
    )
    marked = re.compile(r"(<!-- begin: faults -->\n).*?(<!-- end -->)", re.DOTALL)
    page.write_text(marked.sub(lambda found: f"{found[1]}{told}\n{found[2]}", page.read_text()))
