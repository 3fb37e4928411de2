from __future__ import annotations

import threading
from collections.abc import Iterator
from uuid import uuid4

import pytest
import redis

from switchover.errors import DependencyUnavailable, InputError, StaleClaim
from switchover.routing.claim_state import Claim
from switchover.routing.claims import RETENTION, Claims
from switchover.testing.claims import InMemoryClaims


@pytest.fixture(params=["memory", "redis", "client"])
def claims(request: pytest.FixtureRequest) -> Iterator[Claims]:
    """The fake, the real one by address, and the real one over a ready client that decodes."""
    name = f"agents-{uuid4().hex}"
    if request.param == "memory":
        yield InMemoryClaims(name)
        return
    url = request.getfixturevalue("redis_url")
    with redis.Redis.from_url(url, decode_responses=True) as client:
        yield Claims(name, url if request.param == "redis" else client)


def taken(claims: Claims, owner: str = "a", system: str = "legacy", shadow: bool = False) -> Claim:
    claim = claims.claim("item", owner, system, shadow=shadow)
    assert claim is not None
    return claim


def lapse(claims: Claims, slot: str = "serve") -> None:
    """Let the lease on the item end now."""
    if isinstance(claims, InMemoryClaims):
        claims.advance(claims.lease)
        return
    client = redis.Redis.from_url(claims._address) if isinstance(claims._address, str) else None
    client = client or claims._address
    client.hset(f"switchover:{{{claims.migration}}}:item:item", f"{slot}.until", 1)


@pytest.mark.req("T3")
def test_one_owner_at_a_time_holds_an_item(claims: Claims) -> None:
    """Whoever comes second, of whichever system, or the same owner again, gets nothing."""
    claim = taken(claims)
    assert claims.claim("item", "b", "candidate") is None
    assert claims.claim("item", "a", "legacy") is None
    assert claims.claim("other", "b", "candidate") is not None
    state = claims.state("item")
    assert (state.status, state.owner, state.system, state.token) == (
        "held", "a", "legacy", claim.token,
    )  # fmt: skip
    assert 0 < state.lease_left <= claims.lease


@pytest.mark.req("T3")
def test_item_never_seen_is_free(claims: Claims) -> None:
    """It has no owner, no token and no result."""
    state = claims.state("item")
    assert (state.status, state.owner, state.token, state.served, state.pair) == (
        "free", "", 0, None, None,
    )  # fmt: skip


@pytest.mark.req("T3")
def test_completed_item_is_never_claimed_again(claims: Claims) -> None:
    """Its result is kept, with who served it, and stays."""
    claim = taken(claims)
    at = claims.complete(claim, {"labels": ["bug", "ä"]})
    assert claims.claim("item", "b", "candidate") is None
    state = claims.state("item")
    assert state.status == "served"
    assert state.served is not None
    assert (state.served.system, state.served.token, state.served.at) == ("legacy", claim.token, at)
    assert state.served.value == {"labels": ["bug", "ä"]}


@pytest.mark.req("T3")
def test_next_owner_after_a_crash_gets_a_higher_token(claims: Claims) -> None:
    """A lease that nobody renews ends, and every owner after that is newer than the last."""
    tokens = []
    for owner in "abcd":
        tokens.append(taken(claims, owner).token)
        lapse(claims)
    assert tokens == sorted(set(tokens))


@pytest.mark.req("T3")
@pytest.mark.parametrize("step", ["renew", "complete", "release"])
def test_late_write_of_a_stale_owner_is_refused(claims: Claims, step: str) -> None:
    """Once another owner took over, whatever the first one does is void and changes nothing."""
    first = taken(claims)
    lapse(claims)
    second = taken(claims, "b", "candidate")
    with pytest.raises(StaleClaim, match="took the item over") as refusal:
        getattr(claims, step)(first)
    assert (refusal.value.token, refusal.value.stored) == (first.token, second.token)
    claims.complete(second, "by b")
    with pytest.raises(StaleClaim, match="has its result"):
        getattr(claims, step)(first)
    state = claims.state("item")
    assert state.served is not None
    assert (state.served.value, state.served.system) == ("by b", "candidate")


@pytest.mark.req("T3")
def test_owner_whose_lease_ended_may_still_finish_when_nobody_took_over(claims: Claims) -> None:
    """The token decides, not the clock: late, but the only one."""
    claim = taken(claims)
    lapse(claims)
    assert claims.state("item").status == "free"
    claims.complete(claim, 1)
    assert claims.state("item").status == "served"


@pytest.mark.req("T3")
def test_renewed_claim_outlives_its_lease(claims: Claims) -> None:
    """Renewing begins the lease anew, even just after its end."""
    claim = taken(claims)
    lapse(claims)
    assert claims.renew(claim) >= claim.until
    assert claims.claim("item", "b", "legacy") is None


