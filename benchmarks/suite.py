"""A benchmark of several parts: measure, print, and write figures, picture and page."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmarks.routing.machine import machine, versions
from benchmarks.routing.page import fill, markdown, plain, section
from benchmarks.routing.parts import measure, missed

FOLDER = Path(__file__).parents[1] / "docs" / "benchmarks"


@dataclass(frozen=True, slots=True)
class Suite:
    """``name`` is that of the files in docs/benchmarks and of the package whose modules are the
    ``parts``; ``packages`` are those whose versions matter, ``draw`` makes the SVG."""

    name: str
    about: str
    parts: Sequence[str]
    packages: Sequence[str]
    draw: Callable[[dict[str, dict[str, Any]]], str]

    def main(self) -> int:
        """Measure, print, write; 1 where a target is missed."""
        given = self._options()
        parts = {}
        for name in given.only:
            print(f"measuring {name} …", file=sys.stderr)
            parts[name] = measure(name, given.quick, f"benchmarks.{self.name}")
            show(parts[name])
            if not given.quick:
                # At once: what a later part does to this process takes nothing away.
                self._write({name: parts[name]})
        if not given.quick:
            print(f"\nwritten to {FOLDER}: {self.name}.json, {self.name}.svg, {self.name}.md")
        lines = missed(parts)
        for line in lines:
            print(f"missed: {line}", file=sys.stderr)
        return 1 if lines else 0

    def _options(self) -> argparse.Namespace:
        options = argparse.ArgumentParser(
            prog=f"python -m benchmarks.{self.name}", description=self.about
        )
        options.add_argument("--quick", action="store_true", help="a short run, only printed")
        options.add_argument(
            "--only", type=self._chosen, default=list(self.parts),
            help="parts, with commas between them",
        )  # fmt: skip
        return options.parse_args()

    def _chosen(self, text: str) -> list[str]:
        """Names of parts, in the order in which they are measured."""
        names = set(text.split(","))
        if unknown := sorted(names - set(self.parts)):
            known = ", ".join(self.parts)
            raise argparse.ArgumentTypeError(f"no part {unknown[0]!r}; there are {known}")
        return [name for name in self.parts if name in names]

    def _write(self, parts: dict[str, dict[str, Any]]) -> None:
        """JSON, picture and page, from what was measured now and what is kept: a part that is not
        measured stays as it was on the same machine with the same versions, and goes otherwise."""
        document, picture, page = (FOLDER / f"{self.name}.{end}" for end in ("json", "svg", "md"))
        here: dict[str, Any] = {"machine": machine(), "versions": versions(self.packages)}
        known = json.loads(document.read_text(encoding="utf-8")) if document.exists() else {}
        if {name: known.get(name) for name in here} == here:
            parts = {**known["parts"], **parts}
        parts = {name: parts[name] for name in self.parts if name in parts}
        packages = [{"package": name, "version": found} for name, found in here["versions"].items()]
        sections = {
            "machine": f"{markdown([here['machine']])}\n\n{markdown(packages)}",
            **{name: section(parts[name]) if name in parts else "" for name in self.parts},
        }
        page.write_text(fill(page.read_text(encoding="utf-8"), sections), encoding="utf-8")
        whole = json.dumps({**here, "parts": parts}, indent=2, ensure_ascii=False)
        document.write_text(f"{whole}\n", encoding="utf-8")
        picture.write_text(self.draw(parts), encoding="utf-8")


def show(figures: dict[str, Any]) -> None:
    """Print one part."""
    print(f"\n{figures['title']}\n\n{plain(figures['rows'])}\n")
    if figures.get("targets"):
        print(f"{plain(figures['targets'])}\n")
    print("\n".join(f"- {note}" for note in figures.get("notes", ())), flush=True)
