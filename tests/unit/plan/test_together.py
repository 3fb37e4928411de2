"""Plans say what comes before traffic, who moves together and where there is no return."""

from __future__ import annotations

from typing import Any

import pytest

from switchover.plan.explain import explain
from switchover.plan.load import lint_plan, load_plan
from switchover.plan.together import misfits, place_of

CHECKLIST = """\
approvals: {approvers: [ada], roles: {operations: [olu]}}
checklist:
  items: [rollback_drilled, monitoring]
  sign_offs:
    - {id: briefed, text: the ward was briefed, who: ada}
    - {id: rota, text: somebody is on call, role: operations}
    - {id: tabletop, text: rehearsed on paper, who: ada, instead_of: rollback_drilled}
"""
GROUP = """\
group:
  name: shops
  depends_on: [{migration: prices, before: 100%}]
  barrier: [canary-10, complete]
  on_failure: rollback
"""
LAST = "{kind: canary, percent: 100, bake: 3h}"
ASKED = "{kind: canary, percent: 100, bake: 3h, approval: true, reversibility: "
PEOPLE = "approvals: {approvers: [ada, bo]}\n"


def said(write: Any, *changes: tuple[str, str], add: str = "") -> list[str]:
    """Faults and warnings of the small plan with changes."""
    report = lint_plan(write(*changes, add=add))
    return [f"{f.field}: {f.message}; {f.suggestion}" for f in (*report.faults, *report.warnings)]


@pytest.mark.req("P13")
def test_a_checklist_and_a_group_are_understood_and_explained(write: Any) -> None:
    """What is missing is a matter of the ledger; what is asked is a matter of the plan."""
    plan = load_plan(write((LAST, ASKED + "point_of_no_return}"), add=CHECKLIST + GROUP))
    told = explain(plan)
    lines = "\n".join(told.lines())
    for words in (
        "Checklist before the first canary: a rollback was rehearsed, and reached every router, "
        "or ada signs: rehearsed on paper",
        "Checklist before the first canary: somebody of the role operations signs: somebody is",
        "Group: 100% waits for 100% of prices",
        "Group: when one of them goes back, it is rolled back",
        "to begin: the checklist is complete",
        "to begin: prices has reached 100%",
        "to begin: every migration of the group is ready for its stage, or past it",
        "to begin: This is the point of no return",
    ):
        assert words in lines, words
    asks = [row.key for row in told.stages if "the checklist is complete" in row.before]
    assert asks == ["canary-10"]
    assert told.to_dict()["checklist"]


@pytest.mark.req("P13")
@pytest.mark.parametrize(
    ("old", "new", "fault"),
    [
        ("[rollback_drilled, monitoring]", "[checks]", "items[0]: 'checks' can never be done, as "
         "the plan has no checks stage"),
        ("[rollback_drilled, monitoring]", "[latency]", "'latency' can never be done, as the plan "
         "has no check of kind latency"),
        ("[rollback_drilled, monitoring]", "[monitoring, monitoring]", "items[1]: 'monitoring' is "
         "on the list twice"),
        ("[rollback_drilled, monitoring]", "[monitoring]", "sign_offs[2].instead_of: "
         "'rollback_drilled' is not asked for"),
        ("  items: [rollback_drilled, monitoring]\n", "", "checklist: 'checks' can never be done"),
        ("id: rota", "id: briefed", "sign_offs[1].id: 'briefed' names sign_offs[0] already"),
        ("id: rota", "id: monitoring", "'monitoring' names an item of the engine already"),
        ("role: operations}", "role: nurses}", "sign_offs[1].role: nobody has the role 'nurses'"),
        ("who: ada}\n    - {id: rota", "who: ada, role: operations}\n    - {id: rota",
         "'briefed' is to be signed by one person or one role"),
    ],
)  # fmt: skip
def test_a_checklist_that_can_not_be_completed_is_refused(
    write: Any, old: str, new: str, fault: str
) -> None:
    """Before the start, with what to do."""
    assert old in CHECKLIST
    found = said(write, add=CHECKLIST.replace(old, new))
    assert any(fault in each for each in found), found


@pytest.mark.req("P7")
@pytest.mark.parametrize(
    ("old", "new", "fault"),
    [
        ("migration: prices", "migration: shop", "depends_on[0].migration: it would wait for"),
        ("before: 100%", "before: canary-50", "before: no stage begins at canary-50; write a "
         "share, or one of shadow, canary-10, canary-100, complete"),
        ("before: 100%", "before: 0%", "'0%' is no place in a rollout"),
        ("before: 100%", "before: [1]", "[1] is no place in a rollout"),
        ("complete]", "checks]", "barrier[1]: no stage begins at checks"),
        ("  depends_on: [{migration: prices, before: 100%}]\n", "", "on_failure: it rests on no"),
    ],
)  # fmt: skip
def test_a_group_with_places_that_do_not_exist_is_refused(
    write: Any, old: str, new: str, fault: str
) -> None:
    """A barrier that nobody ever meets would hold for ever."""
    assert old in GROUP
    found = said(write, add=GROUP.replace(old, new))
    assert any(fault in each for each in found), found


