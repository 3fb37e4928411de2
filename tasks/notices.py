"""Tasks that tell people regularly: notices to stakeholders, and reviews after completion."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from prefect import task

from switchover.engine.assess import assess
from switchover.engine.compare import comparison, present
from switchover.engine.context import Case
from switchover.engine.inform import (
    attempt,
    concerned,
    days_since_complete,
    inform,
    review_due,
    today,
)
from switchover.engine.status import why
from switchover.errors import InputError
from switchover.reporting.notice import Standing, notice_text, told_since
from switchover.reporting.review import daily_text, month_text
from tasks.engine import PATIENT, engine


@task(**PATIENT)
def tell_stakeholder(migration: str, stakeholder: str) -> tuple[bool, str, str]:
    """Tell them where it stands, once a day at most; gives whether that was done, a sentence on
    it, and the text."""
    case = engine().open(migration)
    known = {each.name: each for each in case.plan.notify.stakeholders}
    if stakeholder not in known:
        named = ", ".join(known) or "nobody"
        raise InputError(
            f"the plan of {migration} has no stakeholder {stakeholder!r}; it names {named}"
        )
    person = known[stakeholder]
    reason = concerned(case, person.during)
    if reason:
        return False, f"nothing to tell {stakeholder}: {reason}", ""
    prefix = f"notice {stakeholder} "
    text = notice_text(_standing(case, prefix))
    done = inform(
        engine(), migration, f"{prefix}{today(case)}", text, person.slack_channel, actor="notice"
    )
    told = f"told {stakeholder}" if done else f"{stakeholder} was told today already"
    return done, told, text


@task(**PATIENT)
def review_completed(migration: str) -> tuple[bool, str, str]:
    """Write the review that is due; gives whether one was, a sentence on it, and the text."""
    case = engine().open(migration)
    name = review_due(case)
    if not name:
        return False, _no_review(case), ""
    days = days_since_complete(case) or 0
    if name == "month-1":
        standing = _standing(case, "", comparison(case).get("overall", ()))
        text = month_text(standing, case.entries)
    else:
        text = daily_text(_standing(case, "review day-"), days + 1, assess(case))
    channel = case.plan.notify.slack_channel
    done = inform(engine(), migration, f"review {name}", text, channel, actor="review")
    return done, f"wrote review {name}" if done else f"review {name} is there already", text


def _no_review(case: Case) -> str:
    days = days_since_complete(case)
    if days is None:
        return f"nothing to review: {case.state.migration} is not complete"
    return f"no review is due on day {days + 1} after completion"


def _standing(
    case: Case, prefix: str, figures: Sequence[Mapping[str, Any]] | None = None
) -> Standing:
    """What is told: what happened since the last note whose topic begins with ``prefix``, or
    since completion."""
    entries = attempt(case)
    since, last = told_since(entries, prefix)
    shown = present(case).get("figures", ()) if figures is None else figures
    return Standing(
        title=case.plan.title,
        state=case.state,
        stages=case.stages,
        entries=[entry for entry in entries if entry.revision > last],
        why=str(why(engine(), case.state.migration)["sentence"]),
        comparison=shown,
        alerts=case.state.alerts,
        contacts=case.plan.contacts,
        since=since,
    )
