"""Rules on triggers: limits of the metric's unit and direction, windows and times that fit."""

from __future__ import annotations

from collections.abc import Iterator

from switchover.plan.catalogue import FORMS, METRICS
from switchover.plan.draft import Draft
from switchover.plan.faults import nearest
from switchover.plan.probes import HttpProbe
from switchover.plan.rules.finding import Finding, rule
from switchover.plan.rules.targets import unit_fault
from switchover.plan.targets import KINDS
from switchover.plan.tree import Path, Scalar, find
from switchover.plan.triggers import Trigger, kind_of
from switchover.plan.units import spoken
from switchover.plan.usual_triggers import USUAL

#: A trigger's time is at most so many of its windows: each of their slots is looked at.
MOST_WINDOWS = 20


@rule("triggers")
def triggers_have_a_kind(draft: Draft) -> Iterator[Finding]:
    """The metric is known, or its kind is given, and it is one that a window can show."""
    for at, trigger in _on_metrics(draft):
        kind, known = kind_of(trigger), METRICS.get(trigger.metric or "")
        if kind is None:
            guess = nearest(trigger.metric or "", METRICS)
            yield Finding((*at, "metric"), f"'{trigger.metric}' is not in the metrics catalogue, "
                          "so the trigger needs a kind",
                          f"did you mean '{guess}'?" if guess else
                          "add a kind, like kind: proportion")  # fmt: skip
        elif known is not None and trigger.kind not in (None, known.kind):
            yield Finding((*at, "kind"), f"{trigger.metric} is of kind {known.kind}, not "
                          f"{trigger.kind}", "remove kind, or record a metric of your own",
                          )  # fmt: skip
        elif kind == "memory":
            yield Finding((*at, _limit(trigger)), "memory is compared with legacy's",
                          "write above_legacy: 20%")  # fmt: skip
        elif kind not in KINDS:
            yield Finding((*at, "metric"), f"a {kind} metric compares both systems over the "
                          "whole rollout, and has no trigger", "use a gate")  # fmt: skip
        elif kind == "count" and trigger.above_legacy is not None:
            yield Finding((*at, "above_legacy"), "a count of events is not compared with legacy's",
                          "write at_most: 0")  # fmt: skip
        elif trigger.quantile is not None and kind != "quantile":
            yield Finding((*at, "quantile"), f"a {kind} trigger has no quantile",
                          "remove it, or use kind: quantile with at_most")  # fmt: skip


@rule("triggers")
def trigger_limits_can_be_broken(draft: Draft) -> Iterator[Finding]:
    """Of the metric's unit, on the side on which it gets worse, with something beyond them."""
    for at, trigger in _on_metrics(draft):
        known, kind, key = METRICS.get(trigger.metric or ""), kind_of(trigger), _limit(trigger)
        node = find(draft.tree, (*at, key))
        if kind not in KINDS or not isinstance(node, Scalar):
            continue
        text, value = str(node.text).strip(), getattr(trigger, key)
        if key == "above_legacy":
            if not (text.endswith("%") or not isinstance(node.value, str)):
                yield Finding((*at, key), f"{text} is not a share", "write it like 50%")
            continue
        in_seconds = kind == "quantile" or (known is not None and known.unit == "seconds")
        if text.endswith("x"):
            yield Finding((*at, key), f"{text} is a ratio", "write above_legacy: 50% for 1.5x")
        elif found := unit_fault(str(kind), in_seconds, node, value):
            yield Finding((*at, key), *found)
        elif kind in ("quantile", "count") and key == "at_least":
            yield Finding((*at, key), f"a {kind} trigger has an upper limit", "use at_most")
        elif known is not None and known.at_least is not None and key == "at_most":
            yield Finding((*at, key), f"more of {trigger.metric} is better", "use at_least")
        elif known is not None and known.at_most is not None and key == "at_least":
            yield Finding((*at, key), f"less of {trigger.metric} is better", "use at_most")
        elif kind == "proportion" and not 0.0 < value < 1.0:
            yield Finding((*at, key), f"a share of {text} allows no judgement",
                          "leave some room; to allow none at all use kind: count")  # fmt: skip


