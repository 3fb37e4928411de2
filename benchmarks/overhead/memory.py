"""What the process holds after thousands of sweeps."""

from __future__ import annotations

import gc
import os
import tempfile
from pathlib import Path
from typing import Any

from benchmarks.overhead.fleet import Fleet, servers
from switchover.engine.sweep import sweep

SWEEPS, QUICK = 4000, 400
WARM_UP = 500
MIGRATIONS = 10
#: Growth that is still called flat: allocators keep a little of what they once had.
FLAT_MB = 4.0


def measure(quick: bool) -> dict[str, Any]:
    """Resident memory by the number of sweeps, every tenth of them with fresh evidence."""
    rows = []
    total = QUICK if quick else SWEEPS
    with tempfile.TemporaryDirectory() as folder, servers(Path(folder)) as (settings, _):
        fleet = Fleet(settings)
        fleet.grow(MIGRATIONS)
        for number in range(WARM_UP + total + 1):
            if number % 10 == 0:
                fleet.observe(fleet.names)
            found = sweep(fleet.context, actor="monitor", threads=2)
            assert len(found.looks) == MIGRATIONS, found.errors
            if number >= WARM_UP and (number - WARM_UP) % (total // 8) == 0:
                gc.collect()
                rows.append({"sweeps": number - WARM_UP, "resident_mb": round(_resident(), 1)})
    growth = rows[-1]["resident_mb"] - rows[0]["resident_mb"]
    return {
        "title": "Memory over sweeps",
        "rows": rows,
        "targets": [
            {
                "what": f"growth over {total:,} sweeps",
                "target": f"≤ {FLAT_MB:g} MB",
                "measured": f"{growth:.1f} MB",
                "met": growth <= FLAT_MB,
            }
        ],
        "notes": ["Every tenth sweep finds fresh evidence; the rest find nothing new."],
        "parameters": {"migrations": MIGRATIONS, "warm_up_sweeps": WARM_UP},
    }


def _resident() -> float:
    pages = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") / 1e6
