"""HTTP probe: one request, and an answer that is as the plan expects."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from switchover.checks.excerpt import excerpt
from switchover.checks.exchange import Answer, Transport, ask, finishes, open_client
from switchover.checks.header_values import header_values
from switchover.checks.outcome import Outcome
from switchover.connection import printable
from switchover.contracts.schema import load_schema
from switchover.judge.path import parse, reach
from switchover.judge.redaction import REDACTED, brief, redaction
from switchover.plan.probes import HttpProbe
from switchover.plan.spec import Plan

#: Characters of a wrong answer that are kept.
EXCERPT = 200


def probe_http(
    probe: HttpProbe, plan: Plan, directory: str, environ: Mapping[str, str], transport: Transport
) -> Outcome:
    """Send the request and hold the answer against what is expected. Raises ``InputError`` for a
    variable that is not set, or a contract that can't be read."""
    url = _address(probe, plan)
    headers = header_values(probe.headers, environ, f"probe {probe.name!r}")
    body = None if probe.body is None else json.dumps(probe.body).encode()
    answers: list[Answer] = []

    async def work() -> None:
        async with open_client(transport, 1, probe.timeout) as client:
            client.headers.update(headers)
            answers.append(await ask(client, probe.method, url, body))

    shown = printable(url)
    detail: dict[str, Any] = {"url": shown, "method": probe.method}
    what = f"{probe.method} {shown}"
    if not finishes(work, probe.timeout):
        return Outcome(False, f"{what} gave no answer within {probe.timeout:g} s", detail)
    answer = answers[0]
    detail |= {"status": answer.status, "answered_in": round(answer.seconds, 4)}
    if answer.fault:
        return Outcome(False, f"{what} gave {answer.fault}", detail)
    faults = list(_faults(probe, plan, directory, answer))
    if not faults:
        took = f"{answer.seconds * 1000:.0f} ms"
        return Outcome(True, f"{what} answers {answer.status} in {took}", detail)
    # Where the plan hides parts of answers, nobody can tell here which words are theirs.
    hides = plan.agreement is not None and plan.agreement.redact
    if not hides and (said := excerpt(answer.body, environ, EXCERPT)):
        detail["excerpt"] = said
    return Outcome(False, f"{what} answers {answer.status}: {'; '.join(faults)}", detail)


def _address(probe: HttpProbe, plan: Plan) -> str:
    if probe.url is not None:
        return probe.url.rstrip("/") + probe.path if probe.path else probe.url
    system = plan.systems.legacy if probe.system == "legacy" else plan.systems.candidate
    return system.url.rstrip("/") + (probe.path or system.health)


def _faults(probe: HttpProbe, plan: Plan, directory: str, answer: Answer) -> Iterator[str]:
    expect = probe.expect
    if answer.status != expect.status:
        yield f"status {expect.status} expected"
        return
    if expect.at_most is not None and answer.seconds > expect.at_most:
        yield (f"it took {answer.seconds * 1000:.0f} ms, "
               f"at most {expect.at_most * 1000:g} ms expected")  # fmt: skip
    if expect.contains is not None and expect.contains not in answer.body.decode(errors="replace"):
        yield f"it does not contain {expect.contains!r}"
    if not expect.values and expect.contract is None:
        return
    try:
        document = json.loads(answer.body)
    except (ValueError, RecursionError):  # not UTF-8, not JSON, or nested beyond reading
        yield "it is not JSON"
        return
    hidden = redaction(plan.agreement.redact if plan.agreement else ())
    for path, wanted in expect.values.items():
        found = reach(path)(document)
        if found != wanted or isinstance(found, bool) is not isinstance(wanted, bool):
            seen = REDACTED if hidden(parse(path))[1] else f"{brief(found)!r}"
            yield f"{path} is {seen}, {wanted!r} expected"
    if expect.contract is not None:
        wrong = load_schema(Path(directory) / expect.contract).faults(document)
        if wrong:
            yield f"it breaks {expect.contract}: {wrong[0]}"
