"""What can be seen of a journey from outside, and what has to hold of any journey."""

from __future__ import annotations

import re
from collections import Counter
from typing import Any

import redis

from switchover.connection import redis_key, text
from switchover.engine.context import Case, Context
from switchover.engine.project import snapshot_of
from switchover.ledger import SqlLedger, verify
from switchover.machine.snapshot import Snapshot
from tests.faults.journey import Site

#: Entries that a second runner may well write again, and words that tell what the clock did.
_REPEATED = {"judged", "noted", "data_checked", "items_compared"}

#: Fields whose value is a moment, a revision, or says how long something took.
_MOMENTS = {"at", "not_before", "expires_at", "seconds", "evidence", "sentence", "salt", "plan",
            "stored_plan", "comparison", "reading", "order"}  # fmt: skip


def outside(site: Site) -> dict[str, Any]:
    """All that can be seen of a journey that has ended, without what differs by chance. Raises
    ``AssertionError`` where an invariant is broken."""
    ledger = SqlLedger(site.database, b"key")
    try:
        context = site.context()
        case = context.open(site.slug)
        faults = [*verify(ledger, site.slug), *_routing(site, context, case), *_proxy(site),
                  *_evidence(ledger, site), *_effects(ledger, site)]  # fmt: skip
        assert not faults, "; ".join(map(str, faults))
        return _seen(site, context, case)
    finally:
        ledger.close()
        site.close()


def milestones(seen: dict[str, Any]) -> dict[str, Any]:
    """What has to be the same even where two ran at once, or clocks jumped: notices of silence
    and repeated looks may differ, steps, decisions and effects may not."""
    entries = [entry for entry in seen["entries"] if entry[0] not in _REPEATED]
    # The last one looks whether an approved step was taken, and starts a run only if it was not.
    silent = re.compile(r":(silence|alert_\w+|release)$")
    return {
        **{key: seen[key] for key in ("phase", "routing", "resumed", "reports", "items")},
        "entries": [(kind, payload.get("stage"), payload.get("status"))
                    for kind, _, payload in entries],
        "runs": [key for key in seen["runs"] if not silent.search(key)],
        "messages": [key for key in seen["messages"] if not silent.search(key)],
    }  # fmt: skip


def difference(seen: dict[str, Any], wanted: dict[str, Any]) -> str:
    """In which of the things that are seen two journeys differ; empty when they do not."""
    said = []
    for key in wanted:
        if seen[key] != wanted[key]:
            if isinstance(wanted[key], list):
                more = [x for x in seen[key] if x not in wanted[key]]
                less = [x for x in wanted[key] if x not in seen[key]]
                count = f"{len(seen[key])} instead of {len(wanted[key])}"
                said.append(f"{key}: {count}, more {more!r:.300}, missing {less!r:.300}")
            else:
                said.append(f"{key}: {seen[key]!r:.300} instead of {wanted[key]!r:.300}")
    return "; ".join(said)


def changes(site: Site) -> list[Snapshot]:
    """Every document that routers could see, in order, as long as Redis kept its data."""
    with redis.Redis.from_url(site.redis) as client:
        written = client.xrange(redis_key(site.slug, "changes"))
    return [Snapshot.from_json(text(fields[b"document"])) for _, fields in written]


def _bare(snapshot: Snapshot) -> tuple[Any, ...]:
    """Without its place in time: a halt's epoch is counted in routing, before the ledger's."""
    return (snapshot.mode, snapshot.split, snapshot.shadow, snapshot.salt, snapshot.key,
            snapshot.halt, snapshot.flags)  # fmt: skip


def _routing(site: Site, context: Context, case: Case) -> list[str]:
    """Invariants 2, 3 and 5: the projection, growing epochs, nothing served after a halt."""
    stored, halt = context.routing.read(site.slug), context.routing.halted(site.slug)
    if stored is None:
        return ["routing is empty"]
    faults, wanted, ended = [], snapshot_of(case), case.state.phase.value == "rolled_back"
    if stored.epoch < wanted.epoch:
        faults.append(f"routing's epoch is {stored.epoch}, the ledger's {wanted.epoch}")
    if stored.epoch != wanted.epoch and not ended:
        faults.append(f"routing's epoch {stored.epoch} is not the ledger's {wanted.epoch}")
    if _bare(stored) != _bare(wanted):
        faults.append(f"routing is not the projection: {_bare(stored)} {_bare(wanted)}")
    if halt is not None and ended and halt.id != case.state.halt:
        faults.append(f"halt {halt.id} is in force, the ledger knows {case.state.halt}")
    if halt is not None and not ended:
        faults.append(f"halt {halt.id} is in force in a migration that is {case.state.phase}")
    written = changes(site)
    epochs = [snapshot.epoch for snapshot in written]
    if epochs != sorted(set(epochs)):
        faults.append(f"epochs went back: {epochs}")
    stopped = ""
    for snapshot in written:
        if snapshot.mode == "emergency_rollback":
            stopped = snapshot.halt
        elif snapshot.serves_candidate and snapshot.halt != stopped:
            faults.append(f"epoch {snapshot.epoch} serves the candidate after halt {stopped}")
    return faults


