"""What Switchover asks itself after a rollback: does everybody route to legacy, and is it so?"""

from __future__ import annotations

import time
from collections.abc import Iterator

from switchover.engine.context import Case
from switchover.engine.measure import legacy_epoch
from switchover.engine.proxies import astray, measured
from switchover.errors import DependencyUnavailable
from switchover.judge.block import Block
from switchover.plan.units import spoken
from switchover.plan.validation import OWN_QUESTIONS
from switchover.ports import CheckResult

#: Their names in reports.
ROUTERS, SERVED = OWN_QUESTIONS

#: Requests that were under way when routers turned may end so much later, in seconds.
UNDER_WAY = 10.0
#: And recorders have shipped what they saw after this time.
SHIPPED = 20.0


def own_questions(case: Case) -> Iterator[CheckResult]:
    """Both answers; a dependency that is down is a failure, as nobody knows then."""
    for name, ask in ((ROUTERS, _routers), (SERVED, _served)):
        began = time.perf_counter()
        try:
            ok, summary, detail = ask(case)
        except DependencyUnavailable as error:
            ok, summary, detail = False, str(error), {}
        yield CheckResult(name, ok, summary, time.perf_counter() - began, detail)


def _routers(case: Case) -> tuple[bool, str, dict[str, object]]:
    """Every live router acknowledges the rollback, none is silent that may still serve, and
    every proxy sends all to legacy."""
    epoch = legacy_epoch(case)
    found = case.context.routing.wait_acknowledged(case.state.migration, epoch, 0.0)
    detail: dict[str, object] = {
        "routers": found.routers, "epoch": epoch,
        "behind": list(found.waiting), "silent": list(found.lost),
    }  # fmt: skip
    wrong = astray(case, measured(case))
    if wrong:
        return False, wrong, detail
    if found.waiting:
        return False, f"{_names(found.waiting)} not turned yet", detail
    if found.lost:
        return False, f"{_names(found.lost)} fell silent and may still serve as before", detail
    if not found.routers:
        return True, "no router is live; whichever starts now routes to legacy", detail
    all_of_them = "the one live router" if found.routers == 1 else f"all {found.routers} routers"
    return True, f"{all_of_them} acknowledged routing epoch {epoch}", detail


def _served(case: Case) -> tuple[bool, str, dict[str, object]]:
    """No recorder counted a success or a failure of the candidate since routers turned.

    Values are left out: the candidate's own process goes on to record gauges, such as its memory.
    """
    context, since = case.context, _turned_at(case) + UNDER_WAY
    seen = [
        block for block in context.ledger.blocks(case.state.migration, since, context.timestamp)
        if _shows_candidate(block)
    ]  # fmt: skip
    detail: dict[str, object] = {"since": since, "observations": sum(block.n for block in seen)}
    if seen:
        metrics = ", ".join(sorted({block.metric for block in seen}))
        return False, f"{detail['observations']} observations of it since ({metrics})", detail
    early = since + SHIPPED - UNDER_WAY - context.timestamp
    if early > 0:
        return False, f"recorders have {early:.0f} s more to tell what they saw", detail
    return True, f"no recorder saw it answer from {spoken(UNDER_WAY)} after the turn on", detail


def _shows_candidate(block: Block) -> bool:
    counted = block.n - sum(block.sketch.values())
    return block.system == "candidate" and bool(block.recorder) and counted > 0


def _turned_at(case: Case) -> float:
    """When the last live router turned, as far as it was measured; else when it was ordered."""
    ordered = 0.0
    for entry in case.context.ledger.entries(case.state.migration, case.state.turned - 1):
        if entry.kind == "rolled_back":
            ordered = float(entry.payload["at"])
        elif entry.kind == "rollback_measured":
            return ordered + float(entry.payload["seconds"])
    return ordered


def _names(routers: tuple[str, ...]) -> str:
    shown = ", ".join(routers[:3]) + (" and others" if len(routers) > 3 else "")
    return f"{len(routers)} router{'s' * (len(routers) != 1)} ({shown})"