@pytest.mark.req("P7")
def test_plans_together_show_unknown_names_and_circles(write: Any) -> None:
    """By stage: waiting for each other's different stages is no circle."""

    def shop(name: str, **group: Any) -> Any:
        text = f"group: {{name: g, depends_on: [{group['need']}]}}\n" if group else ""
        return load_plan(write(("migration: shop", f"migration: {name}"), add=text)).plan

    a = shop("a", need="{migration: b, reached: 100%, before: 100%}")
    ahead = shop("b", need="{migration: a, reached: 10%, before: 10%}")
    assert misfits([a, ahead]) == []
    around = shop("b", need="{migration: a, reached: 100%, before: 10%}")
    ((fault, advice),) = misfits([a, around])
    assert fault == (
        "a's canary 100 % waits for b's canary 100 % waits for b's canary 10 % waits for a's "
        "canary 100 %: none of them can ever begin"
    )
    assert advice == "let one wait for less"
    ((unknown, _),) = misfits([a])
    assert unknown == "a waits for b, which is none of these plans"
    odd = shop("a", need="{migration: b, reached: canary-50, before: 100%}")
    assert "which has no such stage" in misfits([odd, shop("b")])[0][0]


@pytest.mark.req("P7")
def test_a_barrier_and_a_dependency_can_make_a_circle(write: Any) -> None:
    """All meet before 100 %, and one waits with its 10 % for another's 100 %."""
    text = "group: {name: g, barrier: [100%]NEED}\n"
    a = load_plan(write(("migration: shop", "migration: a"), add=text.replace("NEED", ""))).plan
    need = ", depends_on: [{migration: a, before: 10%}]"
    b = load_plan(write(("migration: shop", "migration: b"), add=text.replace("NEED", need))).plan
    assert "none of them can ever begin" in misfits([a, b])[0][0]
    free = load_plan(write(("migration: shop", "migration: b"), add=text.replace("NEED", ""))).plan
    assert misfits([a, free]) == []


@pytest.mark.req("P7")
def test_a_circle_is_found_in_a_group_of_many(write: Any) -> None:
    """Without recursion, and without walking any way twice."""
    plans = []
    for n in range(120):
        need = f"{{migration: m{(n + 1) % 120}, before: 100%}}"
        text = f"group: {{name: g, depends_on: [{need}]}}\n"
        plans.append(load_plan(write(("migration: shop", f"migration: m{n}"), add=text)).plan)
    assert misfits(plans)[0][0].startswith("m0's canary 100 % waits for m1's canary 100 %")


@pytest.mark.req("P7")
def test_a_share_is_the_first_stage_with_as_much(write: Any) -> None:
    """A plan without that very percentage meets the others at its next larger one."""
    from switchover.plan.stages import compile_stages

    stages = compile_stages(load_plan(write()).plan)
    found = [place_of(p, stages) for p in ("5%", "10%", "50%", "100%", "shadow", "nowhere")]
    assert found == [2, 2, 3, 3, 1, None]


@pytest.mark.req("INV5")
@pytest.mark.parametrize(
    ("stage", "fault"),
    [
        ("{kind: canary, percent: 100, bake: 3h, reversibility: point_of_no_return}",
         "nobody would be asked before the point of no return; add approval: true"),
        (ASKED + "compensable}", "nobody would know what a rollback leaves to do"),
        (ASKED + "reversible, compensation: x}", "a reversible stage has nothing to compensate"),
        (ASKED + "point_of_no_return, compensation: x}", "has nothing to compensate"),
    ],
)  # fmt: skip
def test_a_way_back_that_nobody_could_go_is_refused(write: Any, stage: str, fault: str) -> None:
    """A point of no return is approved, and a compensation is a sentence."""
    found = said(write, (LAST, stage), add=PEOPLE)
    assert any(fault in each for each in found), found


@pytest.mark.req("INV5")
def test_there_is_one_point_of_no_return(write: Any) -> None:
    """What comes after it can't be compensated either."""
    first = "{kind: canary, percent: 10, bake: 2h}"
    passed = first.replace("2h", "2h, approval: true, reversibility: point_of_no_return")
    found = said(write, (first, passed), (LAST, ASKED + "point_of_no_return}"), add=PEOPLE)
    assert any("nothing rolls back by itself since stages[1]" in each for each in found), found
    assert not said(write, (first, passed), add=PEOPLE)
