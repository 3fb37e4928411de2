"""Identity: whether somebody is the approver whose name they give."""

from __future__ import annotations

from switchover.engine.context import Case, persist
from switchover.errors import NotAuthorised, WrongCode
from switchover.machine.event import Noted


def prove(case: Case, approver: str, via: str, *, code: str, proven: bool) -> str:
    """How the approver proved to be who they say: ``code``, the name of the way in (``api``,
    ``slack``) whose caller has ``proven`` it, or ``trusted`` where the plan takes names as they
    are. A code that is given is verified in any case.

    Raises ``NotAuthorised``; a wrong code goes on record, with how many there were.
    """
    if proven:
        return via
    policy = case.plan.approvals
    wanted = policy is not None and policy.identity == "code"
    if not code:
        if wanted:
            raise NotAuthorised(
                f"this plan wants the personal approval code of {approver!r}; "
                f"`switchover approvers add {approver}` issues one"
            )
        return "trusted"
    register = case.context.approvers
    if register is None:
        raise NotAuthorised("no register of approvers is connected, so no code can be verified")
    try:
        register.verify(approver, code)
    except WrongCode as error:
        if error.compared and error.failures:
            _write_down(case, approver, via, error)
        raise
    return "code"


def _write_down(case: Case, approver: str, via: str, error: WrongCode) -> None:
    text = f"wrong approval code for {approver} by {via}: {error.failures} in a row"
    if error.locked_until is not None:
        text += f", locked until {error.locked_until:%Y-%m-%d %H:%M:%S} UTC"
    noted = Noted(at=case.context.timestamp, topic="wrong_code", text=text)
    persist(case.context, case.state.migration, lambda _: (noted, ()), actor="switchover")
