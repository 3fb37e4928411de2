"""Rules on the list of stages: what may stand where, and that the list ends at 100 %."""

from __future__ import annotations

from collections.abc import Iterator

from switchover.plan.draft import Draft
from switchover.plan.rules.finding import Finding, rule
from switchover.plan.spec import Plan
from switchover.plan.steps import CanaryStage, ShadowStage
from switchover.plan.tree import Path, find
from switchover.plan.units import spoken

_ONCE = ("checks", "shadow", "adapters")


@rule("stages")
def canaries_grow_to_all(draft: Draft) -> Iterator[Finding]:
    """Percentages rise strictly and end at 100."""
    canaries = _canaries(draft.plan)
    if not canaries:
        yield Finding(("stages",), "no stage moves traffic to the candidate",
                      "add canary stages up to percent: 100", key=True)  # fmt: skip
        return
    before = 0.0
    for index, stage in canaries:
        if stage.percent <= before:
            yield Finding(("stages", index, "percent"),
                          f"{stage.percent:g} % follows {before:g} %, and a split may only grow",
                          f"raise it above {before:g}, or change the order")  # fmt: skip
        before = max(before, stage.percent)
    index, last = canaries[-1]
    if before < 100:
        yield Finding(("stages", index, "percent"),
                      f"the last canary stage ends at {last.percent:g} %",
                      "add a canary stage with percent: 100 after it")  # fmt: skip


@rule("stages")
def preparations_come_once_and_first(draft: Draft) -> Iterator[Finding]:
    """Checks, shadow and adapters at most once each, none after a canary stage."""
    seen: dict[str, int] = {}
    for index, stage in enumerate(draft.plan.stages):
        path: Path = ("stages", index, "kind")
        if stage.kind in seen and stage.kind in _ONCE:
            yield Finding(path, f"a second {stage.kind} stage, after stages[{seen[stage.kind]}]",
                          "remove one of them")  # fmt: skip
        elif stage.kind in _ONCE and "canary" in seen:
            yield Finding(path, f"a {stage.kind} stage after a canary stage comes too late",
                          "move it before the first canary stage")  # fmt: skip
        elif stage.kind == "checks" and "shadow" in seen:
            yield Finding(path, "the checks come after the shadow stage",
                          "move them before it, so that a broken candidate is found first",
                          warning=True)  # fmt: skip
        seen.setdefault(stage.kind, index)


@rule("stages", "checks", "consumers")
def work_has_its_stage(draft: Draft) -> Iterator[Finding]:
    """A checks stage has checks to run and they have it; the same for adapters and consumers."""
    plan = draft.plan
    for kind, section, work in (("checks", "checks", plan.checks),
                                ("adapters", "consumers", plan.consumers)):  # fmt: skip
        index = next((i for i, stage in enumerate(plan.stages) if stage.kind == kind), None)
        written = find(draft.tree, ("stages",)) is not None
        if index is not None and not work and written:
            yield Finding(("stages", index, "kind"),
                          f"the {kind} stage has nothing to do, as the plan has no {section}",
                          f"add {section}, or remove this stage")  # fmt: skip
        elif index is not None and not work:
            yield Finding((), f"the default stages have one of kind {kind}, and the plan has no "
                          f"{section}", f"add {section}, or write stages without it")  # fmt: skip
        elif index is None and work:
            yield Finding((section,), f"the plan has {section}, and no {kind} stage uses them",
                          f"add a stage of kind {kind} before the canaries", key=True)  # fmt: skip


@rule("stages", "judgement")
def a_bake_sees_a_look(draft: Draft) -> Iterator[Finding]:
    """No stage is shorter than the time between two looks."""
    every = draft.plan.judgement.look_every
    for index, stage in enumerate(draft.plan.stages):
        if isinstance(stage, CanaryStage | ShadowStage) and stage.bake < every:
            yield Finding(("stages", index, "bake"),
                          f"the stage bakes for {spoken(stage.bake)}, and looks are "
                          f"{spoken(every)} apart",
                          "bake longer, or lower judgement.look_every")  # fmt: skip


@rule("stages")
def shares_can_be_told_apart(draft: Draft) -> Iterator[Finding]:
    """Splits are stored in steps of 0.01 %; a shadow stage shadows something."""
    for index, stage in enumerate(draft.plan.stages):
        if isinstance(stage, CanaryStage):
            if abs(stage.percent * 100 - round(stage.percent * 100)) > 1e-6:
                yield Finding(("stages", index, "percent"),
                              f"{stage.percent:g} % is finer than 0.01 %, the smallest step",
                              "use two digits after the point at most")  # fmt: skip
            elif stage.percent < 1:
                yield Finding(("stages", index, "percent"),
                              f"{stage.percent:g} means {stage.percent:g} % of the keys",
                              "write 10 or 10% for ten in a hundred", warning=True)  # fmt: skip
        if isinstance(stage, ShadowStage) and stage.sample == 0:
            yield Finding(("stages", index, "sample"),
                          "a shadow stage with a sample of 0 % compares nothing",
                          "raise it, or remove the stage")  # fmt: skip


@rule("stages", "request_key")
def integer_keys_split_whole(draft: Draft) -> Iterator[Finding]:
    """``key mod 100 < percent`` knows whole percents only."""
    if draft.plan.request_key.kind != "integer":
        return
    for index, stage in _canaries(draft.plan):
        if stage.percent != int(stage.percent):
            yield Finding(("stages", index, "percent"),
                          f"integer keys split by key mod 100, and {stage.percent:g} % can't",
                          "use a whole percentage, or request_key.kind: string")  # fmt: skip


def _canaries(plan: Plan) -> list[tuple[int, CanaryStage]]:
    return [(i, stage) for i, stage in enumerate(plan.stages) if isinstance(stage, CanaryStage)]
