from __future__ import annotations

import pytest

from switchover.api.rate import _ADDRESSES, RateLimit


@pytest.mark.req("K1")
def test_a_burst_is_allowed_and_then_a_pace() -> None:
    """Three at once, then one every twenty seconds, and the wait is told exactly."""
    now = [0.0]
    limit = RateLimit(3, 3, lambda: now[0])
    assert [limit.take("a") for _ in range(3)] == [0, 0, 0]
    assert limit.take("a") == pytest.approx(20)
    now[0] = 15.0
    assert limit.wait("a") == pytest.approx(5)
    now[0] = 20.0
    assert limit.wait("a") == 0
    assert limit.take("a") == 0
    assert limit.take("a") == pytest.approx(20)


@pytest.mark.req("K1")
def test_one_address_does_not_slow_another() -> None:
    """Each has a bucket of its own, and asking for the wait takes nothing."""
    limit = RateLimit(1, 1, lambda: 0.0)
    assert limit.take("a") == 0
    assert limit.take("a") > 0
    assert limit.wait("b") == 0
    assert limit.take("b") == 0


@pytest.mark.req("K1")
def test_idling_saves_up_no_more_than_a_burst() -> None:
    """After a day there are as many as at the beginning."""
    now = [0.0]
    limit = RateLimit(2, 60, lambda: now[0])
    limit.take("a")
    now[0] = 86_400.0
    assert [limit.take("a") > 0 for _ in range(3)] == [False, False, True]


@pytest.mark.req("K1")
def test_many_addresses_take_bounded_room() -> None:
    """The address that was quiet longest is forgotten; the newest is not."""
    limit = RateLimit(1, 1, lambda: 0.0)
    for number in range(_ADDRESSES + 10):
        limit.take(str(number))
    assert len(limit._buckets) == _ADDRESSES
    assert limit.wait(str(_ADDRESSES + 9)) > 0
    assert limit.wait("0") == 0


@pytest.mark.req("K1")
def test_an_ipv6_caller_has_one_bucket_for_all_their_addresses() -> None:
    """A network of 64 bits is what anybody gets; an IPv4 address written as IPv6 is itself."""
    limit = RateLimit(1, 60, lambda: 0.0)
    assert limit.take("2001:db8:0:1::1") == 0
    assert limit.take("2001:db8::1:aaaa:0:0:2") > 0
    assert limit.wait("2001:0db8:0000:0001::3") > 0
    assert limit.wait("2001:db8:0:2::1") == 0
    assert limit.take("192.0.2.1") == 0
    assert limit.wait("::ffff:192.0.2.1") > 0
    assert limit.wait("192.0.2.2") == limit.wait("no address") == 0
