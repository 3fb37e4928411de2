"""The life of the OpenFeature provider: its status and its events, as Redis comes and goes."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit
from uuid import uuid4

import pytest
from openfeature import api
from openfeature.client import OpenFeatureClient
from openfeature.event import EventDetails, ProviderEvent
from openfeature.exception import ErrorCode, ProviderFatalError, ProviderNotReadyError
from openfeature.flag_evaluation import Reason
from openfeature.provider import ProviderStatus

from switchover.machine.snapshot import Snapshot
from switchover.routing.openfeature import SwitchoverProvider
from switchover.routing.router import Router
from switchover.routing.store import RedisRoutingStore
from switchover.testing.embedded import Valkey
from tests.eventually import eventually

pytestmark = pytest.mark.req("T12")

#: Nothing listens there.
NOWHERE = "redis://127.0.0.1:1/0"
PATIENCE = 20.0

READY = ProviderEvent.PROVIDER_READY
ERROR = ProviderEvent.PROVIDER_ERROR
STALE = ProviderEvent.PROVIDER_STALE
CHANGED = ProviderEvent.PROVIDER_CONFIGURATION_CHANGED

TYPES = {"boolean": False, "string": "bye", "integer": 1, "float": 0.1, "object": {"a": 1}}


@pytest.fixture
def name() -> str:
    return f"mood-{uuid4().hex}"


class Listening:
    """A client of a domain of its own, and all events it was told of, in their order."""

    def __init__(self) -> None:
        self.domain = f"domain-{uuid4().hex}"
        self.client: OpenFeatureClient = api.get_client(self.domain)
        self.heard: list[tuple[ProviderEvent, EventDetails]] = []
        for event in ProviderEvent:
            self.client.add_handler(event, self._note(event))
        # The domain had the do-nothing provider until now, which is always ready.
        assert eventually(lambda: len(self.heard) == 1)
        self.heard.clear()

    def _note(self, event: ProviderEvent) -> Callable[[EventDetails], None]:
        return lambda details: self.heard.append((event, details))

    @property
    def status(self) -> ProviderStatus:
        return self.client.get_provider_status()

    def events(self) -> list[ProviderEvent]:
        return [event for event, _ in self.heard]

    def hears(self, *events: ProviderEvent) -> bool:
        """Whether exactly these events come, in whatever order their handlers were run."""
        wanted = sorted(event.value for event in events)
        return eventually(lambda: sorted(event.value for event in self.events()) == wanted)


@pytest.fixture
def listening() -> Iterator[Listening]:
    yield Listening()
    api.clear_providers()  # and every handler with them


def document(name: str, epoch: int, **flags: dict[str, Any]) -> Snapshot:
    return Snapshot(name, epoch, "gradual", 10_000, flags=flags)


def test_start_makes_ready_and_each_change_is_told(
    redis_url: str, name: str, listening: Listening
) -> None:
    """READY once; a written document names the flags that it changed, and no others."""
    store = RedisRoutingStore(redis_url)
    store.write(document(name, 1, panel={}, other={}))
    router = Router(name, redis_url)
    api.set_provider_and_wait(SwitchoverProvider(router, ready_timeout=PATIENCE), listening.domain)
    assert listening.status == ProviderStatus.READY
    assert listening.hears(READY)
    assert listening.client.get_boolean_value("panel", False) is True

    listening.heard.clear()
    store.write(document(name, 2, panel={"split": 0}, other={}))
    assert listening.hears(CHANGED)
    ((_, details),) = listening.heard
    assert details.flags_changed == ["panel"]
    assert details.metadata == {"migration": name, "epoch": 2}
    assert details.provider_name == "Switchover"
    assert listening.client.get_boolean_value("panel", True) is False


def test_rollback_is_told_and_switches_the_candidates_flags_off(
    redis_url: str, name: str, listening: Listening
) -> None:
    """A halt changes the flags that follow the split; they are off, and the reason says why."""
    store = RedisRoutingStore(redis_url)
    store.write(document(name, 1, panel={"follows_split": True}, other={}))
    provider = SwitchoverProvider(Router(name, redis_url), ready_timeout=PATIENCE)
    api.set_provider_and_wait(provider, listening.domain)
    assert listening.client.get_boolean_value("panel", False) is True
    assert listening.hears(READY)

    listening.heard.clear()
    store.halt(name, halt_id="h", actor="ada", reason="drift", at=time.time())
    assert listening.hears(CHANGED)
    assert listening.heard[0][1].flags_changed == ["panel"]
    details = listening.client.get_boolean_details("panel", True)
    assert (details.value, details.reason) == (False, Reason.DISABLED)
    assert details.flag_metadata["reason"] == "emergency_rollback"


def test_provider_is_stale_without_redis_and_ready_again_with_it(
    tmp_path: Path, name: str, listening: Listening
) -> None:
    """Redis dies and returns: STALE, then READY; meanwhile values are given and called stale,
    and flags of the candidate are off."""
    server = Valkey(tmp_path).start()
    try:
        RedisRoutingStore(server.url).write(
            document(name, 1, panel={"follows_split": True}, other={})
        )
        router = Router(name, server.url, max_staleness=1.0)
        provider = SwitchoverProvider(router, ready_timeout=PATIENCE)
        api.set_provider_and_wait(provider, listening.domain)
        assert listening.hears(READY)

        listening.heard.clear()
        server.stop()
        assert listening.hears(STALE, CHANGED)
        assert listening.status == ProviderStatus.STALE
        assert dict(listening.heard)[CHANGED].flags_changed == ["panel"]
        assert "can't be confirmed" in str(dict(listening.heard)[STALE].message)
        other = listening.client.get_boolean_details("other", False)
        assert (other.value, other.reason) == (True, Reason.STALE)
        panel = listening.client.get_boolean_details("panel", True)
        assert (panel.value, panel.reason) == (False, Reason.STALE)

        listening.heard.clear()
        server.start()
        assert listening.hears(READY, CHANGED)
        assert listening.status == ProviderStatus.READY
        assert listening.client.get_boolean_details("other", False).reason == Reason.STATIC
    finally:
        api.clear_providers()
        server.stop()


def test_start_without_redis_is_an_error_until_redis_is_there(
    tmp_path: Path, name: str, listening: Listening, monkeypatch: pytest.MonkeyPatch
) -> None:
    """ERROR says what is wrong; evaluations give defaults, the environment's flags their values;
    when Redis comes, empty as it is, the provider is ready."""
    monkeypatch.setenv("FF_PANEL", "on")
    server = Valkey(tmp_path).start()
    server.stop()
    provider = SwitchoverProvider(Router(name, server.url), ready_timeout=0.5)
    try:
        with pytest.raises(ProviderNotReadyError, match="Redis is unavailable"):
            api.set_provider_and_wait(provider, listening.domain)
        assert listening.status == ProviderStatus.ERROR
        assert listening.hears(ERROR)
        assert listening.heard[0][1].error_code == ErrorCode.PROVIDER_NOT_READY
        assert listening.client.get_boolean_details("panel", False).reason == Reason.STATIC
        for kind, default in TYPES.items():
            details = getattr(listening.client, f"get_{kind}_details")("other", default)
            assert (details.value, details.reason) == (default, Reason.ERROR)
            assert details.error_code == ErrorCode.PROVIDER_NOT_READY

        listening.heard.clear()
        server.start()
        assert listening.hears(READY)
        details = listening.client.get_boolean_details("other", True)
        assert (details.value, details.error_code) == (True, ErrorCode.FLAG_NOT_FOUND)
    finally:
        api.clear_providers()
        server.stop()


def test_wrong_password_is_fatal(redis_url: str, name: str, listening: Listening) -> None:
    """No waiting helps there: every evaluation gives its default, and says PROVIDER_FATAL."""
    place = urlsplit(redis_url)
    wrong = f"redis://:not-it@{place.hostname}:{place.port}/0"
    provider = SwitchoverProvider(Router(name, wrong), ready_timeout=2.0)
    with pytest.raises(ProviderFatalError, match="password"):
        api.set_provider_and_wait(provider, listening.domain)
    assert listening.status == ProviderStatus.FATAL
    assert listening.hears(ERROR)
    assert listening.heard[0][1].error_code == ErrorCode.PROVIDER_FATAL
    for kind, default in TYPES.items():
        details = getattr(listening.client, f"get_{kind}_details")(f"{kind}-flag", default)
        assert (details.value, details.reason) == (default, Reason.ERROR)
        assert details.error_code == ErrorCode.PROVIDER_FATAL


def test_provider_is_not_ready_while_it_starts(name: str, listening: Listening) -> None:
    """Set without waiting, it gives defaults and PROVIDER_NOT_READY until Redis has answered."""
    provider = SwitchoverProvider(Router(name, NOWHERE), ready_timeout=60)
    api.set_provider(provider, listening.domain)
    assert listening.status == ProviderStatus.NOT_READY
    for kind, default in TYPES.items():
        details = getattr(listening.client, f"get_{kind}_details")(f"{kind}-flag", default)
        assert (details.value, details.reason) == (default, Reason.ERROR)
        assert details.error_code == ErrorCode.PROVIDER_NOT_READY


def test_shutdown_closes_the_router_that_it_started(
    redis_url: str, name: str, listening: Listening
) -> None:
    """The provider is as before its start, may be shut down twice, and starts again."""
    RedisRoutingStore(redis_url).write(document(name, 1, panel={}))
    router = Router(name, redis_url)
    provider = SwitchoverProvider(router, ready_timeout=PATIENCE)
    for _ in range(2):
        api.set_provider_and_wait(provider, listening.domain)
        assert listening.client.get_boolean_value("panel", False) is True
        assert router.started
        api.clear_providers()
        assert not router.started
        provider.shutdown()
        details = provider.resolve_boolean_details("panel", False)
        assert (details.value, details.error_code) == (False, ErrorCode.PROVIDER_NOT_READY)


def test_shutdown_leaves_the_applications_router_alone(redis_url: str, name: str) -> None:
    """Whoever started the router closes it: its routing outlives the provider."""
    RedisRoutingStore(redis_url).write(document(name, 1, panel={}))
    with Router(name, redis_url) as router:
        provider = SwitchoverProvider(router, ready_timeout=PATIENCE)
        api.set_provider_and_wait(provider, name)
        api.clear_providers()
        assert router.started
        assert router.route("a").system == "candidate"


def test_shutdown_ends_a_start_that_still_waits(name: str, listening: Listening) -> None:
    """It does not become ready afterwards, and its router is closed."""
    router = Router(name, NOWHERE)
    provider = SwitchoverProvider(router, ready_timeout=0.5)
    api.set_provider(provider, listening.domain)
    assert eventually(lambda: router.started)
    provider.shutdown()
    assert not router.started
    assert listening.hears(ERROR)
    assert "shut down while it was starting" in str(listening.heard[0][1].message)
