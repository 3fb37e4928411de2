from __future__ import annotations

import threading
from dataclasses import dataclass, field
from typing import Any

import pytest
from pydantic import TypeAdapter, ValidationError

from switchover.errors import DependencyUnavailable, InputError, Refused, StaleEpoch
from switchover.machine.snapshot import Snapshot
from switchover.plan.proxies import Proxy
from switchover.ports import MeasuredShare
from switchover.routing.proxies import TrafficSplits, open_splits

pytestmark = pytest.mark.req("T11")

SNAPSHOT = Snapshot("mood", 3, "gradual", 1_000, salt="s")
HAPROXY = {"kind": "haproxy", "address": "/run/haproxy/admin.sock"}
NGINX = {"kind": "nginx", "file": "/etc/nginx/switchover/mood.conf", "header": "X-Key",
         "status_url": "http://127.0.0.1/switchover/mood"}  # fmt: skip
TRAEFIK = {"kind": "traefik", "redis": "env:TRAEFIK_REDIS", "service": "mood",
           "legacy": "mood-v2@file", "candidate": "mood-v3"}  # fmt: skip
GATEWAY = {"kind": "gateway_api", "namespace": "clinic", "route": "mood", "legacy": "mood-v2",
           "candidate": "mood-v3", "token": "env:KUBE_TOKEN"}  # fmt: skip


def planned(*sections: dict[str, Any]) -> list[Proxy]:
    return TypeAdapter(list[Proxy]).validate_python(list(sections))


@dataclass
class Remembering:
    """A proxy that keeps what it was told, or fails as it is asked to."""

    name: str = "proxy"
    fault: Exception | None = None
    share: float | None = 0.1
    applied: list[Snapshot] = field(default_factory=list)

    def apply(self, snapshot: Snapshot, *, lift: bool = False) -> None:
        self.applied.append(snapshot)
        if self.fault:
            raise self.fault

    def fall_back(self) -> None:
        raise AssertionError("nobody asked for that")

    def read(self) -> float | None:
        if self.fault:
            raise self.fault
        return self.share


DOWN = DependencyUnavailable("HAProxy", "no socket")
NO = Refused("no such route")
STALE = StaleEpoch("mood", 3, 4)


@pytest.mark.parametrize(
    ("faults", "kind", "words"),
    [
        ([DOWN], DependencyUnavailable, "HAProxy is unavailable: no socket"),
        ([NO], Refused, "^no such route$"),
        ([STALE, STALE], StaleEpoch, "epoch 3 refused"),
        ([NO, DOWN], DependencyUnavailable, "no such route; HAProxy is unavailable"),
        ([NO, STALE], Refused, "no such route; mood: routing epoch 3"),
        ([DOWN, ZeroDivisionError("fault of ours")], ZeroDivisionError, "fault of ours"),
    ],
)
def test_every_proxy_is_told_whatever_happens_to_others(
    faults: list[Exception], kind: type[Exception], words: str
) -> None:
    """All faults come as one error, after the last proxy was told."""
    proxies = [Remembering(fault=fault) for fault in faults] + [Remembering()]
    with pytest.raises(kind, match=words):
        TrafficSplits(proxies).apply(SNAPSHOT)
    assert [proxy.applied for proxy in proxies] == [[SNAPSHOT]] * len(proxies)


def test_slow_proxy_holds_up_no_other() -> None:
    """Both are told at the same time: each waits for the other here."""
    meeting = threading.Barrier(2, timeout=5)

    class Meeting(Remembering):
        def apply(self, snapshot: Snapshot, *, lift: bool = False) -> None:
            meeting.wait()

    TrafficSplits([Meeting(), Meeting()]).apply(SNAPSHOT)
    assert not meeting.broken


def test_each_share_is_measured_whatever_happens_to_others() -> None:
    """One that can't tell and one that can't be asked are told apart."""
    splits = TrafficSplits(
        [Remembering("a", share=0.2), Remembering("b", share=None), Remembering("c", fault=DOWN)]
    )
    assert splits.measure() == (
        MeasuredShare("a", 0.2),
        MeasuredShare("b", None),
        MeasuredShare("c", None, "HAProxy is unavailable: no socket"),
    )


def test_plan_without_proxies_needs_nothing() -> None:
    """No section, no proxy, no error."""
    splits = open_splits("mood", [], environment={})
    splits.apply(SNAPSHOT)
    assert (len(splits), splits.measure()) == (0, ())


def test_every_kind_of_the_plan_is_opened_without_connecting() -> None:
    """Nothing listens at these addresses, and nothing is asked of them yet."""
    splits = open_splits(
        "mood",
        planned(HAPROXY, NGINX, TRAEFIK, GATEWAY),
        allow_programs=frozenset({"nginx"}),
        environment={"TRAEFIK_REDIS": "redis://:secret@127.0.0.1:1/0", "KUBE_TOKEN": "t"},
    )
    assert [split.name for split in splits] == [
        "HAProxy /run/haproxy/admin.sock",
        "nginx /etc/nginx/switchover/mood.conf",
        "Traefik service mood in redis://127.0.0.1:1/0",
        "HTTPRoute clinic/mood",
    ]


def test_program_that_the_operator_did_not_allow_is_refused() -> None:
    """A plan alone starts no program."""
    with pytest.raises(Refused, match="adds /tmp/evil to SWITCHOVER_ALLOW_COMMANDS"):
        open_splits(
            "mood",
            planned({**NGINX, "program": "/tmp/evil"}),
            allow_programs=frozenset({"nginx"}),
        )


def test_secret_that_is_not_set_is_named() -> None:
    """The message names the variable; for a token it comes with the first request."""
    with pytest.raises(InputError, match="TRAEFIK_REDIS, which is not set"):
        open_splits("mood", planned(TRAEFIK), environment={})
    splits = open_splits("mood", planned(GATEWAY), environment={})
    with pytest.raises(InputError, match="KUBE_TOKEN, which is not set"):
        splits.apply(SNAPSHOT)


@pytest.mark.parametrize(
    ("section", "changes"),
    [
        (TRAEFIK, {"redis": "redis://:secret@host/0"}),
        (GATEWAY, {"token": "eyJhbGciOi"}),
        (NGINX, {"file": "mood.conf"}),
        (NGINX, {"file": "/etc/passwd"}),
        (NGINX, {"header": "X;Key"}),
        (GATEWAY, {"namespace": "../secrets"}),
        (HAPROXY, {"weight": 3}),
    ],
    ids=str,
)
def test_section_that_is_wrong_or_tells_a_secret_is_refused(
    section: dict[str, Any], changes: dict[str, Any]
) -> None:
    """Secrets are named by variable, paths are whole, and unknown keys are errors."""
    with pytest.raises(ValidationError):
        planned({**section, **changes})
