"""What a step does outside: an HTTP request as the plan has it, within its limit."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from typing import Any

import httpx
import pytest

from switchover.checks.action import KEY_HEADER, OutsideActions
from switchover.plan.rollback_steps import Command, HttpCall
from switchover.ports import CheckResult

TOKEN = "s3cret-token-of-the-platform"


class Platform:
    """Answers requests as the test says, and keeps them."""

    def __init__(self) -> None:
        self.requests: list[httpx.Request] = []
        self.status, self.text, self.slow = 200, "", False

    async def __call__(self, request: httpx.Request) -> httpx.Response:
        self.requests.append(request)
        if self.slow:
            await asyncio.sleep(60)
        return httpx.Response(self.status, content=self._body())

    async def _body(self) -> AsyncIterator[bytes]:
        yield self.text.encode()


Call = Callable[..., CheckResult]


@pytest.fixture
def platform() -> Platform:
    """The system that is called."""
    return Platform()


@pytest.fixture
def call(platform: Platform) -> Call:
    """Do an HTTP action with the key of an incident."""

    def do(limit: float = 5.0, **more: Any) -> CheckResult:
        actions = OutsideActions({"TOKEN": TOKEN}, transport=httpx.MockTransport(platform))
        action = HttpCall(kind="http", url="http://127.0.0.1:9/routes", **more)
        return actions.run(
            action, name="routes", key="i1:service:routes", limit=limit, directory=""
        )

    return do


@pytest.mark.req("R2")
def test_a_request_is_sent_as_the_plan_has_it_with_its_key(call: Call, platform: Platform) -> None:
    """Method, body and headers, a secret from its variable, and a key to know a repetition by."""
    result = call(method="PUT", body={"to": "v1"}, headers={"Authorization": "env:TOKEN"})
    assert (result.ok, result.summary) == (True, "PUT http://127.0.0.1:9/routes answers 200")
    (sent,) = platform.requests
    assert (sent.method, json.loads(sent.content)) == ("PUT", {"to": "v1"})
    assert (sent.headers["Authorization"], sent.headers[KEY_HEADER]) == (TOKEN, "i1:service:routes")
    assert TOKEN not in str(result)


@pytest.mark.req("R2")
@pytest.mark.parametrize(
    ("status", "wanted", "ok"),
    [(204, [], True), (302, [], False), (409, [], False), (409, [200, 409], True),
     (200, [202], False)],
)  # fmt: skip
def test_a_step_succeeds_by_the_answers_that_the_plan_names(
    call: Call, platform: Platform, status: int, wanted: list[int], ok: bool
) -> None:
    """Without any, by 200 to 299."""
    platform.status = status
    assert call(status=wanted).ok is ok


@pytest.mark.req("R2")
def test_a_system_that_does_not_answer_within_the_limit_fails_the_step(
    call: Call, platform: Platform
) -> None:
    """The limit is the step's, and no other time-out is waited for."""
    platform.slow = True
    result = call(limit=0.2)
    assert not result.ok
    assert "within 0.2 s" in result.summary


@pytest.mark.req("R2")
def test_a_secret_that_a_system_repeats_is_not_on_record(call: Call, platform: Platform) -> None:
    """What it says is kept, as it may say what is wrong."""
    platform.status, platform.text = 403, f"no such token: {TOKEN}"
    result = call(headers={"Authorization": "env:TOKEN"})
    assert (result.ok, TOKEN in str(result.to_dict())) == (False, False)
    assert "no such" in result.detail["answer"]


@pytest.mark.req("R2")
def test_what_is_missing_here_fails_the_step_and_says_so(call: Call, platform: Platform) -> None:
    """A variable that nobody set, or a program that nobody allowed: nothing is sent or run."""
    result = call(headers={"Authorization": "env:ABSENT"})
    assert (result.ok, platform.requests) == (False, [])
    assert "ABSENT" in result.summary
    actions = OutsideActions({}, frozenset({"other"}))
    command = Command(kind="command", argv=["touch", "proof"])
    refused = actions.run(command, name="a", key="k", limit=5.0, directory="")
    assert (refused.ok, "SWITCHOVER_ALLOW_COMMANDS" in refused.summary) == (False, True)
