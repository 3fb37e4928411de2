"""A metric recorded in another form than its gate reads is told as that, not as no data."""

from __future__ import annotations

from typing import Any

import pytest

from switchover.engine.collect import collect
from switchover.engine.monitor import look
from switchover.engine.status import status, why


def ship(world: Any, *blocks: Any) -> None:
    """Deliver blocks and collect them."""
    for block in blocks:
        world.stream.add(block)
    collect(world.context, "demo")


@pytest.mark.req("O5")
def test_numbers_under_a_yes_or_no_metric_are_told_as_the_cause(world: Any) -> None:
    """Why, status and monitor say which metric got what, and what to record."""
    world.start()
    world.to_canary()
    ship(
        world,
        world.block("success_rate", "candidate", 1200, value=0.97),
        world.block("prediction_latency_p99", "candidate", 1200, value=0.05),
    )
    told = (
        "success_rate of the candidate came as numbers (1,200), and gate success_rate reads yes "
        "or no; record a bool, True for good"
    )
    assert told in why(world.context, "demo")["sentence"]
    assert told in status(world.context, "demo")["why"]
    assert told in look(world.context, "demo", actor="monitor").sentence


@pytest.mark.req("O5")
def test_bools_under_a_measured_metric_are_told_as_the_cause(world: Any) -> None:
    """The reverse, with the unit that times have."""
    world.start()
    world.to_canary()
    ship(
        world,
        world.block("success_rate", "candidate", 2000),
        world.block("prediction_latency_p99", "candidate", 7),
    )
    assert (
        "prediction_latency_p99 of the candidate came as yes or no (7), and gate "
        "prediction_latency_p99 reads numbers; record what was measured, times in seconds"
    ) in why(world.context, "demo")["sentence"]


@pytest.mark.req("O5")
def test_legacy_in_the_wrong_form_is_told_where_a_gate_compares_with_it(world: Any) -> None:
    """And only there: a gate of the candidate alone doesn't need legacy's."""
    world.start(gates=[{"metric": "error_rate", "kind": "relative_rate", "at_most": "1.5x"}])
    world.work()
    world.step()
    ship(
        world,
        world.block("error_rate", "legacy", 300, value=1.0),
        world.block("error_rate", "candidate", 300),
    )
    sentence = why(world.context, "demo")["sentence"]
    assert "error_rate of legacy came as numbers (300)" in sentence
    assert "of the candidate came" not in sentence


@pytest.mark.req("O5")
def test_once_the_right_form_arrives_nothing_is_told(world: Any) -> None:
    """A mistake that was mended is no news."""
    world.start()
    world.to_canary()
    ship(world, world.block("success_rate", "candidate", 40, value=1.0))
    assert "came as numbers" in why(world.context, "demo")["sentence"]
    ship(world, world.block("success_rate", "candidate", 40))
    assert "came as" not in why(world.context, "demo")["sentence"]


@pytest.mark.req("O5")
def test_pairs_recorded_one_by_one_are_told(world: Any) -> None:
    """A paired gate reads the outcomes of both systems together."""
    world.start(gates=[{"metric": "tests_passed", "kind": "paired", "at_most": "2%"},
                       {"metric": "success_rate", "at_least": "90%"}])  # fmt: skip
    world.work()
    world.step()
    ship(world, world.block("tests_passed", "candidate", 9))
    assert "record it with Recorder.record_pair" in why(world.context, "demo")["sentence"]