@pytest.mark.req("T3")
def test_completing_twice_is_one_completion(claims: Claims) -> None:
    """An owner that missed the answer may repeat itself, but not change its mind."""
    claim = taken(claims)
    at = claims.complete(claim, {"a": 1, "b": 2})
    assert claims.complete(claim, {"b": 2, "a": 1}) == at
    for result, system in (({"a": 2}, "legacy"), ({"a": 1, "b": 2}, "candidate")):
        with pytest.raises(StaleClaim, match="that one stands"):
            claims.complete(claim, result, system=system)
    with pytest.raises(StaleClaim, match="has its result"):
        claims.renew(claim)


@pytest.mark.req("T3")
def test_released_item_is_free_at_once(claims: Claims) -> None:
    """The next owner need not wait for the lease; the one that let go can't finish any more."""
    claim = taken(claims)
    assert claims.release(claim)
    assert claims.release(claim)
    assert claims.state("item").status == "free"
    for step in (claims.complete, claims.renew):
        with pytest.raises(StaleClaim, match="released"):
            step(claim)
    assert taken(claims, "b").token > claim.token


@pytest.mark.req("T3")
def test_releasing_after_completion_changes_nothing(claims: Claims) -> None:
    """A ``finally: release`` is safe."""
    claim = taken(claims)
    claims.complete(claim, 1)
    assert not claims.release(claim)
    assert claims.state("item").status == "served"


@pytest.mark.req("T3")
def test_system_that_really_served_is_the_one_recorded(claims: Claims) -> None:
    """After a fallback the claim of the candidate is completed by legacy."""
    claims.complete(taken(claims, system="candidate"), 1, system="legacy")
    state = claims.state("item")
    assert state.served is not None
    assert state.served.system == "legacy"


@pytest.mark.req("INV9")
@pytest.mark.parametrize("shadow_first", [False, True])
def test_pair_has_exactly_one_served_result(claims: Claims, shadow_first: bool) -> None:
    """Both run, in either order; only the result of the serving claim is served."""
    serving, beside = taken(claims), taken(claims, "b", "candidate", shadow=True)
    assert beside.token > serving.token
    assert claims.state("item").pair is None
    if shadow_first:
        claims.complete(beside, "new")
        assert claims.state("item").status == "held"
        claims.complete(serving, "old")
    else:
        claims.complete(serving, "old")
        claims.complete(beside, "new")
    state = claims.state("item")
    assert state.pair is not None
    assert [(result.system, result.value) for result in state.pair] == [
        ("legacy", "old"),
        ("candidate", "new"),
    ]
    assert state.served == state.pair[0]


@pytest.mark.req("INV9")
def test_shadow_of_an_item_runs_once_and_never_by_the_serving_system(claims: Claims) -> None:
    """A shadow claim has a lease of its own, and a system does not accompany itself."""
    taken(claims)
    assert claims.claim("item", "b", "legacy", shadow=True) is None
    first = taken(claims, "b", "candidate", shadow=True)
    assert claims.claim("item", "c", "candidate", shadow=True) is None
    lapse(claims, "shadow")
    second = claims.claim("item", "c", "candidate", shadow=True)
    assert second is not None
    with pytest.raises(StaleClaim):
        claims.complete(first, 1)
    claims.complete(second, 1)
    assert claims.claim("item", "d", "candidate", shadow=True) is None


@pytest.mark.req("INV9")
def test_failed_shadow_is_recorded_as_such_and_a_failure_is_never_served(claims: Claims) -> None:
    """A timeout of the shadow is a result of its own kind; the serving claim has no such thing."""
    serving, beside = taken(claims), taken(claims, "b", "candidate", shadow=True)
    with pytest.raises(InputError, match="release the claim"):
        claims.complete(serving, failure="timeout")
    claims.complete(serving, 1)
    claims.complete(beside, failure="timeout")
    claims.complete(beside, failure="timeout")
    with pytest.raises(StaleClaim):
        claims.complete(beside, None)
    state = claims.state("item")
    assert state.shadow is not None
    assert (state.shadow.failure, state.shadow.value) == ("timeout", None)


