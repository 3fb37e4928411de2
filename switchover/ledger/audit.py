"""The audit of one migration's record: every fault, with its revision. Pure.

Standard library and machine only: an export is audited without a database.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from itertools import pairwise

from switchover.canonical import parse
from switchover.errors import SwitchoverError
from switchover.ledger.chain import Chain, Link
from switchover.ledger.copy import Copy, Head
from switchover.machine.apply import apply, begin
from switchover.machine.event import Started, event_from_dict
from switchover.machine.state import State

#: The payload's extra field that ties a stored plan version to the entry it came with.
PLAN_FIELD = "stored_plan"

#: A head that was exported earlier: revision and digest of the entry.
Anchor = tuple[int, str]

# Looking for where a misplaced entry came from costs entries times revisions; a few will do.
_TRACED = 20


def faults_of(copy: Copy, chain: Chain, anchor: Anchor | None = None) -> list[str]:
    """Everything that is wrong with the copy; empty when it verifies."""
    found = list(copy.malformed)
    if copy.links:
        found += _gaps(copy)
        found += _changes(copy, chain)
        found += _joints(copy, chain)
        found += _state(copy)
        found += _plans(copy)
    if copy.head is None:
        rest = "its entries are there" if copy.links else "and so are its entries"
        found.append(f"{copy.migration}: the migration's row is missing, {rest} (removed)")
    else:
        found += _end(copy, copy.head, chain)
    if anchor is not None:
        found += _anchored(copy, *anchor)
    return found


def _gaps(copy: Copy) -> Iterator[str]:
    expected = 1
    for link in copy.links:
        if link.revision < expected:
            yield _fault(link, "is there twice or out of order (an entry was inserted or moved)")
        elif link.revision > expected:
            yield f"{copy.migration}: {_span(expected, link.revision - 1)} missing (removed)"
        expected = max(expected, link.revision + 1)


def _changes(copy: Copy, chain: Chain) -> Iterator[str]:
    wrong = [link for link in copy.links if chain.digest(link) != link.digest]
    if len(wrong) == len(copy.links) > 1:
        key = "is another than" if chain.keyed else "is not set, unlike"
        yield (
            f"{copy.migration}: revisions {wrong[0].revision} to {wrong[-1].revision} do not match "
            f"their digests: all were changed, or the audit key {key} when they were written"
        )
        return
    for place, link in enumerate(wrong):
        origin = _origin(link, copy, chain) if place < _TRACED else None
        if origin is not None:
            yield _fault(link, f"was written as revision {origin} (reordered)")
        else:
            yield _fault(link, "does not match its digest (changed or forged)")


def _origin(link: Link, copy: Copy, chain: Chain) -> int | None:
    """The revision under which the link's digest is right, if there is one."""
    last = max(other.revision for other in copy.links)
    places = range(1, last + 2)
    return next((r for r in places if chain.digest(link, r) == link.digest), None)


def _joints(copy: Copy, chain: Chain) -> Iterator[str]:
    opening = copy.links[0]
    if opening.revision == 1:
        plan = _document(opening).get("plan")
        if opening.previous != chain.origin(copy.migration, str(plan)):
            yield _fault(opening, "is not the beginning of this migration's chain")
    for before, link in pairwise(copy.links):
        if link.revision == before.revision + 1 and link.previous != before.digest:
            yield _fault(
                link,
                f"does not continue revision {before.revision} (one of them was changed, "
                "moved, inserted or rewritten)",
            )


def _end(copy: Copy, head: Head, chain: Chain) -> Iterator[str]:
    place = f"{copy.migration}, revision {head.revision}"
    if not copy.links:
        yield f"{copy.migration}: {_span(1, head.revision)} missing: there are no entries (removed)"
        return
    last = max(copy.links, key=lambda link: link.revision)
    if last.revision < head.revision:
        missing = _span(last.revision + 1, head.revision)
        yield f"{copy.migration}: {missing} missing at the end (removed)"
    elif last.revision > head.revision:
        beyond = _span(head.revision + 1, last.revision)
        yield f"{copy.migration}: {beyond} beyond the head (inserted, or the head was changed)"
    elif last.digest != head.head:
        yield f"{place}: the migration's head is not the digest of its last entry (changed)"
    if chain.seal(copy.migration, head.revision, head.head) != head.seal:
        yield f"{place}: the seal does not fit the head (the end was cut off or changed)"
    if last.revision == head.revision and last.at != head.updated_at:
        yield f"{place}: updated_at is not the time of the last entry (changed)"


