"""Rules on data checks: the database is an address without a password, the rules exist."""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import cache
from importlib.util import find_spec
from pathlib import Path as File

from switchover.plan.draft import Draft
from switchover.plan.faults import nearest, shown
from switchover.plan.rules.finding import Finding, rule
from switchover.plan.tree import Path


@rule("data_checks")
def databases_are_addresses(draft: Draft) -> Iterator[Finding]:
    """``env:NAME`` or a SQLAlchemy URL."""
    for index, check in enumerate(draft.plan.data_checks):
        yield from database(("data_checks", index, "database"), check.database)


def database(path: Path, address: str) -> Iterator[Finding]:
    """A finding where ``address`` is neither ``env:NAME`` nor a URL."""
    named = address.startswith("env:")
    pattern = r"env:[A-Za-z_][A-Za-z0-9_]*" if named else r"[a-z][a-z0-9_+]*://\S*"
    if not re.fullmatch(pattern, address):
        yield Finding(path, f"'{shown(address)}' is not the address of a database",
                      "write env:NAME of a variable that holds it")  # fmt: skip


@rule("data_checks")
def expectations_exist(draft: Draft) -> Iterator[Finding]:
    """Every expectation is one that Great Expectations knows."""
    known = _known()
    for index, check in enumerate(draft.plan.data_checks):
        for number, expectation in enumerate(check.expectations):
            name = expectation.expect.removeprefix("expect_")
            if known and name not in known:
                guess = nearest(name, known)
                yield Finding(("data_checks", index, "expectations", number, "expect"),
                              f"Great Expectations has no rule '{shown(name)}'",
                              f"did you mean '{guess}'?" if guess
                              else "see its gallery for the names")  # fmt: skip


@cache
def _known() -> frozenset[str]:
    """The rules' names, from the package's files: importing it takes seconds."""
    package = find_spec("great_expectations")
    if package is None or not package.submodule_search_locations:
        return frozenset()
    core = File(package.submodule_search_locations[0]) / "expectations" / "core"
    return frozenset(file.stem.removeprefix("expect_") for file in core.glob("expect_*.py"))