@pytest.mark.req("INV9")
def test_of_many_owners_at_once_one_serves(claims: Claims) -> None:
    """Eight threads, forty items: each item has one accepted completion."""
    accepted: list[str] = []
    start = threading.Barrier(8)

    def work(owner: str) -> None:
        start.wait()
        for n in range(40):
            if claim := claims.claim(f"i{n}", owner, "legacy"):
                claims.complete(claim, owner)
                accepted.append(f"i{n}")

    threads = [threading.Thread(target=work, args=(str(n),)) for n in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(accepted) == sorted(f"i{n}" for n in range(40))


@pytest.mark.req("T3")
@pytest.mark.parametrize("odd", ["with space", "{brace}:x", "ä\n\0", "i" * 5_000])
def test_any_text_names_an_item(claims: Claims, odd: str) -> None:
    """Names come from other systems; each is an item of its own."""
    claim = claims.claim(odd, "a", "legacy")
    assert claim is not None
    claims.complete(claim, odd)
    state = claims.state(odd)
    assert state.served is not None
    assert state.served.value == odd


@pytest.mark.req("T3")
def test_bad_input_is_refused_before_anything_is_claimed(claims: Claims) -> None:
    """An empty name, an unknown system, what is not JSON, and a claim of another migration."""
    for item, system in (("", "legacy"), ("item", "pair"), ("item", "")):
        with pytest.raises(InputError):
            claims.claim(item, "a", system)
    claim = taken(claims)
    with pytest.raises(InputError, match="not JSON"):
        claims.complete(claim, {1, 2})
    foreign = Claim("another", "item", "a", "legacy", claim.token, 0.0)
    with pytest.raises(InputError, match="claimed in another"):
        claims.complete(foreign, 1)
    assert claims.state("item").status == "held"


def variants(url: str, **options: object) -> list[Claims]:
    name = f"agents-{uuid4().hex}"
    return [InMemoryClaims(name, **options), Claims(name, url, **options)]  # type: ignore[arg-type]


@pytest.mark.req("T3")
def test_payload_is_kept_only_as_far_as_wanted(redis_url: str) -> None:
    """Too large, or not wanted at all: then the digest alone tells results apart."""
    for options in ({"keep_results": False}, {"largest_result": 5}):
        for claims in variants(redis_url, **options):
            claim = taken(claims)
            claims.complete(claim, "a secret")
            claims.complete(claim, "a secret")
            with pytest.raises(StaleClaim):
                claims.complete(claim, "another secret")
            served = claims.state("item").served
            assert served is not None
            assert (served.value, served.kept, len(served.digest)) == (None, False, 64)


@pytest.mark.req("T3")
def test_retention_bounds_what_is_remembered(redis_url: str) -> None:
    """Every item carries an end: lease and retention while held, the retention once completed."""
    claims = Claims(f"agents-{uuid4().hex}", redis_url, 30.0, retention=600.0)
    key = f"switchover:{{{claims.migration}}}:item:item"
    with redis.Redis.from_url(redis_url) as client:
        claim = taken(claims)
        assert 600 < client.ttl(key) <= 630
        claims.renew(claim)
        assert 600 < client.ttl(key) <= 630
        claims.complete(claim, 1)
        assert 590 < client.ttl(key) <= 600
    fake = InMemoryClaims("agents", 30.0, retention=600.0)
    fake.complete(taken(fake), 1)
    fake.advance(599)
    assert fake.state("item").status == "served"
    fake.advance(2)
    assert fake.state("item").status == "free"


@pytest.mark.req("T3")
def test_tokens_grow_even_after_everything_was_forgotten(fresh_redis_url: str) -> None:
    """A Redis that lost its data knows no items, but gives no token twice; old claims are void."""
    claims = Claims(f"agents-{uuid4().hex}", fresh_redis_url)
    claim = taken(claims)
    with redis.Redis.from_url(fresh_redis_url) as client:
        client.flushall()
    with pytest.raises(StaleClaim, match="not known"):
        claims.complete(claim, 1)
    assert taken(claims).token > claim.token


@pytest.mark.req("T3")
def test_lost_answer_to_a_claim_does_not_lock_its_owner_out(redis_url: str) -> None:
    """The connection repeats a command whose answer got lost: that is the same claim."""
    claims = Claims(f"agents-{uuid4().hex}", redis_url)
    said = ("item", "claim", "serve", "a", "legacy", "nonce", 30_000, 60_000)
    first = claims._run(*said)
    assert claims._run(*said) == first
    assert claims.claim("item", "a", "legacy") is None


@pytest.mark.req("T3")
def test_without_redis_nothing_is_claimed() -> None:
    """It is said which dependency is missing; nobody serves on a guess."""
    claims = Claims("agents", "redis://127.0.0.1:1/0")
    for step in (
        lambda: claims.claim("item", "a", "legacy"),
        lambda: claims.complete(Claim("agents", "item", "a", "legacy", 1, 0.0), 1),
        lambda: claims.state("item"),
    ):
        with pytest.raises(DependencyUnavailable, match="Redis"):
            step()


@pytest.mark.req("T3")
@pytest.mark.parametrize(("lease", "retention"), [(0, RETENTION), (-1, 9), (60, 30), (1, 1e400)])
def test_impossible_times_are_refused(lease: float, retention: float) -> None:
    """No lease, or results forgotten while a claim still runs."""
    with pytest.raises(InputError, match="impossible"):
        InMemoryClaims("agents", lease, retention=retention)
