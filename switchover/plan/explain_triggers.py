"""Say what the triggers of a plan watch, in sentences."""

from __future__ import annotations

from collections.abc import Mapping

from switchover.judge.target import limit_words
from switchover.judge.trigger import TriggerSpec
from switchover.plan.probes import HttpProbe, SqlProbe
from switchover.plan.spec import Plan
from switchover.plan.triggers import TriggerProbe
from switchover.plan.units import spoken
from switchover.plan.usual_triggers import compile_triggers, probes_of


def trigger_words(plan: Plan) -> tuple[str, ...]:
    """Every trigger, RED before AMBER, and what follows when it fires."""
    specs, probes = compile_triggers(plan), probes_of(plan)
    ordered = [spec for color in ("red", "amber") for spec in specs if spec.color == color]
    return tuple(_words(plan, spec, probes) for spec in ordered)


def _words(plan: Plan, spec: TriggerSpec, probes: Mapping[str, TriggerProbe]) -> str:
    if spec.window is None:
        seen = f"{_asked(probes[spec.name])}, every {spoken(spec.every)}"
    elif spec.ratio is not None:
        what = "failures" if spec.window.kind == "proportion" else "average"
        seen = f"{what} of {spec.window.metric} at most {spec.ratio:g} times legacy's"
    else:
        seen = f"{spec.window.metric} {limit_words(spec.window, spec.window.alert)}"
    if spec.window is not None:
        seen += f" over {spoken(spec.window.over)}"
    after = spec.after if spec.window is None else spec.window.after
    broken = f"broken for {spoken(after)}" if after else "broken"
    if spec.color == "amber":
        follows = "alerts, and nothing goes on meanwhile"
    elif plan.rollback.automatic:
        follows = "rolls back at once"
    else:
        follows = "is told, and people roll back"
    blind = ", and so does missing data" if spec.unread_fires else ""
    return f"{spec.color.upper()} {spec.name}: {seen}; {broken} {follows}{blind}"


def _asked(probe: TriggerProbe) -> str:
    if isinstance(probe, HttpProbe):
        where = probe.url or f"the {probe.system}"
        path = f" {probe.path}" if probe.path else "'s health" * (probe.url is None)
        return f"{probe.method} of {where}{path}"
    if isinstance(probe, SqlProbe):
        return f"a query of {probe.database.removeprefix('env:')}"
    return f"the command {probe.argv[0]}"
