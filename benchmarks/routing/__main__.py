"""Measure the routing plane beside its peers, and write the figures down.

    python -m benchmarks.routing [--quick] [--only decisions,shadow,propagation,proxying]

Prints the tables of each part, and writes routing.json, routing.svg and the tables of
routing.md in docs/benchmarks. `--quick` is a short run that only prints. A part that is not
measured now keeps its figures, where they are of this machine and these versions. Ends with 1
where a target is missed.
"""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path
from typing import Any

from benchmarks.routing.machine import machine, versions
from benchmarks.routing.page import fill, markdown, plain, section
from benchmarks.routing.parts import PARTS, measure, missed
from benchmarks.routing.plot import draw

FOLDER = Path(__file__).parents[2] / "docs" / "benchmarks"


def show(figures: dict[str, Any]) -> None:
    """Print one part."""
    print(f"\n{figures['title']}\n\n{plain(figures['rows'])}\n")
    if figures.get("targets"):
        print(f"{plain(figures['targets'])}\n")
    print("\n".join(f"- {note}" for note in figures.get("notes", ())), flush=True)


def write(parts: dict[str, dict[str, Any]]) -> None:
    """JSON, picture and page, from what was measured now and what is kept."""
    document, picture, page = (FOLDER / f"routing.{end}" for end in ("json", "svg", "md"))
    here: dict[str, Any] = {"machine": machine(), "versions": versions()}
    known = json.loads(document.read_text(encoding="utf-8")) if document.exists() else {}
    if {name: known.get(name) for name in here} == here:
        parts = {**known["parts"], **parts}
    parts = {name: parts[name] for name in PARTS if name in parts}
    packages = [{"package": name, "version": found} for name, found in here["versions"].items()]
    sections = {
        "machine": f"{markdown([here['machine']])}\n\n{markdown(packages)}",
        **{name: section(figures) for name, figures in parts.items()},
    }
    page.write_text(fill(page.read_text(encoding="utf-8"), sections), encoding="utf-8")
    whole = json.dumps({**here, "parts": parts}, indent=2, ensure_ascii=False)
    document.write_text(f"{whole}\n", encoding="utf-8")
    picture.write_text(draw(parts), encoding="utf-8")
    print(f"\nwritten to {FOLDER}: {document.name}, {picture.name}, {page.name}")


def chosen(text: str) -> list[str]:
    """Names of parts, in the order in which they are measured."""
    names = set(text.split(","))
    if unknown := sorted(names - set(PARTS)):
        raise argparse.ArgumentTypeError(f"no part {unknown[0]!r}; there are {', '.join(PARTS)}")
    return [name for name in PARTS if name in names]


def main() -> int:
    """Measure, print, write; 1 where a target is missed."""
    options = argparse.ArgumentParser(
        prog="python -m benchmarks.routing", description=(__doc__ or "").partition("\n")[0]
    )
    options.add_argument("--quick", action="store_true", help="a short run, only printed")
    options.add_argument(
        "--only", type=chosen, default=list(PARTS), help="parts, with commas between them"
    )
    given = options.parse_args()
    parts = {}
    for name in given.only:
        print(f"measuring {name} …", file=sys.stderr)
        parts[name] = measure(name, given.quick)
        show(parts[name])
    if not given.quick:
        write(parts)
    lines = missed(parts)
    for line in lines:
        print(f"missed: {line}", file=sys.stderr)
    return 1 if lines else 0


if __name__ == "__main__":
    sys.exit(main())
