from __future__ import annotations

import pytest

from switchover.connection import open_client, printable, reaching_redis, redis_address, redis_key
from switchover.errors import DependencyUnavailable, InputError


@pytest.mark.req("R1")
def test_given_address_comes_before_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """The argument wins, then ``SWITCHOVER_REDIS_URL``."""
    monkeypatch.setenv("SWITCHOVER_REDIS_URL", "redis://env:1/0")
    assert redis_address("rediss://given:1/0") == "rediss://given:1/0"
    assert redis_address() == "redis://env:1/0"


@pytest.mark.req("R1")
def test_missing_address_says_how_to_give_one(monkeypatch: pytest.MonkeyPatch) -> None:
    """No guess is made: a router on the wrong Redis would never hear a rollback."""
    monkeypatch.delenv("SWITCHOVER_REDIS_URL", raising=False)
    with pytest.raises(InputError, match="SWITCHOVER_REDIS_URL"):
        redis_address()


@pytest.mark.req("R1")
@pytest.mark.parametrize("url", ["127.0.0.1:6379", "http://u:secret@host/", "mood"])
def test_what_is_no_redis_address_is_refused(url: str) -> None:
    """The message shows the address, never the password in it."""
    with pytest.raises(InputError, match="is not a Redis address") as error:
        redis_address(url)
    assert "secret" not in str(error.value)


@pytest.mark.req("R1")
def test_impossible_port_is_bad_input() -> None:
    """What the client library can't read is said in the same way."""
    with pytest.raises(InputError, match="is not a Redis address"):
        open_client("redis://host:port/0")


@pytest.mark.req("R1")
def test_printed_address_has_no_credentials() -> None:
    """Messages and logs name the server only."""
    assert printable("redis://user:pa%40ss@host:1/2") == "redis://host:1/2"


@pytest.mark.req("R1")
def test_keys_of_one_migration_share_a_cluster_slot() -> None:
    """The braces are a hash tag, which the atomic scripts need on a cluster."""
    assert redis_key("mood", "routing") == "switchover:{mood}:routing"


@pytest.mark.req("R8")
def test_failures_of_the_network_are_a_named_dependency() -> None:
    """A caller handles one error, whatever the client library raised."""
    with (
        pytest.raises(DependencyUnavailable, match="Redis is unavailable: cut"),
        reaching_redis("redis://host:1/0"),
    ):
        raise ConnectionResetError("cut")
