"""All proxies of a migration as one, and how a plan's section ``proxies`` becomes them."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import TypeVar

from switchover.errors import (
    DependencyUnavailable,
    InputError,
    Refused,
    StaleEpoch,
    SwitchoverError,
)
from switchover.machine.snapshot import Snapshot
from switchover.plan.proxies import GatewayApiProxy, HaproxyProxy, NginxProxy, Proxy
from switchover.ports import MeasuredShare, TrafficSplit

T = TypeVar("T")

#: What Kubernetes puts into every pod.
_ACCOUNT = Path("/var/run/secrets/kubernetes.io/serviceaccount")

#: The operator's list of programs that plans may run.
_ALLOWED = "SWITCHOVER_ALLOW_COMMANDS"


class TrafficSplits:
    """Several proxies: they are told at the same time, so that a slow one holds up no other, and
    each is told whatever happens to the rest. Iterating gives each of them.
    """

    def __init__(self, splits: Sequence[TrafficSplit]) -> None:
        self._splits = tuple(splits)

    def __iter__(self) -> Iterator[TrafficSplit]:
        return iter(self._splits)

    def __len__(self) -> int:
        return len(self._splits)

    def apply(self, snapshot: Snapshot) -> None:
        """Tell every proxy; the faults come as one error after all were told.

        ``DependencyUnavailable`` if one was out of reach, ``StaleEpoch`` if proxies were ahead
        and nothing else was wrong, else ``Refused``.
        """
        futures = self._each(lambda split: split.apply(snapshot))
        faults = [error for future in futures if (error := future.exception()) is not None]
        if faults:
            raise _one(faults)

    def measure(self) -> tuple[MeasuredShare, ...]:
        """The share that each proxy really has, or why it can't be asked."""
        return tuple(future.result() for future in self._each(_measured))

    def _each(self, act: Callable[[TrafficSplit], T]) -> list[Future[T]]:
        """``act`` on all of them, ended."""
        if not self._splits:
            return []
        with ThreadPoolExecutor(len(self._splits)) as pool:
            return [pool.submit(act, split) for split in self._splits]


def _measured(split: TrafficSplit) -> MeasuredShare:
    try:
        return MeasuredShare(split.name, split.read())
    except SwitchoverError as error:
        return MeasuredShare(split.name, None, str(error))


def _one(faults: list[BaseException]) -> BaseException:
    """One error that says what all of ``faults`` say."""
    unplanned = [fault for fault in faults if not isinstance(fault, SwitchoverError)]
    if unplanned:
        return unplanned[0]
    if len(faults) == 1 or all(isinstance(fault, StaleEpoch) for fault in faults):
        return faults[0]
    said = "; ".join(map(str, faults))
    if any(isinstance(fault, DependencyUnavailable) for fault in faults):
        return DependencyUnavailable("proxies", said)
    return Refused(said)


def open_splits(
    migration: str,
    proxies: Sequence[Proxy],
    *,
    allow_programs: frozenset[str] = frozenset(),
    environment: Mapping[str, str] | None = None,
) -> TrafficSplits:
    """The proxies that a plan names. Nothing connects yet.

    ``allow_programs`` are the programs that the operator lets plans run. Raises ``Refused``
    for another one, ``InputError`` for a variable that is not set.
    """
    given = os.environ if environment is None else environment
    return TrafficSplits([_open(migration, proxy, allow_programs, given) for proxy in proxies])


def _open(
    migration: str, proxy: Proxy, allowed: frozenset[str], environment: Mapping[str, str]
) -> TrafficSplit:
    """Imports are inside, so that a migration pays for the proxies it has."""
    if isinstance(proxy, HaproxyProxy):
        from switchover.routing.proxies.haproxy import HaproxySplit

        return HaproxySplit(migration, proxy.address)
    if isinstance(proxy, NginxProxy):
        return _nginx(migration, proxy, allowed)
    if isinstance(proxy, GatewayApiProxy):
        return _gateway_api(migration, proxy, environment)
    from switchover.routing.proxies.traefik import TraefikSplit

    return TraefikSplit(
        migration, _variable(proxy.redis, environment), service=proxy.service,
        legacy=proxy.legacy, candidate=proxy.candidate, root=proxy.root,
        cookie=proxy.cookie or "",
    )  # fmt: skip


def _nginx(migration: str, proxy: NginxProxy, allowed: frozenset[str]) -> TrafficSplit:
    from switchover.routing.proxies.nginx import NginxSplit

    if proxy.program not in allowed:
        raise Refused(
            f"{migration} may not run {proxy.program} to reload nginx; an operator who trusts "
            f"the plan adds {proxy.program} to {_ALLOWED}"
        )
    command = [proxy.program, *(["-c", proxy.config] if proxy.config else [])]
    return NginxSplit(
        migration, Path(proxy.file), status_url=proxy.status_url, header=proxy.header,
        legacy=proxy.legacy, candidate=proxy.candidate, command=command, settle=proxy.settle,
    )  # fmt: skip


def _gateway_api(
    migration: str, proxy: GatewayApiProxy, environment: Mapping[str, str]
) -> TrafficSplit:
    from switchover.routing.proxies.gateway_api import GatewayApiSplit

    def token() -> str:
        return _variable(proxy.token, environment) if proxy.token else _account_token()

    authority = _ACCOUNT / "ca.crt"
    return GatewayApiSplit(
        migration, proxy.url, namespace=proxy.namespace, route=proxy.route,
        legacy=proxy.legacy, candidate=proxy.candidate, token=token, settle=proxy.settle,
        authority=authority if authority.exists() else None,
    )  # fmt: skip


def _account_token() -> str:
    """The pod's own token, which Kubernetes renews; ``InputError`` outside of a pod."""
    try:
        return (_ACCOUNT / "token").read_text(encoding="ascii").strip()
    except OSError as error:
        raise InputError(
            f"no token for the Kubernetes API: {error}; run in a pod with a service account, or "
            "name a variable with 'token: env:NAME' in the plan"
        ) from error


def _variable(reference: str, environment: Mapping[str, str]) -> str:
    name = reference.removeprefix("env:")
    if not (value := environment.get(name)):
        raise InputError(f"the plan takes a proxy's secret from {name}, which is not set; set it")
    return value
