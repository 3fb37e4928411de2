"""How Redis is reached: address, time limits, key names, and one error for every failure.

Redis is imported on the first connection and not before, so that ``import switchover``
stays light and an application that never connects never pays for it.
"""

from __future__ import annotations

# Redis imports this one, which refuses to be imported while the interpreter ends. A recorder
# that ships for the first time on the way out would otherwise lose everything.
import concurrent.futures.thread  # noqa: F401
import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from urllib.parse import urlsplit

from switchover.errors import DependencyUnavailable, InputError

#: Seconds for opening a connection and for one answer. Short: a rollback does not wait.
CONNECT_TIMEOUT = 1.0
READ_TIMEOUT = 2.0

_SCHEMES = ("redis", "rediss", "unix")

#: Held while redis is imported, and across a fork: a child that was forked in the middle of
#: another thread's import would otherwise wait for that import for ever.
_importing = threading.Lock()
if hasattr(os, "register_at_fork"):
    os.register_at_fork(
        before=_importing.acquire,
        after_in_parent=_importing.release,
        after_in_child=_importing.release,
    )


def redis_address(redis_url: str | None = None) -> str:
    """The address given, else ``SWITCHOVER_REDIS_URL``; ``InputError`` when there is none."""
    url = redis_url or os.environ.get("SWITCHOVER_REDIS_URL", "")
    if not url:
        raise InputError(
            "no Redis address: pass redis_url, or set SWITCHOVER_REDIS_URL "
            "(for example redis://127.0.0.1:6379/0)"
        )
    if urlsplit(url).scheme not in _SCHEMES:
        raise InputError(
            f"{printable(url)} is not a Redis address; it starts with redis://, rediss:// or unix://"
        )
    return url


def printable(url: str) -> str:
    """The address without user name and password, fit for messages and logs."""
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}{parts.path}"


def open_client(address: Any, retries: int = 1) -> Any:
    """A Redis client for a URL, with short time limits; a ready client is passed through.

    Nothing is sent yet. By default it retries once (a pooled connection may have died while
    idle), and never after a sleep: callers have their own idea of waiting.
    """
    if not isinstance(address, str):
        return address
    with _importing:
        import redis
        from redis.backoff import NoBackoff
        from redis.retry import Retry
    try:
        return redis.Redis.from_url(
            redis_address(address),
            socket_connect_timeout=CONNECT_TIMEOUT,
            socket_timeout=READ_TIMEOUT,
            retry=Retry(NoBackoff(), retries),
            # Pinned, as the shape of some answers depends on it.
            protocol=2,
        )
    except ValueError as error:
        raise InputError(f"{printable(address)} is not a Redis address: {error}") from error


class OnRedis:
    """Base of what works on Redis at ``address``, a URL or a ready client: it connects when
    ``_client`` is first used."""

    def __init__(self, address: Any) -> None:
        self._address = address
        self._opened: Any = None

    @property
    def _client(self) -> Any:
        if self._opened is None:
            self._opened = open_client(self._address)
        return self._opened


@contextmanager
def reaching_redis(address: Any) -> Iterator[None]:
    """Turn every failure of Redis inside the block into ``DependencyUnavailable``."""
    with _importing:
        from redis.exceptions import RedisError
    try:
        yield
    except (RedisError, OSError) as error:
        place = f" at {printable(address)}" if isinstance(address, str) else ""
        raise DependencyUnavailable(
            "Redis", f"{error}{place}; check that it runs and that SWITCHOVER_REDIS_URL is right"
        ) from error


def redis_key(migration: str, name: str) -> str:
    """The key of one migration's ``name``; the braces keep all of them on one cluster node."""
    return f"switchover:{{{migration}}}:{name}"


def text(value: Any) -> str:
    """An answer of Redis as text, whether the client decodes or not."""
    return value.decode("utf-8", "replace") if isinstance(value, bytes) else str(value)
