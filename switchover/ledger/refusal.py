"""Why the register of approvers refuses, in the same words on every database."""

from __future__ import annotations

from datetime import datetime

from switchover.errors import InputError, WrongCode


def wrong(name: str, failures: int = 0, until: datetime | None = None) -> WrongCode:
    """The code is not that of the name. Nothing tells whether the name has one at all."""
    locks = f"; no further code is looked at before {until:%H:%M:%S} UTC" if until else ""
    return WrongCode(
        name,
        f"this is not the approval code of {name!r}{locks}; "
        "`switchover approvers add` issues a new one",
        failures=failures,
        locked_until=until,
    )


def locked(name: str, failures: int, until: datetime) -> WrongCode:
    """Too many wrong codes came before."""
    return WrongCode(
        name,
        f"{failures} wrong approval codes for {name!r}: none is looked at before "
        f"{until:%H:%M:%S} UTC; `switchover approvers add` issues a new one and unlocks",
        failures=failures,
        locked_until=until,
        compared=False,
    )


def has_no_code(name: str) -> InputError:
    """There is nothing to revoke."""
    return InputError(f"{name!r} has no approval code; see: switchover approvers list")


def is_taken(user: str, name: str) -> InputError:
    """One Slack user is one approver."""
    return InputError(
        f"the Slack user {user} is {name!r} already; revoke that one, or give another member id"
    )