@rule("triggers")
def trigger_times_fit(draft: Draft) -> Iterator[Finding]:
    """A probe is asked twice in the time that it may be broken; a window is not read for days."""
    for at, trigger in _all(draft):
        after = trigger.after
        if trigger.probe is not None:
            if after and trigger.every > after:
                yield Finding((*at, "every"), f"asked every {spoken(trigger.every)}, nobody knows "
                              f"whether it is broken for {spoken(after)}",
                              "ask more often, or lengthen after")  # fmt: skip
        elif after and trigger.over and after > MOST_WINDOWS * trigger.over:
            yield Finding((*at, "after"), f"{spoken(after)} is more than {MOST_WINDOWS} windows of "
                          f"{spoken(trigger.over)}", "shorten it, or lengthen over")  # fmt: skip
        elif after and not trigger.over and after > 1200.0:
            yield Finding((*at, "after"), f"{spoken(after)} is long for the usual window",
                          f"add over: {spoken(after).replace(' ', '')}")  # fmt: skip


@rule("triggers")
def red_probes_ask_whom_they_should(draft: Draft) -> Iterator[Finding]:
    """A path through legacy is as broken after a rollback as before."""
    for at, trigger in _all(draft):
        probe = trigger.probe
        if at[1] == "red" and isinstance(probe, HttpProbe) and not probe.url:
            if "system" not in probe.model_fields_set:
                yield Finding((*at, "probe"), "it asks legacy, which a rollback does not repair",
                              "add system: candidate, or the url that people use")  # fmt: skip
            elif probe.system == "legacy":
                yield Finding((*at, "probe", "system"), "a rollback does not repair legacy",
                              "ask the candidate, or the url that people use", warning=True,
                              )  # fmt: skip


@rule("triggers")
def triggers_have_names_of_their_own(draft: Draft) -> Iterator[Finding]:
    """A trigger is known by its name, whatever its colour; what is left out is a usual one."""
    first: dict[str, str] = {}
    for at, trigger in _all(draft):
        place, title = f"triggers.{at[1]}[{at[2]}]", trigger.title
        if title in first:
            path: Path = (*at, "name")
            if find(draft.tree, path) is None:
                path = (*at, "metric") if trigger.metric else (*at, "probe", "name")
            yield Finding(path, f"the name '{title}' is taken by {first[title]}",
                          "give each a name of its own")  # fmt: skip
        first.setdefault(title, place)
    section = draft.plan.triggers
    for index, name in enumerate(section.without):
        if name.partition(":")[0] not in USUAL:
            guess = nearest(name, USUAL)
            yield Finding(("triggers", "without", index), f"no usual trigger is called '{name}'",
                          f"did you mean '{guess}'?" if guess else
                          f"use one of {', '.join(USUAL)}")  # fmt: skip
    if section.without and not section.defaults:
        yield Finding(("triggers", "without"), "there are no usual triggers to leave out",
                      "add defaults: true, or remove it")  # fmt: skip


@rule("triggers", "gates")
def triggers_read_what_gates_read(draft: Draft) -> Iterator[Finding]:
    """A metric is of bools or of numbers, for everybody who looks at it."""
    for at, trigger in _on_metrics(draft):
        form = FORMS.get(trigger.kind or "")
        for index, gate in enumerate(draft.plan.gates):
            theirs = FORMS.get(gate.kind or "")
            own = gate.metric == trigger.metric and trigger.metric not in METRICS
            if own and form and theirs and form != theirs:
                yield Finding((*at, "kind"), f"'{trigger.metric}' is read as {form} here and as "
                              f"{theirs} by gates[{index}]",
                              "record two metrics of different names")  # fmt: skip


@rule("triggers", "rollback")
def red_triggers_may_roll_back(draft: Draft) -> Iterator[Finding]:
    """Where the plan leaves rollbacks to people, RED only tells them."""
    if (draft.plan.triggers.red or draft.plan.triggers.defaults) and not (
        draft.plan.rollback.automatic
    ):
        yield Finding(("triggers",), "rollback.automatic is false, so a RED trigger only tells "
                      "people", "remove automatic: false, or know it", warning=True)  # fmt: skip


def _all(draft: Draft) -> Iterator[tuple[Path, Trigger]]:
    for color, index, trigger in draft.plan.triggers.listed:
        yield ("triggers", color, index), trigger


def _on_metrics(draft: Draft) -> Iterator[tuple[Path, Trigger]]:
    return ((at, trigger) for at, trigger in _all(draft) if trigger.metric is not None)


def _limit(trigger: Trigger) -> str:
    """The key of its limit."""
    keys = ("at_most", "at_least", "above_legacy")
    return next(key for key in keys if getattr(trigger, key) is not None)
