"""What a step of a rollback does outside: an HTTP request or a program, within a time limit."""

from __future__ import annotations

import json
import time
from collections.abc import Mapping
from typing import Any, assert_never

from switchover.checks.command import check_command
from switchover.checks.excerpt import excerpt
from switchover.checks.exchange import SHADOW_HEADER, Answer, Transport, ask, finishes, open_client
from switchover.checks.header_values import header_values
from switchover.checks.outcome import Outcome
from switchover.connection import printable
from switchover.errors import InputError, Refused
from switchover.plan.rollback_steps import Command, HttpCall, Outside
from switchover.plan.spec import CommandCheck
from switchover.ports import CheckResult

#: The header by which a system knows a request that it has had before.
KEY_HEADER = "Idempotency-Key"
#: The same for a program.
KEY_VARIABLE = "SWITCHOVER_IDEMPOTENCY_KEY"
#: Characters of an answer that are kept: the beginning, where it says what is wrong.
EXCERPT = 500


class OutsideActions:
    """Does it for real; implements ``ActionRunner``.

    ``environ`` holds the variables that plans name, ``allow_commands`` are the programs that the
    operator lets plans run; ``transport`` replaces the network.
    """

    def __init__(
        self,
        environ: Mapping[str, str],
        allow_commands: frozenset[str] = frozenset(),
        transport: Transport = None,
    ) -> None:
        self._environ, self._allowed, self._transport = environ, allow_commands, transport

    def run(
        self, action: Outside, *, name: str, key: str, limit: float, directory: str
    ) -> CheckResult:
        """Do it once; see :class:`switchover.ports.ActionRunner`."""
        began = time.perf_counter()
        try:
            outcome = self._outcome(action, name, key, limit, directory)
        except (InputError, Refused) as error:
            # A variable or an operator's leave that is missing: one step of several has failed.
            outcome = Outcome(False, str(error))
        seconds = time.perf_counter() - began
        return CheckResult(name, outcome.ok, outcome.summary, seconds, outcome.detail)

    def _outcome(
        self, action: Outside, name: str, key: str, limit: float, directory: str
    ) -> Outcome:
        if isinstance(action, HttpCall):
            return self._call(action, name, key, limit)
        if isinstance(action, Command):
            check = CommandCheck(kind="command", name=name, argv=action.argv, timeout=limit)
            return check_command(check, directory, self._allowed, {KEY_VARIABLE: key})
        assert_never(action)

    def _call(self, action: HttpCall, name: str, key: str, limit: float) -> Outcome:
        headers = header_values(action.headers, self._environ, f"step {name!r}")
        body = None if action.body is None else json.dumps(action.body).encode()
        answers: list[Answer] = []

        async def work() -> None:
            async with open_client(self._transport, 1, limit) as client:
                # It is meant: nothing that a service may leave out as it would a rehearsal.
                del client.headers[SHADOW_HEADER]
                client.headers.update({KEY_HEADER: key, **headers})
                answers.append(await ask(client, action.method, action.url, body))

        what = f"{action.method} {printable(action.url)}"
        detail: dict[str, Any] = {"request": what, "key": key}
        if not finishes(work, limit) or not answers:
            return Outcome(False, f"{what} gave no answer within {limit:g} s", detail)
        answer = answers[0]
        detail |= {"status": answer.status, "answered_in": round(answer.seconds, 4)}
        if answer.status and not answer.fault:
            detail["answer"] = excerpt(answer.body, self._environ, EXCERPT)
        if answer.fault or not _wanted(action, answer.status):
            return Outcome(False, f"{what}: {answer.trouble}; look at that system's log", detail)
        return Outcome(True, f"{what} answers {answer.status}", detail)


def _wanted(action: HttpCall, status: int) -> bool:
    return status in action.status if action.status else 200 <= status < 300
