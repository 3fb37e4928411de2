"""Slack's buttons: a signed click becomes a decision by the approver whose user it is, or says
who looks after an incident."""

from __future__ import annotations

import json
import logging
from collections.abc import Callable
from urllib.parse import parse_qs, urlsplit

from fastapi import APIRouter, BackgroundTasks, HTTPException, Request
from fastapi.responses import Response

from switchover.api.engine import Engine, drain_later
from switchover.api.problem import responses
from switchover.api.slack_signature import SlackSignatures
from switchover.engine.context import Context
from switchover.engine.fresh_decision import decide_freshly
from switchover.engine.incident import acknowledge
from switchover.engine.quorum import missing_votes
from switchover.errors import DependencyUnavailable, InputError, NotAuthorised, SwitchoverError
from switchover.incidents.slack_blocks import escape
from switchover.incidents.slack_decision import Click, read_click
from switchover.machine.inquiry import inquiry_of

_log = logging.getLogger("switchover.api")

router = APIRouter(tags=["slack"])

#: Seconds for telling somebody what became of their click.
_PATIENCE = 3

#: Tells the one who clicked, and nobody else.
Tell = Callable[[Click, str], None]


@router.post(
    "/slack/interactions",
    response_class=Response,
    responses=responses(400, 403, 404),
    summary="Take a click on a message's button",
    openapi_extra={
        "requestBody": {
            "required": True,
            "content": {
                "application/x-www-form-urlencoded": {
                    "schema": {
                        "type": "object",
                        "required": ["payload"],
                        "properties": {"payload": {"type": "string", "description": "JSON"}},
                    }
                }
            },
        }
    },
)
async def interact(request: Request, engine: Engine, later: BackgroundTasks) -> Response:
    """For Slack only, which signs its requests. It wants an answer within three seconds, so the
    decision is taken after the answer, and told to the one who clicked."""
    signatures: SlackSignatures | None = request.app.state.slack_signatures
    if signatures is None:
        raise HTTPException(
            404, "Slack's buttons are off: SWITCHOVER_SLACK_SIGNING_SECRET is not set"
        )
    body, headers = await request.body(), request.headers
    signatures.verify(
        headers.get("x-slack-request-timestamp", ""), headers.get("x-slack-signature", ""), body
    )
    click = read_click(_payload(body))
    if click is not None:
        later.add_task(settle_click, engine, click, request.app.state.tell_in_slack)
    return Response(status_code=200, background=later)


def settle_click(context: Context, click: Click, tell: Tell) -> None:
    """Record what was clicked, tell the one who did, and perform what follows."""
    try:
        said = _record(context, click)
    except DependencyUnavailable as error:
        # Whoever clicked may be anybody: no addresses.
        _log.warning("a click in Slack was not recorded: %s", error)
        said = f"Not recorded, as the {error.name} can't be reached; click again later."
    except SwitchoverError as error:
        said = f"Not recorded: {error}"
    except Exception:
        _log.exception("a click in Slack failed in an unforeseen way")
        said = "Not recorded, by a fault of Switchover itself: its log tells more."
    tell(click, said)
    drain_later(context)


def _record(context: Context, click: Click) -> str:
    """Decide as the approver whose Slack user it is; gives the sentence for them."""
    name = context.approvers.by_slack(click.user) if context.approvers else None
    if click.decision == "acknowledge":
        # Whoever is on call may be no approver: Slack vouches for the user.
        who = name or f"Slack user {click.user}"
        case = acknowledge(context, click.incident, actor=who, via="slack")
        found = inquiry_of(case.state.inquiries, click.incident)
        looks = found.acknowledged_by if found is not None else who
        return f"Incident {click.incident} is looked after by {looks}."
    if name is None:
        raise NotAuthorised(
            f"nobody is enrolled with the Slack user {click.user}; somebody who runs Switchover "
            f"enrols you with: switchover approvers add NAME --slack {click.user}"
        )
    case = decide_freshly(
        context, click.migration, click.decision, approver=name, reason=click.reason,
        via="slack", approval=click.approval, proven=True,
    )  # fmt: skip
    decided = case.state.approval
    if decided is None:
        raise AssertionError("a decided approval stays in the state until the step")
    if decided.status == "pending":
        return f"Recorded for {name}; still wanted: {'; '.join(missing_votes(case))}."
    return f"Recorded for {name}: {decided.id} is {decided.status}."


def teller(api_url: str) -> Tell:
    """Tells by the address that came with a click, where it is Slack's (or the stand-in's)."""
    home = urlsplit(api_url or "https://hooks.slack.com/")

    def tell(click: Click, text: str) -> None:
        address = urlsplit(click.answer_url)
        if (address.scheme, address.netloc) != (home.scheme, home.netloc):
            _log.warning("a click by %s came without an address of Slack's to answer", click.user)
            return
        from slack_sdk.webhook import WebhookClient

        try:
            answer = WebhookClient(click.answer_url, timeout=_PATIENCE).send(
                text=escape(text), response_type="ephemeral", replace_original=False
            )
        except (OSError, ValueError) as error:
            # The decision stands; its message in the channel is changed by an effect.
            _log.warning("Slack did not take an answer to %s: %s", click.user, type(error).__name__)
            return
        if answer.status_code != 200:
            _log.warning("Slack refused an answer to %s: %s", click.user, answer.status_code)

    return tell


def _payload(body: bytes) -> object:
    try:
        (text,) = parse_qs(body.decode(), strict_parsing=True)["payload"]
        return json.loads(text)
    except (KeyError, ValueError, RecursionError) as error:
        raise InputError("this is no interaction of Slack's; it has no payload of JSON") from error
