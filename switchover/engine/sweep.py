"""Sweep: a look at every migration. One that fails or is slow hides no other."""

from __future__ import annotations

import logging
from collections.abc import Collection, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor, as_completed
from dataclasses import dataclass, field, replace

from switchover.engine.advance import Outcome
from switchover.engine.ahead import Ahead, read_ahead
from switchover.engine.compare_items import items_due
from switchover.engine.context import Context
from switchover.engine.fleet import Fleet
from switchover.engine.monitor import discard, look, watched
from switchover.engine.reconcile import reconcile_waiting
from switchover.engine.validate import due_waves
from switchover.errors import DependencyUnavailable, SwitchoverError
from switchover.plan.usual_triggers import probes_of

_log = logging.getLogger("switchover.sweep")

#: Migrations that are read at once, and batches that are looked at at the same time.
BATCH, THREADS = 25, 4


@dataclass(slots=True)
class Sweep:
    """What a sweep found, by migration: an outcome, or why there is none. ``items_due`` names
    those whose work items are to be compared now, ``waves_due`` those whose rollback is to be
    validated."""

    looks: dict[str, Outcome] = field(default_factory=dict)
    errors: dict[str, str] = field(default_factory=dict)
    items_due: list[str] = field(default_factory=list)
    waves_due: list[str] = field(default_factory=list)

    def add(self, other: Sweep) -> None:
        """Take in what was found elsewhere."""
        self.looks.update(other.looks)
        self.errors.update(other.errors)
        self.items_due += other.items_due
        self.waves_due += other.waves_due


def sweep(
    context: Context, *, actor: str, threads: int = THREADS, only: Collection[str] = ()
) -> Sweep:
    """Look at every migration that is watched, or those of ``only``; do what may not wait.

    Batches are looked at side by side; migrations whose look asks other people's servers come
    after those that need our own only. Raises ``DependencyUnavailable`` when nothing at all could
    be looked at; one that is lost on the way is an error of those that were still to come.
    """
    # Before the ledger is asked: Redis alone is enough to turn the traffic.
    for line in reconcile_waiting(context)[0]:
        _log.info("%s", line)
    states = context.ledger.migrations()
    names = [state.migration for state in states if not only or state.migration in only]
    context = replace(context, shared_fleet=Fleet(context.ledger, states))
    found = Sweep()
    lost: list[DependencyUnavailable] = []
    with ThreadPoolExecutor(threads, thread_name_prefix="sweep") as pool:
        batches = [
            pool.submit(_batch, context, batch, actor, lost) for batch in _chunks(names, BATCH)
        ]
        looks: list[Future[Sweep]] = []
        # As they end: what one batch leaves for later need not wait for another that is slow.
        for future in as_completed(batches):
            part, later = future.result()
            found.add(part)
            looks += [pool.submit(_alone, context, name, actor) for name in later]
        for future_look in looks:
            found.add(future_look.result())
    if lost and not found.looks:
        raise lost[0]
    found.looks = {name: found.looks[name] for name in sorted(found.looks)}
    return found


def _batch(
    context: Context, names: Sequence[str], actor: str, lost: list[DependencyUnavailable]
) -> tuple[Sweep, list[str]]:
    """Look at a batch; gives what is left for later, too."""
    if lost:
        # Waiting for it again and again would keep the next sweep from coming.
        return Sweep(errors=dict.fromkeys(names, str(lost[0]))), []
    try:
        ahead = read_ahead(context, names)
        discard(ahead)
        due = watched(ahead)
        waves = [name for name in names if due_waves(ahead.open(name))]
    except DependencyUnavailable as error:
        lost.append(error)
        return Sweep(errors=dict.fromkeys(names, str(error))), []
    except Exception as error:
        if len(names) == 1:
            return Sweep(errors={names[0]: _words(names[0], error)}), []
        # One of them can't be read: each by itself, so that it is the only one to suffer.
        found, later = Sweep(), list[str]()
        for name in names:
            part, patient = _batch(context, [name], actor, lost)
            found.add(part)
            later += patient
        return found, later
    later = [name for name in due if _asks_others(ahead, name)]
    found = Sweep(waves_due=waves)
    for name in due:
        if name in later:
            continue
        if ahead.fresh:
            found.add(_look(context, name, actor, ahead))
        else:
            # The one before it took long; what was read of this one is old by now.
            later.append(name)
    return found, later


def _asks_others(context: Context, name: str) -> bool:
    """Whether a look waits for servers that are not ours."""
    try:
        plan = context.open(name).plan
    except Exception:
        return True  # The look itself will say what is wrong with it.
    waits = context.probing.patience > 0.0 and bool(probes_of(plan))
    return bool(plan.sources or plan.proxies or waits)


def _alone(context: Context, name: str, actor: str) -> Sweep:
    return _look(context, name, actor, None)


def _look(context: Context, name: str, actor: str, ahead: Ahead | None) -> Sweep:
    try:
        outcome = look(context, name, actor=actor, ahead=ahead)
        due = items_due(ahead or context, name)
    except Exception as error:
        return Sweep(errors={name: _words(name, error)})
    return Sweep({name: outcome}, {}, [name] if due else [])


def _words(name: str, error: Exception) -> str:
    if isinstance(error, SwitchoverError):
        return str(error)
    _log.error("%s: the look failed in an unforeseen way", name, exc_info=error)
    return f"{type(error).__name__}: {error}"


def _chunks(names: Sequence[str], size: int) -> Iterator[Sequence[str]]:
    for start in range(0, len(names), size):
        yield names[start : start + size]
