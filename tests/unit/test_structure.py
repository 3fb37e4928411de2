"""The house keeps its order: small files, telling names, documented packages and tests."""

from __future__ import annotations

import ast
import re
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from statistics import median

import pytest

ROOT = Path(__file__).parents[2]
CODE = ("switchover", "flows", "tasks", "tools", "examples", "benchmarks", "deployments", "tests")
TEXT = {
    ".py",
    ".md",
    ".toml",
    ".yaml",
    ".yml",
    ".sh",
    ".txt",
    ".in",
    ".sql",
    ".html",
    ".js",
    ".css",
}
STATE = {".venv", ".tools", ".git", ".switchover", "__pycache__", "dist", "build", ".hypothesis"}

# Put together here, so that this file does not hold what it forbids.
REGISTRIES = ("pypi" + ".org", "pypi.python" + ".org", "files.python" + "hosted", "npmjs" + ".org")
PLACES = re.compile(r"(?<![\w.:/{}])/(?:work|root|home/\w+|Users/\w+|opt/pypi[\w-]*)/(?!\.\.\.)\S")


def python_files(*folders: str) -> list[Path]:
    """The project's Python files in ``folders``."""
    return sorted(
        file
        for folder in folders
        for file in (ROOT / folder).rglob("*.py")
        if not STATE & set(file.relative_to(ROOT).parts)
    )


def text_files() -> Iterator[Path]:
    """Every text file of the project, whatever its folder."""
    for file in ROOT.rglob("*"):
        inside = file.relative_to(ROOT)
        named = file.suffix in TEXT or file.name in {"Makefile", "LICENSE", "run", ".gitignore"}
        if named and file.is_file() and not STATE & set(inside.parts):
            yield file


def text(file: Path) -> str:
    """The file's text; a plan that must be refused may not even be UTF-8."""
    return file.read_text(encoding="utf-8", errors="replace")


def lines(file: Path) -> int:
    return len(text(file).splitlines())


def test_no_python_file_is_longer_than_400_lines() -> None:
    """The hard limit holds everywhere, tests included."""
    long = {str(f.relative_to(ROOT)): lines(f) for f in python_files(*CODE) if lines(f) > 400}
    assert not long


def test_half_of_the_library_files_have_at_most_120_lines() -> None:
    """Small files are the habit and not the exception."""
    assert median(map(lines, python_files("switchover", "flows", "tasks"))) <= 120


def test_no_module_has_a_name_that_says_nothing() -> None:
    """A module is named by the thing it holds."""
    empty = re.compile(r"(?:^|_)(?:utils?|helpers?|common|misc|manager)(?:_|$)")
    assert not [f for f in python_files(*CODE) if empty.search(f.stem)]


def test_every_library_module_says_in_one_line_what_it_is() -> None:
    """The first line of each module and package is a docstring that ends as a sentence."""
    silent = []
    for file in python_files("switchover", "flows", "tasks"):
        told = ast.get_docstring(ast.parse(text(file))) or ""
        if not re.search(r"[.:!?]$", told.split("\n\n")[0].strip()):
            silent.append(str(file.relative_to(ROOT)))
    assert not silent


def test_every_folder_of_modules_is_a_package() -> None:
    """A folder without ``__init__.py`` would be left out of type checks and import rules."""
    files = python_files("switchover", "flows", "tasks")
    assert not {f.parent for f in files if not (f.parent / "__init__.py").exists()}


def test_every_test_says_what_holds() -> None:
    """Each test is a sentence with a one-line docstring."""
    silent = []
    for file in python_files("tests"):
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                told = ast.get_docstring(node) or not node.name.startswith("test_")
                if not told:
                    silent.append(f"{file.relative_to(ROOT)}:{node.lineno} {node.name}")
    assert not silent


def test_no_test_hides_another_of_the_same_name() -> None:
    """Two tests of one name in a file would run as one."""
    for file in python_files("tests"):
        tree = ast.parse(file.read_text(encoding="utf-8"))
        names = Counter(n.name for n in tree.body if isinstance(n, ast.FunctionDef))
        assert not [name for name, count in names.items() if count > 1], file


def test_no_file_names_a_package_registry() -> None:
    """Where packages come from is the user's affair: locks and set-up name no host."""
    assert not [f for f in text_files() if any(host in text(f) for host in REGISTRIES)]


def test_no_file_names_a_place_on_one_machine() -> None:
    """No absolute path of a home or a build machine."""
    found = []
    for file in text_files():
        for number, line in enumerate(text(file).splitlines(), start=1):
            if PLACES.search(line) and file != Path(__file__):
                found.append(f"{file.relative_to(ROOT)}:{number}: {line.strip()[:80]}")
    assert not found


def test_every_locked_package_carries_hashes() -> None:
    """A requirement without a hash would be installed unseen."""
    for file in (ROOT / "requirements").glob("*.txt"):
        entries = re.split(r"\n(?=\S)", file.read_text(encoding="utf-8"))
        packages = [entry for entry in entries if "==" in entry.split("\n")[0]]
        assert packages
        assert not [entry.split("\n")[0] for entry in packages if "--hash=sha256:" not in entry]


@pytest.mark.parametrize("name", ["README.md", "CONTRIBUTING.md", "LICENSE", "CHANGELOG.md"])
def test_the_files_that_every_reader_looks_for_exist(name: str) -> None:
    """README, contribution guide, licence and change log."""
    assert (ROOT / name).stat().st_size > 0


@pytest.mark.req("D1")
def test_the_index_leads_to_every_page() -> None:
    """What is not in the index is read by nobody."""
    index = (ROOT / "docs/index.md").read_text(encoding="utf-8")
    pages = [
        page.relative_to(ROOT / "docs").as_posix()
        for folder in ("how-to", "reference", "benchmarks")
        for page in (ROOT / "docs" / folder).glob("*.md")
    ]
    assert len(pages) > 20
    assert [page for page in sorted(pages) if f"({page})" not in index] == []
