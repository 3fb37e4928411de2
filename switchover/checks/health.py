"""Health check: the system's health path answers 200."""

from __future__ import annotations

import asyncio
import random

from switchover.checks.exchange import Answer, Transport, ask, finishes, open_client
from switchover.checks.outcome import Outcome
from switchover.plan.spec import HealthCheck, System

RETRIES = 3
#: Seconds before the first retry; doubled each time, and spread by half up and down.
BACKOFF = 0.1


def check_health(check: HealthCheck, system: System, transport: Transport) -> Outcome:
    """Ask for the health path, again when no connection came about, within ``check.timeout``."""
    url = system.url.rstrip("/") + system.health
    answers: list[Answer] = []

    async def work() -> None:
        async with open_client(transport, 1, check.timeout) as client:
            for attempt in range(RETRIES + 1):
                answers.append(await ask(client, "GET", url, None))
                if answers[-1].status or attempt == RETRIES:
                    return
                await asyncio.sleep(BACKOFF * 2**attempt * random.uniform(0.5, 1.5))

    in_time = finishes(work, check.timeout)
    detail = {"url": url, "attempts": len(answers) + (not in_time)}
    who = f"{check.system} at {url}"
    if not in_time:
        last = f"; before that: {answers[-1].trouble}" if answers else ""
        summary = f"{who} gave no answer within {check.timeout:g} s{last}; start it, or correct url"
        return Outcome(False, summary, detail)
    answer = answers[-1]
    detail["status"] = answer.status
    detail["answered_in"] = round(answer.seconds, 4)
    if answer.status == 200 and not answer.fault:
        return Outcome(True, f"{who} answers 200 in {answer.seconds * 1000:.0f} ms", detail)
    if answer.status:
        summary = f"{who} answers {answer.trouble}, not status 200; look at its log"
    else:
        summary = (f"{who} can't be reached in {len(answers)} attempts: {answer.trouble}; "
                   "start it, or correct url")  # fmt: skip
    return Outcome(False, summary, detail)
