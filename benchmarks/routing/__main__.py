"""Measure the routing plane beside its peers, and write the figures down.

    python -m benchmarks.routing [--quick] [--only decisions,shadow,propagation,proxying]

Prints the tables of each part, and writes routing.json, routing.svg and the tables of
routing.md in docs/benchmarks. `--quick` is a short run that only prints. A part that is not
measured now keeps its figures, where they are of this machine and these versions. Ends with 1
where a target is missed.
"""

from __future__ import annotations

import sys

from benchmarks.routing.machine import PACKAGES
from benchmarks.routing.parts import PARTS
from benchmarks.routing.plot import draw
from benchmarks.suite import Suite

ABOUT = (__doc__ or "").partition("\n")[0]

if __name__ == "__main__":
    sys.exit(Suite("routing", ABOUT, PARTS, PACKAGES, draw).main())
