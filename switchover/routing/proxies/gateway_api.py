"""Kubernetes Gateway API: the weights of an HTTPRoute, changed under optimistic locking.

Gateways draw lots per request, so this split is not sticky by key.
"""

from __future__ import annotations

import copy
import ssl
import time
from collections.abc import Callable
from functools import cached_property
from pathlib import Path
from typing import Any

import httpx

from switchover.errors import DependencyUnavailable, Refused
from switchover.machine.snapshot import Snapshot
from switchover.machine.split import FULL
from switchover.routing.proxies.fence import Standing, fence, lapse

#: How often a patch is tried when the route changes in between.
_ATTEMPTS = 5

#: Seconds between two looks at the route's status.
_POLL = 0.1

#: Seconds for connecting and for an answer.
_TIMEOUT = httpx.Timeout(5.0, connect=1.0)

#: Gives the bearer token; asked for each request, as Kubernetes renews the file.
Token = Callable[[], str]


class GatewayApiSplit:
    """The HTTPRoute ``namespace/route`` behind the Kubernetes API at ``url``.

    Every rule that names both services, ``legacy`` and ``candidate``, gets their weights; other
    rules stay. The epoch is kept in an annotation, written by the same patch. ``settle`` is the
    time in seconds that the gateway may take to accept a change. ``authority`` is a file with
    the certificates to trust; default: the system's.
    """

    def __init__(
        self, migration: str, url: str, *, namespace: str, route: str, legacy: str,
        candidate: str, token: Token, settle: float = 10.0, authority: Path | None = None,
    ) -> None:  # fmt: skip
        self._migration, self._legacy, self._candidate = migration, legacy, candidate
        self._token, self._settle, self._url, self._authority = token, settle, url, authority
        self._path = f"/apis/gateway.networking.k8s.io/v1/namespaces/{namespace}/httproutes/{route}"
        self._annotation = f"switchover/{migration}"
        self.name = f"HTTPRoute {namespace}/{route}"

    @cached_property
    def _trusted(self) -> ssl.SSLContext:
        return ssl.create_default_context(cafile=self._authority)

    def apply(self, snapshot: Snapshot, *, lift: bool = False) -> None:
        """Patch the weights, and wait until every gateway of the route has accepted them."""
        wanted = Standing.of(snapshot)
        self._move(lambda held: fence(self._migration, wanted, held, self.name, lift=lift))

    def fall_back(self) -> None:
        """Everything to legacy, under the epoch of the annotation."""
        self._move(lapse)

    def _move(self, choose: Callable[[Standing | None], Standing | None]) -> None:
        """Bring the route to what ``choose`` makes of what is remembered."""
        for _ in range(_ATTEMPTS):
            route = self._ask("GET")
            held = self._remembered(route)
            wanted = choose(held)
            if wanted is None:
                return
            rules = self._weighted(route, wanted)
            if held == wanted and rules == route["spec"]["rules"]:
                break
            patch = {
                "metadata": {
                    # Kubernetes answers 409 when somebody changed the route since our look.
                    "resourceVersion": route["metadata"]["resourceVersion"],
                    "annotations": {self._annotation: str(wanted)},
                },
                "spec": {"rules": rules},
            }
            changed = self._ask("PATCH", patch)
            if changed is not None:
                route = changed
                break
        else:
            raise DependencyUnavailable(
                self.name, f"others changed it {_ATTEMPTS} times in a row; try again"
            )
        self._wait(route)

    def read(self) -> float | None:
        """The share in the route; None while a gateway has not accepted it yet, and where rules
        differ."""
        route = self._ask("GET")
        shares = {
            sides[self._candidate].get("weight", 1)
            / sum(side.get("weight", 1) for side in sides.values())
            for rule in route["spec"].get("rules", [])
            if (sides := self._sides(rule))
            and any(side.get("weight", 1) for side in sides.values())
        }
        settled = not _unsettled(route)
        return shares.pop() if settled and len(shares) == 1 else None

    def _sides(self, rule: dict[str, Any]) -> dict[str, dict[str, Any]]:
        """The rule's references to the two services; empty unless both are there."""
        found = {
            ref["name"]: ref
            for ref in rule.get("backendRefs", [])
            if ref["name"] in (self._legacy, self._candidate)
        }
        return found if len(found) == 2 else {}

    def _weighted(self, route: dict[str, Any], wanted: Standing) -> list[dict[str, Any]]:
        rules: list[dict[str, Any]] = copy.deepcopy(route["spec"].get("rules", []))
        matching = [sides for rule in rules if (sides := self._sides(rule))]
        if not matching:
            raise Refused(
                f"{self.name} has no rule with both {self._legacy} and {self._candidate} among "
                "its backendRefs; add them to the rule that shall be split"
            )
        for sides in matching:
            sides[self._legacy]["weight"] = FULL - wanted.split
            sides[self._candidate]["weight"] = wanted.split
        return rules

    def _remembered(self, route: dict[str, Any]) -> Standing | None:
        text = (route["metadata"].get("annotations") or {}).get(self._annotation)
        return None if text is None else Standing.parse(text)

    def _wait(self, route: dict[str, Any]) -> None:
        """Wait until the gateways have seen this generation; a refusal of theirs is an error."""
        deadline = time.monotonic() + self._settle
        while unsettled := _unsettled(route):
            if time.monotonic() > deadline:
                raise DependencyUnavailable(
                    self.name,
                    f"{unsettled} {self._settle:g} s after the change; the weights are written, "
                    "see the gateway's controller",
                )
            time.sleep(_POLL)
            route = self._ask("GET")

    def _ask(self, method: str, body: dict[str, Any] | None = None) -> Any:
        """The route, before or after a patch; None when the patch met a newer version."""
        headers = {"Authorization": f"Bearer {self._token()}"}
        if body is not None:
            headers["Content-Type"] = "application/merge-patch+json"
        try:
            with httpx.Client(base_url=self._url, timeout=_TIMEOUT, verify=self._trusted) as client:
                answer = client.request(method, self._path, json=body, headers=headers)
        except (httpx.HTTPError, OSError) as error:
            raise DependencyUnavailable(
                "Kubernetes", f"{error!r} at {self._url}; check the address and its certificate"
            ) from error
        if answer.status_code == 409:
            return None
        if answer.is_success:
            try:
                return answer.json()
            except ValueError as error:
                raise DependencyUnavailable(
                    "Kubernetes", f"{self._url} answers, but not as its API does"
                ) from error
        raise self._error(answer)

    def _error(self, answer: httpx.Response) -> Exception:
        said = _message(answer)
        code = answer.status_code
        if code == 404:
            return Refused(f"{self.name} does not exist ({said}); create it, or mend the name")
        if code in (401, 403):
            return Refused(
                f"{self.name}: Kubernetes does not let us ({code}: {said}); the service account "
                "needs get and patch on httproutes"
            )
        if code == 429 or code >= 500:
            wait = answer.headers.get("Retry-After", "")
            return DependencyUnavailable(
                "Kubernetes", f"{code}: {said}", float(wait) if wait.isdecimal() else None
            )
        return Refused(f"{self.name}: Kubernetes refuses the change ({code}): {said}")


