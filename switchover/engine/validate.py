"""Validate: prove that a rollback worked, in waves of probes that are due by time (R4).

Nothing here waits for a wave to begin. Whoever comes by, a flow run, ``monitor`` or a person,
runs what is due; a probe that fails is asked again until its wave's deadline, by this run for as
long as it has patience, then by the next. What is on record is not asked again.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from typing import Any

from switchover.clock import iso
from switchover.engine.aftermath import own_questions
from switchover.engine.collect import collect
from switchover.engine.context import Case, Context, persist
from switchover.engine.outbox import wave_effects
from switchover.errors import InputError, SwitchoverError
from switchover.machine.event import Event, WaveValidated
from switchover.machine.inquiry import Inquiry, inquiry_of
from switchover.machine.state import Phase
from switchover.plan.probes import Probe
from switchover.plan.units import spoken
from switchover.plan.validation import PlannedWave
from switchover.ports import CheckResult, Effect

_log = logging.getLogger("switchover.validate")

#: Seconds between two attempts of a probe, and probes that are asked at the same time.
PAUSE, TOGETHER = 2.0, 8

Sleep = Callable[[float], None]


@dataclass(frozen=True, slots=True)
class WaveOutcome:
    """How a wave stands after this run: ``ok`` is None while a later one asks again, until
    ``deadline`` (seconds since the Unix epoch)."""

    wave: str
    ok: bool | None
    deadline: float
    results: tuple[CheckResult, ...]

    @property
    def sentence(self) -> str:
        """The outcome in words, with the probes that do not pass."""
        bad = [f"{each.name}: {each.summary}" for each in self.results if not each.ok]
        share = "all" if self.ok else f"{len(self.results) - len(bad)} of"
        passed = f"{share} {len(self.results)} probes pass"
        if self.ok:
            return f"{self.wave}: {'its probe passes' if len(self.results) == 1 else passed}"
        how = "failed" if self.ok is False else "not yet"
        return f"{self.wave}: {how}, {passed}; {'; '.join(bad)}"

    def to_dict(self) -> dict[str, Any]:
        return {"wave": self.wave, "ok": self.ok, "deadline": iso(self.deadline),
                "sentence": self.sentence,
                "results": [each.to_dict() for each in self.results]}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Validation:
    """What a run found, and what is left: ``next_at`` is when the next wave begins or may be
    asked again, None when every wave is on record."""

    migration: str
    incident: str
    waves: tuple[WaveOutcome, ...] = ()
    next_at: float | None = None

    @property
    def sentence(self) -> str:
        """Everything in words."""
        if not self.incident:
            return f"{self.migration}: there is no rollback to validate"
        told = "; ".join(wave.sentence for wave in self.waves) or "no wave is due"
        return f"{self.migration}: {told}"

    def to_dict(self) -> dict[str, Any]:
        next_at = None if self.next_at is None else iso(self.next_at)
        return {"migration": self.migration, "incident": self.incident, "next_at": next_at,
                "waves": [wave.to_dict() for wave in self.waves],
                "sentence": self.sentence}  # fmt: skip


def validate(
    context: Context, migration: str, *, actor: str, patience: float = 0.0, again: bool = False,
    sleep: Sleep = time.sleep,
) -> Validation:  # fmt: skip
    """Run every wave that is due, and write down those that passed or ran out of time.

    A wave that is found after its deadline is run all the same, with ``patience`` seconds for
    each of its probes to pass. ``again`` repeats waves that failed, for a person who mended what
    was wrong: one that passes now goes on record. Raises ``InputError`` for an unknown migration.
    """
    case = context.open(migration)
    inquiry = awaiting(case)
    if inquiry is None:
        return Validation(migration, "")
    outcomes = []
    for wave in due_waves(case, again=again):
        outcome = _run(case, inquiry, wave, patience, sleep)
        if outcome.ok is not None:
            _record(context, case, inquiry, outcome, actor)
        outcomes.append(outcome)
    after = context.open(migration)
    return Validation(migration, inquiry.id, tuple(outcomes), _next(after))


def awaiting(case: Case) -> Inquiry | None:
    """The incident of the rollback that the migration stands at, if it has waves at all."""
    state = case.state
    if state.phase is not Phase.ROLLED_BACK:
        return None
    found = inquiry_of(state.inquiries, state.incident)
    return found if found is not None and found.waves else None


def due_waves(case: Case, *, again: bool = False) -> list[PlannedWave]:
    """The waves to run now: those that have begun and are not on record; with ``again`` those
    that failed, too."""
    inquiry = awaiting(case)
    # Before the plan is compiled: a sweep asks of every migration that ever went back.
    if inquiry is None or not (again or case.validated):
        return []
    now = case.context.timestamp
    return [
        wave for wave in _open(case, inquiry, again=again) if now >= inquiry.at + wave.after
    ]  # fmt: skip


def ask_wave(case: Case, probes: Sequence[Probe], since: float) -> list[CheckResult]:
    """Ask each probe once, side by side; a fault of the plan or the worker is a failed probe."""
    runner = case.context.probes
    if runner is None:
        raise InputError("this engine was built without probes; pass probes=…")

    def ask(probe: Probe) -> CheckResult:
        try:
            return runner.run(probe, case.plan, case.record.plan.directory, since=since)
        except SwitchoverError as error:
            return CheckResult(probe.name, False, str(error), 0.0, {"kind": probe.kind})
        except Exception as error:
            _log.exception("probe %r failed in an unforeseen way", probe.name)
            words = f"{type(error).__name__}: {error}"
            return CheckResult(probe.name, False, words, 0.0, {"kind": probe.kind})

    with ThreadPoolExecutor(TOGETHER, thread_name_prefix="probe") as pool:
        return list(pool.map(ask, probes))


def _open(case: Case, inquiry: Inquiry, *, again: bool = False) -> list[PlannedWave]:
    settled = {*inquiry.passed, *(() if again else inquiry.failing)}
    return [w for w in case.waves if w.name in inquiry.waves and w.name not in settled]


def _next(case: Case) -> float | None:
    inquiry = awaiting(case)
    if inquiry is None:
        return None
    return min((inquiry.at + wave.after for wave in _open(case, inquiry)), default=None)


def _run(
    case: Case, inquiry: Inquiry, wave: PlannedWave, patience: float, sleep: Sleep
) -> WaveOutcome:
    """Ask until every probe has passed, patience is over, or the wave's time is."""
    context = case.context
    deadline, began = inquiry.at + wave.within, context.timestamp
    until = began + patience if began >= deadline else min(began + patience, deadline)
    passed: dict[str, CheckResult] = {}
    attempt = 0
    while True:
        attempt += 1
        _bring(case)
        left = [probe for probe in wave.probes if probe.name not in passed]
        found = ask_wave(case, left, inquiry.at)
        if wave.own:
            found += [each for each in own_questions(case) if each.name not in passed]
        found = [replace(e, detail={**e.detail, "attempt": attempt}) for e in found]
        passed |= {each.name: each for each in found if each.ok}
        failing = [each for each in found if not each.ok]
        now = context.timestamp
        if not failing or now >= until:
            break
        sleep(max(0.0, min(PAUSE, until - now)))
    ok = True if not failing else False if now >= deadline else None
    return WaveOutcome(wave.name, ok, deadline, (*passed.values(), *failing))


def _bring(case: Case) -> None:
    """What recorders and sources have told since, for questions about it."""
    try:
        collect(case.context, case.state.migration, case)
    except SwitchoverError as error:
        # Those who ask for it will find too little; the others have an answer all the same.
        _log.warning("%s: no fresh observations: %s", case.state.migration, error)


def _record(
    context: Context, case: Case, inquiry: Inquiry, outcome: WaveOutcome, actor: str
) -> None:
    """Write a wave down once; one that failed only changes when it passes."""
    at = context.timestamp
    late = at - outcome.deadline
    summary = outcome.sentence + (f" ({spoken(round(late))} late)" if late >= 60 else "")

    def make(now: Case) -> tuple[Event, Sequence[Effect]] | None:
        present = awaiting(now)
        if present is None or present.id != inquiry.id or outcome.wave in present.passed:
            return None
        if outcome.wave in present.failing and not outcome.ok:
            return None
        event = WaveValidated(
            incident=inquiry.id, wave=outcome.wave, ok=bool(outcome.ok), at=at, summary=summary,
            actor=actor, results=[each.to_dict() for each in outcome.results],
        )  # fmt: skip
        return event, wave_effects(now, event)

    persist(context, case.state.migration, make, actor=actor)