def _proxy(site: Site) -> list[str]:
    """Invariant 3 at a proxy: no older epoch is applied, and it ends where routing is."""
    journal = site.proxy.journal()
    epochs = [standing.epoch for standing in journal]
    faults = [] if epochs == sorted(set(epochs)) else [f"the proxy's epochs went back: {epochs}"]
    stored = site.context().routing.read(site.slug)
    if stored is None or not journal or journal[-1].split != stored.served:
        faults.append(f"the proxy is at {journal[-1:]}, routing at {stored}")
    said = {snapshot.turned or snapshot.epoch: snapshot.served for snapshot in changes(site)}
    faults += [f"the proxy served {each.split} under epoch {each.epoch}, routing {said[each.epoch]}"
               for each in journal if said.get(each.epoch, each.split) != each.split]  # fmt: skip
    return faults


def _evidence(ledger: SqlLedger, site: Site) -> list[str]:
    """Invariant 4 for evidence: each block is stored, judged and tallied once."""
    stored = [
        block for block in ledger.blocks(site.slug, 0, 1e12) if block.metric == "success_rate"
    ]
    attempts = range(1, ledger.read(site.slug).state.attempt + 1)
    tallied = sum(row.tally.n for attempt in attempts for row in ledger.tallies(site.slug, attempt)
                  if row.metric == "success_rate")  # fmt: skip
    counted = sum(row["n"] for row in ledger.rates(site.slug, "success_rate"))
    n = sum(block.n for block in stored)
    if not n == counted == tallied:
        return [f"blocks hold {n} observations, rates {counted}, tallies {tallied}"]
    return []


def _effects(ledger: SqlLedger, site: Site) -> list[str]:
    """Invariant 4 for the outside: every effect done, and at its target once."""
    rows = ledger.effects(site.slug)
    faults = [f"effect {row['key']} is {row['status']}: {row['error']}" for row in rows
              if row["status"] != "done"]  # fmt: skip
    posted, known = _messages(site), {row["key"] for row in rows}
    faults += [f"{key} was posted {n} times" for key, n in posted.items() if n > 1]
    faults += [f"{key} was posted by nobody's order" for key in posted if key not in known]
    asked = [row["key"] for row in rows if row["kind"] in
             ("notice", "page", "page_update", "ask_people")]  # fmt: skip
    faults += [f"{key} was never posted" for key in asked if key not in posted]
    faults += [f"run {key} waits for nobody" for key, run in _runs(site).items()
               if run["state"] == "PAUSED"]  # fmt: skip
    return faults


def _messages(site: Site) -> Counter[str]:
    """What people saw of this journey, by key."""
    keys = [message["metadata"]["event_payload"]["key"] for message in list(site.slack.messages)]
    return Counter(key for key in keys if site.slug in key)


def _runs(site: Site) -> dict[str, dict[str, Any]]:
    return {key: run for key, run in list(site.prefect.runs.items()) if site.slug in key}


def _seen(site: Site, context: Context, case: Case) -> dict[str, Any]:
    stored = context.routing.read(site.slug)
    assert stored is not None
    entries, effects = context.ledger.entries(site.slug), context.ledger.effects(site.slug)
    evidence, runs = context.ledger.evidence(site.slug) or {"blocks": 0}, _runs(site)
    return {
        "phase": case.state.phase.value,
        # A look at work items that found none to repair is on record only if it lived so long.
        "entries": [
            (e.kind, e.actor, _plain(site, e.payload))
            for e in entries
            if e.kind != "noted" and (e.kind != "items_compared" or e.payload["repairs"])
        ],
        # A note changes nothing, so it may stand before or after the entry that a kill delayed.
        "notes": sorted(e.payload["topic"] for e in entries if e.kind == "noted"),
        "routing": (stored.mode, stored.split, stored.shadow, stored.flags),
        "blocks": evidence["blocks"],
        "effects": sorted(_name(site, effect["key"]) for effect in effects),
        "messages": sorted(_name(site, key) for key in _messages(site)),
        "runs": sorted(_name(site, key) for key in runs),
        "resumed": sorted(run["resumed"] for run in runs.values() if run["resumed"]),
        "reports": len(list(site.incidents.glob(f"*{site.slug}*.md"))),
        "proxy": [standing.split for standing in site.proxy.journal()],
        "items": site.items(),
    }


def _plain(site: Site, payload: dict[str, Any]) -> dict[str, Any]:
    verdict = (payload.get("reading") or {}).get("verdict", "") or payload.get("verdict")
    return {**_name(site, payload), "verdict": verdict}


def _name(site: Site, value: Any) -> Any:
    """A value without moments, the journey's name and the random part of an id."""
    if isinstance(value, dict):
        return {key: _name(site, each) for key, each in value.items() if key not in _MOMENTS}
    if isinstance(value, list | tuple):
        return [_name(site, each) for each in value]
    if not isinstance(value, str):
        return value
    named = re.sub(rf"{re.escape(site.slug)}-[0-9a-f]{{10,12}}", "ID", value)
    # The key of a note's message has the revision in it, and so the note's place.
    return re.sub(r"^M:\d+:silence$", "M:N:silence", named.replace(site.slug, "M"))
