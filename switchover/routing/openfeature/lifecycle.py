"""When the provider is ready, stale or in error, and the events that say so."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable

from openfeature.event import ProviderEvent, ProviderEventDetails
from openfeature.exception import OpenFeatureError, ProviderFatalError, ProviderNotReadyError

from switchover.errors import InputError
from switchover.routing.held import Change
from switchover.routing.router import Router

#: Seconds between two looks: whether a start was called off, or whether Redis is there at last.
RETRY = 0.5

Emit = Callable[[ProviderEvent, ProviderEventDetails], None]


class Lifecycle:
    """Starts and closes ``router`` for a provider, and emits what happens in between.

    A router that was already started is the application's own: it is never closed here.
    ``state`` is ``down``, ``starting``, ``ready``, ``stale`` or ``error``.
    """

    def __init__(self, router: Router, ready_timeout: float, emit: Emit) -> None:
        self._router, self._ready_timeout, self._emit = router, ready_timeout, emit
        self._lock = threading.Lock()
        self._ended = threading.Event()
        self._owned = False
        self._known = 0
        self.state = "down"

    def start(self) -> None:
        """Follow the migration and wait for Redis; the SDK turns success and error to events.

        After an error, a fatal one too, it goes on trying, and emits ready when Redis answers.
        """
        with self._lock:
            if self.state != "down":
                return
            self.state, self._ended = "starting", threading.Event()
            ended = self._ended
            self._owned = not self._router.started
            self._unsubscribe = self._router.on_change(self._changed)
            self._router.start()
        ready = self._wait_ready(ended)
        with self._lock:
            if ended.is_set():
                raise ProviderNotReadyError("it was shut down while it was starting")
            self.state = "ready" if ready else "error"
            self._known = self._router.epoch
        if not ready:
            self._wait_on()
            raise self._not_ready()

    def stop(self) -> None:
        """Emit nothing more, and close the router if it was started here. Twice is once."""
        with self._lock:
            if self.state == "down":
                return
            self.state = "down"
            self._ended.set()
        self._unsubscribe()
        if self._owned:
            self._router.close()

    def _wait_ready(self, ended: threading.Event) -> bool:
        deadline = time.monotonic() + self._ready_timeout
        while not ended.is_set():
            left = deadline - time.monotonic()
            if self._router.wait_ready(max(0.0, min(left, RETRY))):
                return True
            if left <= 0:
                break
        return False

    def _not_ready(self) -> OpenFeatureError:
        failure = self._router.failure
        said = f"{self._router.migration}: no answer of Redis within {self._ready_timeout:g} s"
        if failure is not None:
            said = f"{said}: {failure}"
        return ProviderFatalError(said) if _hopeless(failure) else ProviderNotReadyError(said)

    def _wait_on(self) -> None:
        ended, name = self._ended, f"switchover-openfeature-{self._router.migration}"

        def wait() -> None:
            # The first look comes late on purpose: the SDK has said by then that it is an error.
            while not ended.wait(RETRY):
                if self._router.wait_ready(0):
                    self._turn("error", "ready", ProviderEvent.PROVIDER_READY)
                    return

        threading.Thread(target=wait, name=name, daemon=True).start()

    def _changed(self, change: Change) -> None:
        """What the router tells, in a thread of its own."""
        if change.kind == "stale":
            said = f"{self._router.migration}: the routing document can't be confirmed"
            self._turn("ready", "stale", ProviderEvent.PROVIDER_STALE, said)
        else:
            self._turn("stale", "ready", ProviderEvent.PROVIDER_READY)
        if not change.flags or self.state not in ("ready", "stale"):
            return
        if change.kind == "document" and change.epoch <= self._known:
            # Told of late: it was there when the provider became ready.
            return
        details = self._details()
        details.flags_changed = list(change.flags)
        self._emit(ProviderEvent.PROVIDER_CONFIGURATION_CHANGED, details)

    def _turn(self, before: str, after: str, event: ProviderEvent, said: str | None = None) -> None:
        with self._lock:
            if self.state != before:
                return
            self.state = after
        self._emit(event, self._details(said))

    def _details(self, said: str | None = None) -> ProviderEventDetails:
        router = self._router
        return ProviderEventDetails(
            message=said, metadata={"migration": router.migration, "epoch": router.epoch}
        )


def _hopeless(failure: Exception | None) -> bool:
    """Whether only a person can help: the address or the credentials are wrong."""
    from redis.exceptions import AuthenticationError, NoPermissionError

    cause = failure.__cause__ if failure is not None else None
    return isinstance(failure, InputError) or isinstance(
        cause, AuthenticationError | NoPermissionError
    )
