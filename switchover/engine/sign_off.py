"""Sign off: a person answers for an item of the checklist, or takes their word back."""

from __future__ import annotations

from switchover.engine.checklist import signers
from switchover.engine.context import Case, Context, persist
from switchover.engine.identity import prove
from switchover.errors import InputError, NotAuthorised, Refused
from switchover.machine.event import Event, SignedOff, SignOffWithdrawn
from switchover.plan.checklist import SignOffItem
from switchover.ports import Effect


def sign_off(
    context: Context,
    migration: str,
    item: str,
    *,
    signer: str,
    note: str = "",
    via: str,
    code: str = "",
    proven: bool = False,
) -> Case:
    """Record that ``signer`` answers for ``item`` of the plan's checklist.

    Raises ``InputError`` for an item that the plan does not have, ``NotAuthorised`` for a person
    it does not name or who does not prove their name where the plan asks for it, ``Refused``
    where somebody else has signed it. Signing again changes nothing.
    """

    def make(case: Case) -> tuple[Event, list[Effect]] | None:
        _authorise(case, _item(case, item), signer)
        signed = next((each for each in case.state.sign_offs if each.item == item), None)
        if signed is not None and signed.by != signer:
            raise Refused(f"{migration}: {signed.by} has signed {item} already; nothing is to do")
        if signed is not None:
            return None
        return SignedOff(context.timestamp, signer, item, note, via), []

    _prove(context.open(migration), item, signer, via, code, proven)
    return persist(context, migration, make, actor=signer)


def withdraw(
    context: Context,
    migration: str,
    item: str,
    *,
    signer: str,
    reason: str = "",
    via: str,
    code: str = "",
    proven: bool = False,
) -> Case:
    """Take the sign-off of ``item`` back; whoever may sign it may do that. Raises as
    :func:`sign_off`, and ``IllegalTransition`` where it is not signed."""

    def make(case: Case) -> tuple[Event, list[Effect]]:
        _authorise(case, _item(case, item), signer)
        return SignOffWithdrawn(context.timestamp, signer, item, reason, via), []

    _prove(context.open(migration), item, signer, via, code, proven)
    return persist(context, migration, make, actor=signer)


def _prove(case: Case, item: str, signer: str, via: str, code: str, proven: bool) -> None:
    """Before anything is written, and once: a wrong code counts."""
    _authorise(case, _item(case, item), signer)
    prove(case, signer, via, code=code, proven=proven)


def _item(case: Case, item: str) -> SignOffItem:
    section = case.plan.checklist
    items = section.sign_offs if section else []
    for each in items:
        if each.id == item:
            return each
    known = ", ".join(each.id for each in items) or "nothing"
    raise InputError(
        f"{case.state.migration}: people sign {known}, and not {item!r}; "
        f"`switchover checklist {case.state.migration}` shows all"
    )


def _authorise(case: Case, item: SignOffItem, signer: str) -> None:
    names = signers(case, item)
    if signer not in names:
        role = f" (role {item.role})" if item.role else ""
        raise NotAuthorised(
            f"{signer!r} may not sign {item.id}; the plan names {', '.join(names)}{role}"
        )