def _message(answer: httpx.Response) -> str:
    """What a Kubernetes Status says, or the beginning of whatever came instead."""
    try:
        status = answer.json()
    except ValueError:
        status = None
    message = status.get("message") if isinstance(status, dict) else None
    return str(message or answer.text[:200] or answer.reason_phrase)


def _unsettled(route: dict[str, Any]) -> str:
    """What keeps the route from being in force, in words; empty when nothing does.

    Raises ``Refused`` when a gateway has looked at this generation and does not accept it.
    """
    parents = route.get("status", {}).get("parents", [])
    if not parents or len(parents) < len(route["spec"].get("parentRefs", [])):
        return "not every gateway has taken the route up"
    generation = route["metadata"].get("generation", 0)
    for parent in parents:
        gateway = parent["parentRef"]["name"]
        seen = {condition["type"]: condition for condition in parent.get("conditions", [])}
        for kind in ("Accepted", "ResolvedRefs"):
            condition = seen.get(kind)
            if condition is None or condition.get("observedGeneration", 0) < generation:
                return f"gateway {gateway} has not looked at the change yet"
            if condition["status"] == "False":
                raise Refused(
                    f"gateway {gateway} does not accept the route: {kind} is false, "
                    f"{condition.get('reason', '')}: {condition.get('message', '')}"
                )
    return ""
