"""The journeys that are killed: each a plan, and what people do on the way.

A new one is an :data:`~tests.faults.journey.Act` and a line in :data:`SCENARIOS`. An act looks at
what is on record, does at most one thing, and has to be right when it is asked again after a kill.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import httpx
import redis

from switchover.connection import redis_key
from switchover.engine.approve import abort, decide_approval
from switchover.engine.drain import LEASE
from switchover.engine.freeze import freeze, unfreeze
from switchover.engine.hold import hold, resume
from switchover.engine.repair_items import reconcile_items
from switchover.engine.roll_back import roll_back
from switchover.engine.set_flag import remove_flag, set_flag
from switchover.engine.sign_off import sign_off
from switchover.engine.start import start
from switchover.machine.state import TERMINAL, Phase
from switchover.testing.incidents import work_through
from tests.faults.journey import Act, Moment, Site, nobody, send, ship

_SHORT = [
    {"kind": "checks"},
    {"kind": "canary", "percent": 10, "bake": "1h"},
    {"kind": "canary", "percent": 100, "bake": "1h", "approval": True},
]
_TABLES: dict[str, Any] = {
    "table": "items", "key": "id", "state": "state",
}  # fmt: skip
ITEMS = {
    "legacy": {**_TABLES, "database": "env:LEGACY"},
    "candidate": {**_TABLES, "database": "env:CANDIDATE"},
    "states": {"completed": "done"},
    "rules": [{"legacy": "done", "candidate": "*", "repair": "use_legacy"}],
}


_TWO = {"approvers": ["ada", "bo"], "min_approvers": 2, "expires": "10h"}
_CHECKLIST = {"items": [], "sign_offs": [{"id": "briefed", "text": "all know", "who": "ada"}]}
_NO_RETURN = [
    *_SHORT[:2],
    {"kind": "canary", "percent": 50, "bake": "1h", "approval": True,
     "reversibility": "point_of_no_return"},
    {"kind": "canary", "percent": 100, "bake": "1h"},
]  # fmt: skip


@dataclass(frozen=True)
class Scenario:
    """One kind of journey. ``end`` is the phase in which it ends."""

    name: str
    end: str
    act: Act = nobody
    bad: bool = False
    plan: dict[str, Any] = field(default_factory=lambda: {"stages": _SHORT})
    build: Callable[[Site], None] = lambda site: None


def serves(moment: Moment) -> bool:
    """Whether the first canary stage has begun."""
    state = moment.case.state
    return state.split > 0 and state.phase not in TERMINAL


def asked(moment: Moment) -> bool:
    """Whether an approval waits."""
    approval = moment.case.state.approval
    return approval is not None and approval.status == "pending"


def once(kind: str, when: Callable[[Moment], bool], do: Callable[[Moment], Any]) -> Act:
    """``do`` when it is time, unless an entry of ``kind`` says that it was done."""

    def act(moment: Moment) -> bool:
        if moment.wrote[kind] or not when(moment):
            return False
        do(moment)
        return True

    return act


def then(*acts: Act) -> Act:
    """The first of these that has something to do."""
    return lambda moment: any(act(moment) for act in acts)


def _rolls_back(moment: Moment) -> None:
    roll_back(moment.context, moment.site.slug, actor="bo", trigger="person", reason="smoke")


def _starts_again(moment: Moment) -> bool:
    if moment.case.state.phase is not Phase.ROLLED_BACK or moment.wrote["started"] > 1:
        return False
    work_through(moment.context, moment.site.slug)
    start(moment.context, moment.site.plan, actor="carl")
    return True


def _aborts(moment: Moment) -> None:
    abort(moment.context, moment.site.slug, actor="ada", reason="given up")


def _freezes(moment: Moment) -> None:
    freeze(moment.context, moment.site.slug, actor="ada", reason="sales day")


def _unfreezes(moment: Moment) -> bool:
    if moment.wrote["noted"] != 1:
        return False
    unfreeze(moment.context, moment.site.slug, actor="ada")
    return True


def _signs(moment: Moment) -> None:
    sign_off(moment.context, moment.site.slug, "briefed", signer="ada", via="cli")


def _approves_in_prefect(moment: Moment) -> bool:
    """The form of the waiting run is filled in, and the run goes on with the decision."""
    approval = moment.case.state.approval
    if approval is None or approval.status != "pending":
        return False
    rows = {row["key"]: row for row in moment.context.ledger.effects(moment.site.slug)}
    started = rows[f"{approval.id}:run"]
    if started["status"] != "done":  # whoever was about to note it was killed
        moment.site.clock.move(moment.site.clock.timestamp + LEASE + 1)
        return True
    place = f"{moment.site.prefect.api_url}/flow_runs/{started['result']['run']}/resume"
    httpx.post(place, json={"run_input": {"decision": "approve", "approver": "ada"}})
    decide_approval(moment.context, moment.site.slug, "approve", approver="ada", via="prefect")
    return True


def _votes(moment: Moment) -> None:
    decide_approval(moment.context, moment.site.slug, "approve", approver="bo", via="cli")


def _fails(moment: Moment) -> None:
    """The candidate turns bad where nothing goes back by itself."""
    state, clock = moment.case.state, moment.site.clock
    clock.move(max(clock.timestamp, state.not_before + 1))
    ship(moment.context, state, bad=True)


def _insists(moment: Moment) -> None:
    roll_back(moment.context, moment.site.slug, actor="bo", trigger="person", reason="smoke",
              insist=True)  # fmt: skip


def _holds(moment: Moment) -> None:
    hold(moment.context, moment.site.slug, actor="ada", reason="lunch")


def _resumes(moment: Moment) -> None:
    resume(moment.context, moment.site.slug, actor="ada", reason="back")


def _rejects(moment: Moment) -> None:
    decide_approval(moment.context, moment.site.slug, "reject", approver="bo", via="cli")


def _lets_expire(moment: Moment) -> None:
    approval = moment.case.state.approval
    assert approval is not None
    moment.site.clock.move(approval.expires_at + 1)


def _turns(moment: Moment) -> None:
    """Evidence that is bad enough to hold, and not to roll back."""
    send(moment.context, moment.case.state, {"candidate": 72}, "turn", n=400)


def _recovers(moment: Moment) -> bool:
    """Good evidence again, a minute at a time, until the gate is content."""
    approval = moment.case.state.approval
    if approval is None or approval.status != "void" or moment.case.state.verdict == "promote":
        return False
    moment.site.clock.move(moment.site.clock.timestamp + 60)
    ship(moment.context, moment.case.state)
    return True


def _loses_evidence(moment: Moment) -> None:
    """What was shipped is gone before anybody collected it, and nothing comes for hours."""
    ship(moment.context, moment.case.state)
    with redis.Redis.from_url(moment.site.redis) as client:
        client.delete(redis_key(moment.site.slug, "blocks"))
    moment.site.clock.move(moment.case.state.not_before + 3 * 3600)


def _changes_flags(moment: Moment) -> bool:
    words = {"actor": "ada", "reason": "try"}
    if not serves(moment) or moment.wrote["flags_changed"] > 2:
        return False
    context, slug = moment.context, moment.site.slug
    if moment.wrote["flags_changed"] == 2:
        remove_flag(context, slug, "fast", **words)
    else:
        share = (1_000, 5_000)[moment.wrote["flags_changed"]]
        set_flag(context, slug, "fast", {"split": share}, create=True, **words)
    return True


def _repairs(moment: Moment) -> None:
    """One look, ten minutes later than the one before."""
    moment.site.clock.move(moment.site.clock.timestamp + 600)
    reconcile_items(moment.context, moment.site.slug, actor="monitor")


def _held(moment: Moment) -> bool:
    return moment.case.state.phase is Phase.HELD


def _complete(moment: Moment) -> bool:
    return moment.case.state.phase is Phase.COMPLETE


def _worked(moment: Moment) -> bool:
    return moment.wrote["work_recorded"] > 0


def _no_return(moment: Moment) -> bool:
    return moment.case.stage.reversibility == "point_of_no_return"


def _stranded(moment: Moment) -> bool:
    return moment.wrote["stranded"] > 0


def _expiring(policy: str) -> dict[str, Any]:
    approvals = {"approvers": ["ada", "bo"], "expires": "10h", "on_expiry": policy}
    return {"stages": _SHORT, "approvals": approvals}


_EXPIRES = once("approval_decided", asked, _lets_expire)
_RESUMES = once("resumed", _held, _resumes)
_BY_HAND = once("rolled_back", serves, _rolls_back)

SCENARIOS = {
    scenario.name: scenario
    for scenario in (
        Scenario("complete", "complete", plan={}),
        Scenario("rollback by the judge", "rolled_back", bad=True),
        Scenario("rollback by hand", "rolled_back", _BY_HAND),
        Scenario("rollback while asked", "rolled_back", once("rolled_back", asked, _rolls_back)),
        Scenario("rollback after the end", "rolled_back",
                 once("rolled_back", _complete, _rolls_back)),
        Scenario("retry after a rollback", "complete", then(_BY_HAND, _starts_again)),
        Scenario("approval expires: hold", "complete", then(_EXPIRES, _RESUMES),
                 plan=_expiring("hold")),
        Scenario("approval expires: rollback", "rolled_back", _EXPIRES, plan=_expiring("rollback")),
        Scenario("approval expires: abort", "aborted", _EXPIRES, plan=_expiring("abort")),
        Scenario("approval void", "complete",
                 then(once("approval_decided", asked, _turns), _recovers)),
        Scenario("approval rejected", "complete",
                 then(once("approval_decided", asked, _rejects), _RESUMES)),
        Scenario("abort", "aborted", once("aborted", asked, _aborts)),
        Scenario("hold and resume", "complete", then(once("held", serves, _holds), _RESUMES)),
        Scenario("evidence lost", "complete", once("noted", serves, _loses_evidence)),
        Scenario("flags", "complete", _changes_flags),
        Scenario("approved in Prefect", "complete", _approves_in_prefect),
        Scenario("two approve", "complete", once("approval_voted", asked, _votes),
                 plan={"stages": _SHORT, "approvals": _TWO}),
        Scenario("signed off", "complete", once("signed_off", _worked, _signs),
                 plan={"stages": _SHORT, "checklist": _CHECKLIST}),
        Scenario("frozen", "complete", then(once("noted", serves, _freezes), _unfreezes)),
        Scenario("past the point of no return", "rolled_back",
                 then(once("stranded", _no_return, _fails),
                      once("rolled_back", _stranded, _insists)),
                 plan={"stages": _NO_RETURN}),
        Scenario("work items", "complete", once("items_repaired", serves, _repairs),
                 plan={"stages": _SHORT, "work_items": ITEMS}, build=Site.fill),
    )
}  # fmt: skip
