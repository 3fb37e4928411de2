"""Check that every relative link and anchor in the Markdown files leads somewhere.

    python -m tools.check_links [ROOT]

Prints ``FILE:LINE: what is wrong`` for each dead link and ends with 1 if there is one.
Addresses on the web are not called: a check must not depend on other people's servers.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from urllib.parse import unquote

SKIPPED = {".venv", ".tools", ".git", ".switchover", "node_modules", "dist", "build"}
# [text](target) or ![text](target "title"), and [label]: target
INLINE = re.compile(r"\[(?:[^\]\[]|\[[^\]]*\])*\]\(\s*<?([^)\s>]+)>?(?:\s+\"[^\"]*\")?\s*\)")
REFERENCE = re.compile(r"^\s{0,3}\[[^\]]+\]:\s+<?(\S+?)>?(?:\s|$)")
HEADING = re.compile(r"^\s{0,3}#{1,6}\s+(.*?)\s*#*\s*$")
ANCHOR = re.compile(r"<a\s+(?:id|name)=\"([^\"]+)\"")
ELSEWHERE = re.compile(r"^[a-z][a-z0-9+.-]*:", re.IGNORECASE)


def prose(file: Path) -> Iterator[tuple[int, str]]:
    """The lines outside fenced code, with their numbers; inline code is blanked out."""
    fence = ""
    for number, line in enumerate(file.read_text(encoding="utf-8").splitlines(), start=1):
        mark = re.match(r"\s*(`{3,}|~{3,})", line)
        if mark and not fence:
            fence = mark[1]
        elif mark and mark[1].startswith(fence):
            fence = ""
        elif not fence:
            yield number, line


def slug(heading: str) -> str:
    """The anchor that a Markdown viewer gives a heading."""
    text = re.sub(r"\[([^\]]*)\]\([^)]*\)", r"\1", heading)  # a link shows as its text
    text = re.sub(r"[`*]", "", text).strip().lower()
    return re.sub(r"[^\w\- ]", "", text).replace(" ", "-")


@cache
def anchors(file: Path) -> frozenset[str]:
    """Every anchor of a file; a heading that comes again gets -1, -2 and so on."""
    seen: dict[str, int] = {}
    found = set()
    for _, line in prose(file):
        found.update(ANCHOR.findall(line))
        if heading := HEADING.match(line):
            name = slug(heading[1])
            found.add(f"{name}-{seen[name]}" if name in seen else name)
            seen[name] = seen.get(name, 0) + 1
    return frozenset(found)


def links(file: Path) -> Iterator[tuple[int, str]]:
    """The targets of a file's links, with their line numbers."""
    for number, line in prose(file):
        bare = re.sub(r"`[^`]*`", "", line)
        for target in [*INLINE.findall(bare), *REFERENCE.findall(bare)]:
            yield number, target


def fault(file: Path, target: str) -> str | None:
    """What is wrong with a link from ``file`` to ``target``; None when it leads somewhere."""
    if ELSEWHERE.match(target) or target.startswith("//"):
        return None
    path, _, anchor = target.partition("#")
    if path.startswith("/"):
        return f"{target}: an absolute path; link relative to the file"
    goal = (file.parent / unquote(path)) if path else file
    if not goal.exists():
        return f"{target}: no such file"
    if anchor and goal.suffix == ".md" and unquote(anchor) not in anchors(goal.resolve()):
        return f"{target}: {goal.name} has no heading with this anchor"
    return None


def documents(root: Path) -> list[Path]:
    """The Markdown files of a project, leaving out environments and state."""
    return sorted(
        file for file in root.rglob("*.md") if not SKIPPED & set(file.relative_to(root).parts)
    )


def main(arguments: list[str]) -> int:
    """Print the dead links; 1 when there is one."""
    root = Path(arguments[0]) if arguments else Path()
    files = documents(root)
    faults = [
        f"{file}:{line}: {wrong}"
        for file in files
        for line, target in links(file)
        if (wrong := fault(file, target))
    ]
    print("\n".join(faults) or f"links: {len(files)} documents, all links lead somewhere")
    return 1 if faults else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
