"""The chain: what a digest covers, and who can make one."""

from __future__ import annotations

from dataclasses import fields, replace
from datetime import UTC, datetime, timedelta, timezone

import pytest

from switchover.errors import InputError
from switchover.ledger.chain import Chain, Link, stamp

NOON = datetime(2026, 1, 5, 12, tzinfo=UTC)


def _link(chain: Chain) -> Link:
    return chain.forge("mood", 3, NOON, "ann", "noted", {"b": 1, "a": 2}, "0" * 64)


@pytest.mark.req("K4")
def test_the_digest_covers_every_field() -> None:
    """Changing any one of them changes what the digest has to be."""
    chain = Chain()
    link = _link(chain)
    assert chain.digest(link) == link.digest
    for name in (f.name for f in fields(Link) if f.name != "digest"):
        old = getattr(link, name)
        changed = replace(link, **{name: old + 1 if isinstance(old, int) else old + " "})
        assert chain.digest(changed) != link.digest, name


@pytest.mark.req("K4")
def test_only_the_same_key_makes_the_same_digest() -> None:
    """Another key, or none, gives another digest for the same entry."""
    digests = {_link(Chain(key)).digest for key in (None, b"one", b"two")}
    assert len(digests) == 3
    assert _link(Chain(b"one")).digest == _link(Chain(b"one")).digest
    assert Chain(b"one").keyed
    assert not Chain().keyed


@pytest.mark.req("K4")
def test_a_chain_begins_with_its_migration_and_plan() -> None:
    """The beginning of one migration does not fit another, nor another plan."""
    chain = Chain()
    assert len({chain.origin(m, p) for m in ("mood", "voxray") for p in ("1", "2")}) == 4


def test_an_empty_key_is_refused() -> None:
    """A key that is set to nothing must not pass for protection."""
    with pytest.raises(InputError, match="SWITCHOVER_AUDIT_KEY"):
        Chain(b"")


def test_a_stamp_is_the_same_moment_everywhere_and_sorts_like_time() -> None:
    """Time zones and missing fractions do not change the text's form."""
    there = NOON.astimezone(timezone(timedelta(hours=5, minutes=30)))
    assert stamp(there) == stamp(NOON) == "2026-01-05T12:00:00.000000+00:00"
    moments = [NOON + timedelta(microseconds=n) for n in (0, 1, 999_999, 1_000_000)]
    assert sorted(map(stamp, moments)) == [stamp(moment) for moment in moments]


def test_a_payload_that_is_no_object_is_a_value_error() -> None:
    """Readers get one kind of error for every broken payload."""
    for payload in ("[]", "{", "1"):
        with pytest.raises(ValueError):  # noqa: PT011 - the kind is what matters
            _ = replace(_link(Chain()), payload=payload).document
