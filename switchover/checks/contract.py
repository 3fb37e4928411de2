"""Contract check: live answers of a system satisfy a JSON Schema."""

from __future__ import annotations

import json
from pathlib import Path

from switchover.checks.exchange import Answer, Transport, ask, calls, finishes, open_client
from switchover.checks.outcome import Outcome
from switchover.contracts.schema import Schema, load_schema
from switchover.plan.spec import ContractCheck, System

#: Faulty answers shown in full, and faults shown of each.
EXAMPLES = 5
FAULTS = 3


def check_contract(
    check: ContractCheck, system: System, directory: str, transport: Transport
) -> Outcome:
    """Send ``check.requests`` requests, one after the other, and hold each answer against the
    schema. Faults name the place in the answer, never its values."""
    schema = load_schema(Path(directory) / check.contract)
    sent = calls(check.request, system, directory)
    answered = 0
    broken: list[tuple[int, int, list[str]]] = []

    async def work() -> None:
        nonlocal answered
        async with open_client(transport, 1, check.timeout) as client:
            for index in range(check.requests):
                line, body = sent.body(index)
                faults = answer_faults(await ask(client, sent.method, sent.url, body), schema)
                answered += 1
                if faults:
                    broken.append((index + 1, line, faults))

    in_time = finishes(work, check.timeout)
    detail = {
        "url": sent.url,
        "contract": check.contract,
        "requests": check.requests,
        "answered": answered,
        "broken": len(broken),
        "examples": [
            {"request": number, "line": line, "faults": faults[:FAULTS]}
            for number, line, faults in broken[:EXAMPLES]
        ],
    }
    if broken:
        number, _, faults = broken[0]
        return Outcome(
            False,
            f"{len(broken)} of {answered} answers of {check.system} break {check.contract}; "
            f"first, request {number}: {faults[0]}; correct {check.system} or the contract",
            detail,
        )
    if not in_time:
        return Outcome(
            False,
            f"{answered} of {check.requests} requests were answered within {check.timeout:g} s; "
            f"raise timeout, or make {check.system} faster",
            detail,
        )
    return Outcome(True, f"all {answered} answers of {check.system} keep {check.contract}", detail)


def answer_faults(answer: Answer, schema: Schema) -> list[str]:
    """What is wrong with an HTTP answer; empty when it is 2xx, JSON, and keeps the schema."""
    if not answer.ok:
        return [answer.trouble]
    try:
        value = json.loads(answer.body)
    except (ValueError, RecursionError):  # not UTF-8, not JSON, or nested beyond reading
        return ["the answer is not JSON"]
    return schema.faults(value)
