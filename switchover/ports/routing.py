"""Routing: where routers read their document, and proxies that split by themselves."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from switchover.machine.propagation import Acknowledgement, Halt, Propagation, Routed
from switchover.machine.snapshot import Snapshot


class RoutingStore(Protocol):
    """Where routers read the routing document; epoch-fenced."""

    def write(self, snapshot: Snapshot) -> None:
        """Publish; raises ``StaleEpoch`` for an older epoch or a document that a halt forbids."""

    def read(self, migration: str) -> Snapshot | None: ...

    def halt(
        self,
        migration: str,
        *,
        halt_id: str,
        actor: str,
        reason: str,
        at: float,
        trigger: str = "",
        insist: bool = False,
    ) -> Halt:
        """Send everything to legacy at once. A second call returns the halt that stands.

        Raises ``PointOfNoReturn`` where the stored document says that it is passed, unless the
        caller does ``insist``."""

    def halted(self, migration: str) -> Halt | None: ...

    def routed(self, migrations: Sequence[str]) -> dict[str, Routed]:
        """``read`` and ``halted`` of many in one look; unreadable ones are left out."""

    def acknowledgements(self, migration: str) -> tuple[Acknowledgement, ...]: ...

    def wait_acknowledged(self, migration: str, epoch: int, timeout: float) -> Propagation:
        """Wait until every live router routes by ``epoch`` or newer, or ``timeout`` seconds."""


class TrafficSplit(Protocol):
    """A proxy that splits the traffic itself, kept in step with the routing document (T11)."""

    @property
    def name(self) -> str:
        """What messages call it, such as ``HAProxy /run/haproxy/admin.sock``."""

    def apply(self, snapshot: Snapshot, *, lift: bool = False) -> None:
        """Let the proxy split as ``snapshot`` says. Doing it again changes nothing, and mends a
        proxy that forgot. Raises ``StaleEpoch`` when the proxy follows a newer document, or
        fell back under this one and ``lift`` is not given; ``Refused`` when its configuration
        does not fit, ``DependencyUnavailable`` otherwise."""

    def fall_back(self) -> None:
        """Send everything to legacy under the epoch that the proxy has, for want of Redis. A
        newer document ends that, the same one only with ``lift``, an older one never."""

    def read(self) -> float | None:
        """The candidate's share that the proxy really has, 0 to 1; None while it can't tell."""


@dataclass(frozen=True, slots=True)
class MeasuredShare:
    """The candidate's share that ``proxy`` really has, 0 to 1: None while it can't tell, and
    where ``fault`` says why it can't be asked."""

    proxy: str
    share: float | None
    fault: str = ""


class TrafficSplits(Protocol):
    """All proxies of a migration."""

    def apply(self, snapshot: Snapshot) -> None:
        """Tell each, as :meth:`TrafficSplit.apply`; one error for all faults, after the last."""

    def measure(self) -> tuple[MeasuredShare, ...]:
        """What each does, in the plan's order."""
