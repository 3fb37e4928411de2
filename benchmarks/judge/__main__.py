"""Our gates beside the rules of other tools, on simulated rollouts of a day.

    python -m benchmarks.judge [--quick] [--only TEXT ...] [--rules TEXT ...] [--rollouts N]
                               [--to DIRECTORY] [--workers N]

Prints the tables, and writes them to docs/benchmarks/judge.{md,json,svg} as they come; rows whose
rule and scenario have not changed since are taken from there. `--quick` takes 50 rollouts of each
but those at 1,000/s, and writes only where `--to` says. Takes about an hour on two idle cores,
most of it for ours; `--quick` about a minute.
"""

from __future__ import annotations

import argparse
import os
import platform
import time
from multiprocessing import get_context
from pathlib import Path
from typing import Any

from benchmarks.judge import report
from benchmarks.judge.cost import cost
from benchmarks.judge.draws import SEED
from benchmarks.judge.figures import figures
from benchmarks.judge.plot import picture
from benchmarks.judge.rule import LOOKS
from benchmarks.judge.scenarios import SCENARIOS, Scenario
from benchmarks.judge.simulation import RULES, Row, simulate

HOME = Path(__file__).parents[2] / "docs" / "benchmarks"
QUICK = 50


def main() -> None:
    arguments = _arguments()
    goes = arguments.to or (None if arguments.quick else HOME)
    rows = report.read(goes / "judge.json") if goes else {}
    chosen = [one for one in SCENARIOS if _named(one.name, arguments.only)]
    if arguments.quick:
        chosen = [one for one in chosen if one.traffic != "1,000/s"]
    rules = [one for one in RULES if _named(one.name, arguments.rules)]
    rollouts = arguments.rollouts or (QUICK if arguments.quick else None)
    began = time.monotonic()
    costs = cost(arguments.quick)
    with get_context("fork").Pool(arguments.workers) as pool:
        for scenario, fresh in simulate(chosen, rules, rows, pool, rollouts):
            rows |= {(row["scenario"], row["rule"]): row for row in fresh}
            print(_progress(scenario, fresh, time.monotonic() - began), flush=True)
            if goes:
                report.write(goes / "judge.json", _document(rows, costs))
    tables = _tables(rows, costs)
    for title, text in tables.items():
        print(f"\n{title}\n\n{text}")
    if goes:
        report.write(goes / "judge.json", _document(rows, costs))
        (goes / "judge.svg").write_text(picture(rows), encoding="utf-8")
        if (goes / "judge.md").exists():
            report.page(goes / "judge.md", tables)


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.judge", description=__doc__,
                                     formatter_class=argparse.RawTextHelpFormatter)  # fmt: skip
    parser.add_argument(
        "--quick", action="store_true", help=f"{QUICK} rollouts of each, none at 1,000/s"
    )
    parser.add_argument("--only", nargs="+", metavar="TEXT", help="scenarios whose name holds it")
    parser.add_argument("--rules", nargs="+", metavar="TEXT", help="rules whose name holds it")
    parser.add_argument("--rollouts", type=int, metavar="N", help="instead of each scenario's own")
    parser.add_argument("--to", type=Path, metavar="DIRECTORY", help="where to write instead")
    parser.add_argument("--workers", type=int, default=os.cpu_count(), metavar="N")
    return parser.parse_args()


def _named(name: str, texts: list[str] | None) -> bool:
    return not texts or any(text in name for text in texts)


def _tables(rows: dict[tuple[str, str], Row], costs: dict[str, Any]) -> dict[str, str]:
    """Every table by the name of its place in the page."""
    return {
        "rules": report.settings(rows),
        "false": report.false_rollbacks(rows, SCENARIOS),
        "found": report.detection(rows, SCENARIOS),
        "cost": report.plain(costs["rows"]),
        "figures": report.plain(figures(rows, costs["rows"])["rows"]),
    }


def _document(rows: dict[tuple[str, str], Row], costs: dict[str, Any]) -> dict[str, Any]:
    """Each measurement as title, rows, notes and parameters."""
    return {
        "machine": {
            "python": platform.python_version(),
            "cpus": os.cpu_count(),
            "system": platform.system(),
        },
        "rollouts": {
            "title": "Simulated rollouts",
            "rows": list(rows.values()),
            "notes": ["Delays are p10, p50 and p90 in minutes; null: not within the day."],
            "parameters": {"looks": LOOKS, "seed": SEED},
        },
        "cost": costs,
        "figures": figures(rows, costs["rows"]),
    }


def _progress(scenario: Scenario, rows: list[Row], elapsed: float) -> str:
    told = "; ".join(
        f"{row['rule']} of {row['rollouts']} {row['false']} false, {row['promoted']} promoted, "
        f"delay {row['delay']}"
        for row in rows[:1]
    )
    return f"{elapsed:6.0f} s  {scenario.name}: {told}"


if __name__ == "__main__":
    main()
