"""Sampled disagreements: brought into the ledger's database, and counted by field."""

from __future__ import annotations

from dataclasses import dataclass

from switchover.engine.context import Case, Context
from switchover.errors import InputError
from switchover.judge.agreement import Mismatch
from switchover.judge.field_count import FieldCount, count_fields
from switchover.judge.path import ANY, Step, parse
from switchover.judge.sample import Sample

#: Stands for the whole answer.
_ROOT = "$"


@dataclass(frozen=True, slots=True)
class Disagreements:
    """What is known of an attempt: how many samples, which fields, most frequent first, and the
    differences themselves, newest first."""

    attempt: int
    samples: int
    fields: tuple[FieldCount, ...]
    mismatches: tuple[tuple[Sample, Mismatch], ...]


def keep_mismatches(case: Case) -> int:
    """Bring what recorders shipped into the ledger's database; gives how many samples were new.

    Running it again, or twice at once, changes nothing: a sample's id is unique. What is older
    than the present attempt belongs to the one before.
    """
    context, migration, attempt = case.context, case.state.migration, case.state.attempt
    samples, cursor = context.stream.read_mismatches(migration)
    if not cursor:
        return 0
    since = _since(case) if attempt > 1 else 0.0
    late = [sample for sample in samples if sample.at < since]
    fresh = [sample for sample in samples if sample.at >= since]
    kept = sum(
        context.ledger.keep_samples(migration, number, part)
        for number, part in ((attempt - 1, late), (attempt, fresh))
        if part
    )
    context.stream.trim_mismatches(migration, cursor)
    return kept


def disagreements(
    context: Context, migration: str, *, attempt: int | None = None, field: str = ""
) -> Disagreements:
    """What is stored of an attempt, the present one by default.

    ``field`` is the path of a field; all below it counts too. Raises ``InputError`` for what is
    no path, and for an attempt that was not made.
    """
    present = context.ledger.read(migration).state.attempt
    number = present if attempt is None else attempt
    if not 1 <= number <= present:
        raise InputError(
            f"{migration} has no attempt {number}; the present one is attempt {present}"
        )
    samples = context.ledger.samples(migration, number)
    wanted = _wanted(field)
    found = [
        (sample, mismatch)
        for sample in samples
        for mismatch in sample.mismatches
        if wanted is None or _below(wanted, mismatch.path)
    ]
    return Disagreements(number, len(samples), count_fields(found, len(samples)), tuple(found))


def _since(case: Case) -> float:
    """When the present attempt began."""
    stored = case.context.ledger.evidence(case.state.migration)
    if stored is None or stored["attempt"] != case.state.attempt:
        # Not one block of this attempt was collected, so it is still in its first stage.
        return case.state.entered_at
    return float(stored["since"])


def _wanted(field: str) -> tuple[Step, ...] | None:
    if not field:
        return None
    try:
        return parse(field)
    except ValueError as error:
        raise InputError(str(error)) from error


def _below(wanted: tuple[Step, ...], path: str) -> bool:
    """Whether ``path`` is the field, or lies below it. The root is itself alone: everything
    lies below it."""
    try:
        steps = parse(path)
    except ValueError:
        # Cut short when it was shipped.
        return False
    if not wanted:
        return path == _ROOT
    return len(steps) >= len(wanted) and all(
        ours in (theirs, ANY) for ours, theirs in zip(wanted, steps, strict=False)
    )
