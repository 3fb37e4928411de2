"""Kill everything, at every step: nothing is lost, and nothing is done twice.

    python -m tests.faults [--kills N] [--seed S] [--only TRIAL] [--json] [--to DIRECTORY]

Prints a table of what was killed, and ends with 1 when an invariant was violated, naming the
trial and the command that shows it again. `--kills all` kills before and after every numbered
call of every scenario.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
import time
from pathlib import Path

from tests.faults.page import write_page
from tests.faults.run import Say, again, run
from tests.faults.table import Findings

#: What `make faults` does by itself; fits into 15 minutes on two cores.
KILLS, SEED = 600, 20260105


def main() -> int:
    arguments = _arguments()
    began, findings = time.monotonic(), Findings()
    say = _progress(arguments.json)
    with tempfile.TemporaryDirectory(prefix="switchover-faults-") as directory:
        if arguments.only:
            again(Path(directory), arguments.only, findings, say)
        else:
            run(Path(directory), arguments.kills, arguments.seed, findings, say,
                arguments.prefect)  # fmt: skip
    took = time.monotonic() - began
    document = {**findings.to_dict(), "seed": arguments.seed, "kills_asked": arguments.kills,
                "seconds": round(took, 1)}  # fmt: skip
    if arguments.json:
        print(json.dumps(document, indent=1))
    else:
        print(f"\n{findings.table()}\n\nseed {arguments.seed}, {took:.0f} s")
    if arguments.to:
        write_page(arguments.to, findings, document)
    return 1 if findings.violations else 0


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.faults", description=__doc__,
                                     formatter_class=argparse.RawTextHelpFormatter)  # fmt: skip
    parser.add_argument("--kills", type=_kills, default=KILLS, metavar="N",
                        help=f"how many, or all; default: {KILLS}")  # fmt: skip
    parser.add_argument("--seed", type=int, default=SEED, metavar="S", help=f"default: {SEED}")
    parser.add_argument("--only", metavar="TRIAL", help="one trial, as a violation names it")
    parser.add_argument("--json", action="store_true", help="one JSON document instead of a table")
    parser.add_argument("--to", type=Path, metavar="DIRECTORY",
                        help="write faults.md and faults.json there")  # fmt: skip
    parser.add_argument("--prefect", type=int, default=4, metavar="N",
                        help="journeys on a real Prefect, 3 kills each; default: 4")  # fmt: skip
    return parser.parse_args()


def _kills(text: str) -> int | None:
    return None if text == "all" else int(text)


def _progress(quiet: bool) -> Say:
    """Says how far it is: on one line of a terminal, else now and then; each violation at once."""
    last, told = time.monotonic(), 0

    def say(done: int, of: int, findings: Findings) -> None:
        nonlocal last, told
        total, terminal = findings.total, sys.stderr.isatty()
        for each in findings.violations[told:]:
            start = "\n" if terminal else ""
            print(f"{start}{each['trial']}: {each['fault']}\n  again: {each['again']}",
                  file=sys.stderr, flush=True)  # fmt: skip
        told = len(findings.violations)
        text = f"{done} of {of} trials, {total.kills} kills, {total.violations} violations"
        if terminal:
            print(f"\r{text}", end="" if done < of else "\n", file=sys.stderr, flush=True)
        elif not quiet and (time.monotonic() - last > 30 or done == of):
            last = time.monotonic()
            print(text, file=sys.stderr, flush=True)

    return say


if __name__ == "__main__":
    sys.exit(main())
