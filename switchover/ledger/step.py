"""One step of a migration: event in; new state, link and seal out. Pure.

Every ledger, in SQL or in memory, takes its steps through here, so that what is stored is
by construction the fold of what was written.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from switchover.canonical import canonical, digest_of
from switchover.errors import InputError
from switchover.ledger.audit import PLAN_FIELD
from switchover.ledger.chain import Chain, Link
from switchover.machine.apply import apply, begin
from switchover.machine.event import Event, Started, event_from_dict
from switchover.machine.state import State
from switchover.ports import Entry, StoredPlan


@dataclass(frozen=True, slots=True)
class Step:
    """What one append writes; ``seal`` closes the chain at the new head."""

    state: State
    link: Link
    seal: str


def first(
    chain: Chain, plan: StoredPlan, state: State, event: Event, at: datetime, actor: str
) -> Step:
    """The step that begins a migration; ``state`` has to be what ``event`` makes."""
    event, payload = _recorded(event, plan)
    if not isinstance(event, Started):
        raise InputError(f"{state.migration}: a ledger begins with a start, not {event.kind}")
    if event.plan != plan.digest:
        raise InputError(f"{state.migration}: the start event names a plan that is not stored")
    if plan.version != 1:
        raise InputError(f"{state.migration}: the first plan is version 1, not {plan.version}")
    if state != begin(state.migration, event):
        raise InputError(f"{state.migration}: the first state is not what its start event makes")
    previous = chain.origin(state.migration, plan.digest)
    return _step(chain, state, event, payload, at, actor, previous)


def following(
    chain: Chain,
    state: State,
    head: str,
    newest: StoredPlan,
    event: Event,
    at: datetime,
    actor: str,
    plan: StoredPlan | None,
) -> Step:
    """The step after ``state``, whose entry has the digest ``head``.

    ``newest`` is the newest plan stored so far. Raises ``IllegalTransition`` when the machine
    refuses, ``InputError`` for a plan that does not fit.
    """
    event, payload = _recorded(event, plan)
    if plan is not None and plan.version != newest.version + 1:
        raise InputError(
            f"{state.migration}: plan version {plan.version} does not follow {newest.version}"
        )
    if isinstance(event, Started) and event.plan != (plan or newest).digest:
        raise InputError(f"{state.migration}: the start event names a plan that is not stored")
    return _step(chain, apply(state, event), event, payload, at, actor, head)


def entry_of(link: Link) -> Entry:
    """A stored link as the entry that callers read."""
    return Entry(
        migration=link.migration,
        revision=link.revision,
        at=datetime.fromisoformat(link.at),
        actor=link.actor,
        kind=link.kind,
        payload=link.document,
        previous=link.previous,
        digest=link.digest,
    )


def _recorded(event: Event, plan: StoredPlan | None) -> tuple[Event, dict[str, Any]]:
    """The event as a reader of the ledger will see it, and its payload."""
    payload: dict[str, Any] = json.loads(canonical(event.to_dict()))
    event = event_from_dict(event.kind, payload)
    if plan is not None:
        if plan.digest != digest_of(plan.document):
            raise InputError("the plan's digest is not that of its document's canonical JSON")
        payload[PLAN_FIELD] = {
            "version": plan.version,
            "digest": plan.digest,
            "directory": plan.directory,
        }
    return event, payload


def _step(
    chain: Chain,
    state: State,
    event: Event,
    payload: Mapping[str, Any],
    at: datetime,
    actor: str,
    previous: str,
) -> Step:
    link = chain.forge(state.migration, state.revision, at, actor, event.kind, payload, previous)
    return Step(state, link, chain.seal(state.migration, state.revision, link.digest))
