"""Load a plan and its overlays; every fault of all files is found in one go, with its place."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from switchover.errors import Fault, InputError, PlanError
from switchover.plan.draft import Draft
from switchover.plan.faults import faults_of, ordered
from switchover.plan.reader import read
from switchover.plan.rules import findings
from switchover.plan.spec import Plan
from switchover.plan.tree import Mapping, overlaid, plain
from switchover.plan.units import WRITTEN


@dataclass(frozen=True, slots=True)
class LoadedPlan:
    """A plan without faults, and where it comes from.

    ``directory`` is the absolute one of the plan file: paths in the plan are relative to it.
    ``document`` is the merged document as written, JSON-able, which ``restore_plan`` reads
    back; ``digest`` the sha256 of its canonical JSON. ``warnings`` are no reason to refuse.
    """

    plan: Plan
    directory: Path
    files: tuple[Path, ...]
    source: str
    digest: str
    document: dict[str, Any]
    warnings: tuple[Fault, ...] = ()


@dataclass(frozen=True, slots=True)
class LintReport:
    """All that ``plan lint`` has to say; ``plan`` is none where there are faults."""

    faults: tuple[Fault, ...]
    warnings: tuple[Fault, ...]
    plan: LoadedPlan | None


def load_plan(path: str | Path, overlays: Sequence[str | Path] = ()) -> LoadedPlan:
    """The plan in ``path`` with ``overlays`` merged on top, in order: mappings key by key,
    lists and single values replaced. Raises ``PlanError`` with every fault of every file."""
    report = lint_plan(path, overlays)
    if report.plan is None:
        raise PlanError(report.faults)
    return report.plan


def lint_plan(
    path: str | Path, overlays: Sequence[str | Path] = (), now: datetime | None = None
) -> LintReport:
    """Every fault and warning of a plan; ``now`` decides which freeze windows are over."""
    names = [str(path), *map(str, overlays)]
    readings = [read(name) for name in names]
    faults = [fault for reading in readings for fault in reading.faults]
    trees = [reading.tree for reading in readings]
    whole = [tree for tree in trees if tree is not None]
    if len(whole) < len(trees):
        return LintReport(ordered(faults, names), (), None)
    tree = _merged(whole)
    document: dict[str, Any] = plain(tree)
    plan: Plan | None = None
    try:
        plan = Plan.model_validate(document, context=WRITTEN)
    except ValidationError as error:
        # What could not be read as written is not also of the wrong type.
        unread = [fault.field for fault in faults if fault.field]
        faults += [f for f in faults_of(error, tree) if not _is_within(f.field, unread)]
    directory = Path(path).absolute().parent
    draft = Draft.of(plan, tree, document, faults, directory, now or datetime.now(UTC))
    found, warnings = findings(draft)
    faults += found
    if faults or plan is None:
        return LintReport(ordered(faults, names), ordered(warnings, names), None)
    loaded = LoadedPlan(
        plan=plan,
        directory=directory,
        files=tuple(Path(name).absolute() for name in names),
        source=readings[0].text,
        digest=digest(document),
        document=document,
        warnings=ordered(warnings, names),
    )
    return LintReport((), loaded.warnings, loaded)


def restore_plan(document: dict[str, Any]) -> Plan:
    """The plan of a document that ``load_plan`` gave, as read back from the ledger.
    Raises ``InputError`` where the format has changed since."""
    try:
        return Plan.model_validate(document, context=WRITTEN)
    except ValidationError as error:
        first = error.errors()[0]
        place = ".".join(map(str, first["loc"]))
        raise InputError(
            f"the stored plan of {document.get('migration')} can't be read by this version "
            f"({place}: {first['msg']}); use the version that it was started with"
        ) from error


def stored_plan(document: dict[str, Any], directory: str, digest: str) -> LoadedPlan:
    """The same, with what belongs to it."""
    return LoadedPlan(restore_plan(document), Path(directory), (), "", digest, document)


def digest(document: dict[str, Any]) -> str:
    """The sha256 of the canonical JSON: sorted keys, no blanks, UTF-8."""
    text = json.dumps(document, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    return hashlib.sha256(text.encode()).hexdigest()


def _is_within(field: str, fields: Sequence[str]) -> bool:
    return any(field == each or field.startswith((f"{each}.", f"{each}[")) for each in fields)


def _merged(trees: Sequence[Mapping]) -> Mapping:
    merged = trees[0]
    for tree in trees[1:]:
        result = overlaid(merged, tree)
        assert isinstance(result, Mapping)  # two mappings always merge to one
        merged = result
    return merged