def _state(copy: Copy) -> Iterator[str]:
    """Replay the entries, and compare with what the migration's row claims."""
    if [link.revision for link in copy.links] != list(range(1, len(copy.links) + 1)):
        return  # there is no replay of a record with holes, and those are named already
    state = State(copy.migration)
    for link in copy.links:
        try:
            event = event_from_dict(link.kind, link.document)
            if link.revision > 1:
                state = apply(state, event)
            elif isinstance(event, Started):
                state = begin(copy.migration, event)
            else:
                raise ValueError(f"a migration does not begin with {link.kind}")
        except (SwitchoverError, ValueError, TypeError, KeyError, AttributeError) as error:
            yield _fault(link, f"can't have happened: {error}")
            return
    if copy.head is None or copy.head.revision != state.revision:
        return
    place = f"{copy.migration}, revision {state.revision}"
    try:
        document = parse(copy.head.state)
        stored = State.from_dict(document)
    except (ValueError, TypeError, KeyError, AttributeError) as error:
        yield f"{place}: the stored state can't be read (changed): {error}"
        return
    theirs, ours = stored.to_dict(), state.to_dict()
    # A field may be missing, from before it was introduced; one too many has no reason.
    different = [name for name in ours if ours[name] != theirs[name]]
    different += sorted(document.keys() - ours.keys())
    if different:
        yield (
            f"{place}: the stored state is not what the entries make (changed): "
            f"{', '.join(different)}"
        )


def _plans(copy: Copy) -> Iterator[str]:
    told: dict[int, tuple[Link, dict[str, object]]] = {}
    digests: set[str] = set()
    for link in copy.links:
        document = _document(link)
        facts = document.get(PLAN_FIELD)
        if isinstance(facts, dict) and isinstance(facts.get("version"), int):
            told[facts["version"]] = (link, facts)
            digests.add(str(facts.get("digest")))
        if link.kind == Started.kind and str(document.get("plan")) not in digests:
            yield _fault(link, "starts a plan that was never stored with an entry")
    for row in copy.plans:
        place = f"{copy.migration}, plan version {row.version}"
        if hashlib.sha256(row.document.encode("utf-8", "surrogatepass")).hexdigest() != row.digest:
            yield f"{place}: the document does not match its digest (changed)"
        if row.version not in told:
            yield f"{place}: no entry stored it (inserted)"
            continue
        link, facts = told.pop(row.version)
        for name in ("digest", "directory"):
            if facts.get(name) != getattr(row, name):
                yield f"{place}: {name} is not what revision {link.revision} stored (changed)"
    for version, (link, _) in told.items():
        yield (
            f"{copy.migration}, plan version {version}: missing, revision {link.revision} "
            "stored it (removed)"
        )
    newest = max((row.version for row in copy.plans), default=0)
    if copy.head is not None and copy.head.plan_version != newest:
        yield (
            f"{copy.migration}, revision {copy.head.revision}: plan_version is "
            f"{copy.head.plan_version}, the newest plan is {newest} (changed)"
        )


def _anchored(copy: Copy, revision: int, digest: str) -> Iterator[str]:
    last = max((link.revision for link in copy.links), default=0)
    if last < revision:
        yield (
            f"{copy.migration}: {_span(last + 1, revision)} missing, an earlier export has "
            f"revision {revision} (removed)"
        )
    elif not any(link.revision == revision and link.digest == digest for link in copy.links):
        yield (
            f"{copy.migration}, revision {revision}: is not what an earlier export has (rewritten)"
        )


def _document(link: Link) -> dict[str, object]:
    try:
        return link.document
    except ValueError:  # named by the digest, which covers the text
        return {}


def _fault(link: Link, what: str) -> str:
    return f"{link.migration}, revision {link.revision}: {what}"


def _span(low: int, high: int) -> str:
    return f"revision {low} is" if low == high else f"revisions {low} to {high} are"
