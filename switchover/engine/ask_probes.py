"""Ask probes: those triggers' whose turn it is, each by one guard, beside the look.

Who asks is settled in the evidence, in one transaction: so several guards and monitors ask not more
often than the plan says. The results go there too, so that all of them, and those that are started
later, go by the same ones.
"""

from __future__ import annotations

import logging
from functools import partial
from typing import Any

from switchover.engine.collect import at_stage, revise
from switchover.engine.context import Case, Context
from switchover.engine.probing import Answer
from switchover.errors import SwitchoverError
from switchover.judge.trigger import TriggerSpec, answered, due
from switchover.plan.triggers import TriggerProbe
from switchover.plan.usual_triggers import probes_of
from switchover.ports import ProbeRunner

_log = logging.getLogger("switchover.probes")


def ask_probes(context: Context, case: Case) -> None:
    """Take in what probes have answered, and begin those whose turn has come."""
    specs = {spec.name: spec for spec in case.triggers if spec.window is None}
    if not specs or context.probes is None or case.stage.work or not case.watched:
        return
    _take_in(context, case, specs)
    if _begin(context, context.probes, case, specs) and context.probing.patience > 0.0:
        _take_in(context, case, specs)


def _begin(
    context: Context, runner: ProbeRunner, case: Case, specs: dict[str, TriggerSpec]
) -> bool:
    """Claim what is due, and ask it; whether anything was."""
    migration, now = case.state.migration, context.timestamp
    known = at_stage(case, context.ledger.evidence(migration)).get("probes", {})
    wanted = [name for name, spec in specs.items() if due(spec, known.get(name, {}), now)]
    free = [name for _, name in context.probing.free([(migration, name) for name in wanted])]
    if not free:
        return False
    claimed: list[str] = []

    def claim(stored: dict[str, Any] | None) -> dict[str, Any]:
        document = at_stage(case, stored)
        probes = dict(document.get("probes", {}))
        claimed[:] = [name for name in free if due(specs[name], probes.get(name, {}), now)]
        probes |= {name: {**probes.get(name, {}), "asked": now} for name in claimed}
        return {**document, "probes": probes}

    revise(context, migration, claim)
    probes = probes_of(case.plan)
    for name in claimed:
        ask = partial(_ask, runner, case, probes[name], now)
        context.probing.start((migration, name), ask)
    return bool(claimed)


def _ask(runner: ProbeRunner, case: Case, probe: TriggerProbe, at: float) -> Answer:
    """One probe's answer, whatever happens; in a thread of its own."""
    attempt = case.state.attempt
    try:
        found = runner.run(probe, case.plan, case.record.plan.directory)
    except SwitchoverError as error:
        return Answer(attempt, at, None, str(error))
    except Exception as error:
        _log.error("probe %s failed in an unforeseen way", probe.name, exc_info=error)
        return Answer(attempt, at, None, f"{type(error).__name__}: {error}")
    return Answer(attempt, at, found.ok, found.summary)


def _take_in(context: Context, case: Case, specs: dict[str, TriggerSpec]) -> None:
    """Write down what has been answered for this attempt."""
    migration = case.state.migration
    answers = {
        name: answer
        for name, answer in context.probing.finished(migration).items()
        if name in specs
    }
    if not answers:
        return

    def note(stored: dict[str, Any] | None) -> dict[str, Any]:
        document = at_stage(case, stored)
        probes = dict(document.get("probes", {}))
        for name, answer in answers.items():
            if answer.attempt == document["attempt"]:
                probes[name] = answered(
                    specs[name], probes.get(name, {}), answer.at, answer.ok, answer.said
                )
        return {**document, "probes": probes}

    revise(context, migration, note)
