from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from switchover.routing.bucket import bucket
from tests.integration.proxies.load import Change, Load, Step, drive
from tests.integration.proxies.running import (
    SALT,
    Running,
    document,
    running_haproxy,
    running_nginx,
)

KEYS = [f"patient-{number}" for number in range(10_000)]
#: A ramp and a rollback; every key is asked for at 10 and at 50 %.
STEPS = [
    Step(document(1, 0), 300),
    Step(document(2, 10), len(KEYS) + 100),
    Step(document(3, 50), len(KEYS) + 100),
    Step(document(4, 100), 600),
    Step(document(5, 0, mode="emergency_rollback"), 600),
]

Report = Callable[[str, object], None]


def check_ramp(proxy: Running, name: str, report: Report) -> Load:
    """Drive the ramp, and check what has to hold for every proxy that splits by key."""
    load, changes = drive(proxy, KEYS, STEPS)
    report("figures", figures(name, load, changes))
    assert load.failures == []
    candidate: dict[int, set[str]] = {}
    for epoch in range(1, 6):
        sides = load.sides(epoch)
        assert all(len(both) == 1 for both in sides.values()), "a key changed sides in one split"
        candidate[epoch] = {key for key, both in sides.items() if both == {"candidate"}}
    for epoch, share in ((2, 0.10), (3, 0.50)):
        assert load.sides(epoch).keys() == set(KEYS)
        assert len(candidate[epoch]) / len(KEYS) == pytest.approx(share, abs=0.01)
    assert candidate[2] < candidate[3]
    assert candidate[4] == load.sides(4).keys()
    assert candidate[1] == candidate[5] == set()
    assert proxy.split.read() == 0
    return load


def figures(name: str, load: Load, changes: list[Change]) -> str:
    """Throughput and the time of the rollback, in one line."""
    back = changes[-1]
    late = [answer for answer in load.answers if answer.ended > back.ordered and answer.epoch < 5]
    last = max((answer.ended for answer in late), default=back.ordered)
    took = load.answers[-1].ended - load.answers[0].started
    shares = {
        epoch: f"{sum(s == {'candidate'} for s in load.sides(epoch).values()) / len(KEYS):.2%}"
        for epoch in (2, 3)
    }
    return (
        f"{name}: {len(load.answers)} requests in {took:.2f} s, {load.reconnects} reconnects, "
        f"shares {shares}, rollback: apply took {(back.done - back.ordered) * 1e3:.1f} ms, last "
        f"answer by the old split {(last - back.ordered) * 1e3:.1f} ms after the order, "
        f"{sum(answer.started > back.done for answer in late)} begun after it was done"
    )


@pytest.mark.req("T11")
def test_haproxy_loses_no_request_in_a_ramp_and_agrees_with_the_router(
    program: Callable[[str], Path], record_property: Report
) -> None:
    """Every single answer came from the side that the router would have chosen."""
    with running_haproxy(program("haproxy")) as proxy:
        load = check_ramp(proxy, "HAProxy", record_property)
    splits = {step.snapshot.epoch: step.snapshot.split for step in STEPS} | {0: 0}
    for answer in load.answers:
        chosen = "candidate" if bucket(SALT, answer.key) < splits[answer.epoch] else "legacy"
        assert answer.side == chosen


@pytest.mark.req("T11")
def test_nginx_loses_no_request_in_a_ramp_and_keeps_keys_on_their_side(
    program: Callable[[str], Path], record_property: Report
) -> None:
    """Through four reloads under load no request fails and no key moves against the ramp."""
    with running_nginx(program("nginx")) as proxy:
        check_ramp(proxy, "nginx", record_property)
