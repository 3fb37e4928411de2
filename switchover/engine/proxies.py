"""Proxies: what they really do, beside what the ledger wants of them (T11)."""

from __future__ import annotations

from collections.abc import Sequence

from switchover.engine.context import Case
from switchover.engine.project import snapshot_of
from switchover.errors import DependencyUnavailable, InputError, Refused
from switchover.machine.split import FULL
from switchover.ports import MeasuredShare


def measured(case: Case) -> tuple[MeasuredShare, ...]:
    """The share that each of the plan's proxies has.

    Where one is out of our reach, its followers' word is taken: they acknowledge an epoch when
    the proxy has it.
    """
    splits = case.context.splits
    if splits is None or not case.plan.proxies:
        return ()
    try:
        found = splits(case.plan).measure()
    except (InputError, Refused) as error:
        return (MeasuredShare("proxies", None, str(error)),)
    if not any(share.fault for share in found):
        return found
    followed = _followed(case)
    wanted = snapshot_of(case).served / FULL
    return tuple(
        MeasuredShare(share.proxy, wanted) if share.fault and share.proxy in followed else share
        for share in found
    )


def astray(case: Case, found: Sequence[MeasuredShare]) -> str:
    """Which proxies do not do what the ledger wants, in a sentence; empty when all do.

    One that can't tell its share is no reason to wait; one that can't be asked is.
    """
    wanted = snapshot_of(case).served / FULL
    return "; ".join(
        f"{share.proxy} can't be asked for its share: {share.fault}"
        if share.fault
        else f"{share.proxy} sends {share.share:.2%} to the candidate, and the routing document "
        f"says {wanted:.2%}"
        for share in found
        if share.fault or (share.share is not None and round(abs(share.share - wanted) * FULL))
    )


def _followed(case: Case) -> set[str]:
    """Names of proxies whose live followers all acknowledge the present split."""
    wanted = snapshot_of(case)
    try:
        said = case.context.routing.acknowledgements(case.state.migration)
    except DependencyUnavailable:
        return set()  # without Redis nobody's word is known, and the proxy's own fault stands
    behind = {ack.proxy for ack in said if ack.epoch < (wanted.turned or wanted.epoch)}
    return {ack.proxy for ack in said if ack.proxy} - behind
