"""Validation after a rollback: waves by time, each on record once, with evidence."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from switchover.engine.aftermath import ROUTERS, SERVED
from switchover.engine.drain import drain
from switchover.engine.roll_back import roll_back
from switchover.engine.sweep import sweep
from switchover.engine.validate import Validation, due_waves, validate
from switchover.errors import DependencyUnavailable, InputError, LostRace
from switchover.judge.block import Block
from switchover.machine.event import event_from_dict
from switchover.machine.inquiry import inquiry_of
from switchover.ports import CheckResult
from switchover.testing.probes import ScriptedProbes

pytestmark = pytest.mark.req("R4")

PROBE = {"kind": "http", "path": "/orders"}
WAVES = {
    "immediate": {"probes": [{"name": "front page", **PROBE}]},
    "functional": {"probes": [{"name": "order", **PROBE}, {"name": "pay", **PROBE}]},
    "business": {"probes": [{"name": "sales", **PROBE}]},
}


class Aftermath:
    """A migration that was rolled back at its first canary, and its validation."""

    def __init__(self, world: Any, validation: Any = None, **plan: Any) -> None:
        self.world, self.probes = world, ScriptedProbes()
        world.context = replace(world.context, probes=self.probes)
        rollback = {} if validation is None else {"validation": validation}
        world.start(rollback=rollback, notify={"slack_channel": "#ops"}, **plan)
        world.to_canary()
        self.incident = roll_back(
            world.context, "demo", actor="bo", trigger="person", reason="smoke"
        ).incident

    def after(self, seconds: float) -> None:
        """Let it be so long after the rollback."""
        gone = self.world.context.timestamp - self.inquiry.at
        self.world.clock.advance(timedelta(seconds=seconds - gone))

    def sleep(self, seconds: float) -> None:
        self.world.clock.advance(timedelta(seconds=seconds))

    def run(self, **more: Any) -> Validation:
        return validate(self.world.context, "demo", actor="t", sleep=self.sleep, **more)

    def saw_candidate(self, at: float, **more: Any) -> None:
        """Ship three observations of the candidate, so many seconds after the rollback."""
        counts = {"n": 3, "recorder": "r", "upto": 3, **more}
        block = Block(
            f"b{at}", "demo", "success_rate", "candidate", self.inquiry.at + at, 5, **counts
        )
        self.world.stream.add(block)

    @property
    def inquiry(self) -> Any:
        found = inquiry_of(self.world.case.state.inquiries, self.incident)
        assert found is not None
        return found

    @property
    def recorded(self) -> list[dict[str, Any]]:
        entries = self.world.ledger.entries("demo")
        return [entry.payload for entry in entries if entry.kind == "wave_validated"]

    def sent(self, kind: str) -> list[Any]:
        """Effects of a kind that are performed once everything due is."""
        while drain(self.world.context).done:
            pass
        return [effect for effect in self.world.effects if effect.kind == kind]


@pytest.fixture
def back(world: Any) -> Callable[..., Aftermath]:
    """Rolls a migration back."""
    return lambda *validation, **plan: Aftermath(world, *validation, **plan)


def test_each_wave_runs_at_its_time_and_is_on_record_once(back: Callable[..., Aftermath]) -> None:
    """Asking before it is due, or again, asks nothing."""
    site = back(WAVES)
    site.after(30)
    assert [wave.ok for wave in site.run().waves] == [True]
    assert site.probes.asked == ["front page"]
    assert site.run().waves == ()
    assert site.run().next_at == site.inquiry.at + 300
    site.after(300)
    assert [wave.wave for wave in site.run().waves] == ["functional"]
    site.after(601)
    site.run()
    assert sorted(site.probes.asked) == ["front page", "order", "pay", "sales"]
    assert [(wave["wave"], wave["ok"]) for wave in site.recorded] == [
        ("immediate", True), ("functional", True), ("business", True),
    ]  # fmt: skip
    assert site.run().next_at is None


def test_the_incident_is_mitigated_only_when_every_wave_has_passed(
    back: Callable[..., Aftermath],
) -> None:
    """Until then it stays critical."""
    site = back(WAVES)
    for seconds in (30, 300, 600):
        assert site.inquiry.critical
        site.after(seconds)
        site.run()
    assert site.inquiry.state == "mitigated"


def test_a_probe_is_asked_again_until_it_passes(back: Callable[..., Aftermath]) -> None:
    """Those that passed are not asked again, and the record tells at which attempt each did."""
    site = back(WAVES)
    site.after(300)
    site.probes.answers["pay"] = [False, False, True]
    found = site.run(patience=60)
    (functional,) = [wave for wave in found.waves if wave.wave == "functional"]
    assert functional.ok is True
    assert site.probes.asked.count("pay") == 3
    assert site.probes.asked.count("order") == 1
    attempts = {each["name"]: each["detail"]["attempt"] for each in site.recorded[-1]["results"]}
    assert attempts == {"order": 1, "pay": 3}


def test_a_run_gives_up_for_now_and_the_next_one_goes_on(back: Callable[..., Aftermath]) -> None:
    """Nothing is decided before the deadline; no run waits longer than its patience."""
    site = back(WAVES)
    site.after(30)
    site.run()
    site.after(300)
    site.probes.answers["pay"] = False
    before = site.world.context.timestamp
    found = site.run(patience=30)
    assert [wave.ok for wave in found.waves] == [None]
    assert site.world.context.timestamp == before + 30
    assert found.next_at is not None
    assert found.next_at <= site.world.context.timestamp
    assert len(site.recorded) == 1
    site.probes.answers["pay"] = True
    assert [wave.ok for wave in site.run().waves] == [True]


def test_a_wave_fails_at_its_deadline_keeps_the_incident_critical_and_pages_once(
    back: Callable[..., Aftermath],
) -> None:
    """The page names the probe and what it found."""
    site = back(WAVES)
    site.after(30)
    site.run()
    site.after(590)
    site.probes.answers["pay"] = CheckResult("pay", False, "status 503", 0.1)
    assert [wave.ok for wave in site.run(patience=30).waves] == [False]
    assert site.world.context.timestamp == site.inquiry.at + 600
    assert site.inquiry.critical
    assert site.inquiry.failing == ("functional",)
    site.run(patience=30)
    pages = [e for e in site.sent("notice") if e.payload["text"].startswith("CRITICAL")]
    (page,) = pages
    assert "pay: status 503" in page.payload["text"]
    assert site.incident in page.payload["text"]


def test_a_wave_found_after_its_deadline_is_run_all_the_same(
    back: Callable[..., Aftermath],
) -> None:
    """With Prefect down for an hour nobody asked; what holds now is told, and that it is late."""
    site = back(WAVES)
    site.after(3600)
    site.probes.answers["pay"] = [False, True]
    assert [wave.ok for wave in site.run(patience=10).waves] == [True, True, True]
    assert "50 min" in site.recorded[1]["summary"]


def test_only_a_person_repeats_a_failed_wave_and_then_it_may_pass(
    back: Callable[..., Aftermath],
) -> None:
    """What fails again is not written down again."""
    site = back(WAVES)
    site.after(601)
    site.probes.answers["pay"] = False
    site.run()
    site.run()
    assert site.probes.asked.count("pay") == 1
    site.run(again=True)
    assert [wave["ok"] for wave in site.recorded if wave["wave"] == "functional"] == [False]
    site.probes.answers["pay"] = True
    site.run(again=True)
    kept = [wave["ok"] for wave in site.recorded if wave["wave"] == "functional"]
    assert kept == [False, True]
    assert site.inquiry.state == "mitigated"
    site.run(again=True)
    assert len(site.recorded) == 4


@pytest.mark.req("INV4")
def test_two_runs_at_once_write_one_record(
    back: Callable[..., Aftermath], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whoever comes second finds the wave on record, and pages nobody."""
    site = back(WAVES)
    site.after(30)
    real, other = site.world.ledger.append, []

    def append(*given: Any, **more: Any) -> Any:
        if not other:
            other.append(True)
            site.run()
            raise LostRace("demo", 0)
        return real(*given, **more)

    monkeypatch.setattr(site.world.ledger, "append", append)
    site.run()
    assert [wave["wave"] for wave in site.recorded] == ["immediate"]


@pytest.mark.req("INV4")
def test_a_run_that_is_killed_before_its_record_is_repeated(
    back: Callable[..., Aftermath], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The next one asks everything anew, and writes it down."""
    site = back(WAVES)
    site.after(30)

    def killed(*given: Any, **more: Any) -> Any:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(site.world.ledger, "append", killed)
        with pytest.raises(KeyboardInterrupt):
            site.run()
    assert site.recorded == []
    site.run()
    assert site.probes.asked == ["front page", "front page"]
    assert len(site.recorded) == 1


def test_a_fault_of_the_plan_or_the_worker_is_a_failed_probe(
    back: Callable[..., Aftermath],
) -> None:
    """It hides no other probe's answer, and its words are in the record."""
    site = back(WAVES)
    site.after(700)

    def missing() -> bool:
        raise InputError("the environment variable TOKEN is not set")

    def broken() -> bool:
        raise ZeroDivisionError("oops")

    site.probes.answers |= {"order": missing, "sales": broken}
    site.run()
    results = {each["name"]: each for wave in site.recorded for each in wave["results"]}
    assert "TOKEN is not set" in results["order"]["summary"]
    assert results["pay"]["ok"]
    assert not site.run(again=True).waves[1].ok
    assert "ZeroDivisionError" in str(site.run(again=True).to_dict())


def test_a_plan_without_probes_gets_an_immediate_wave(back: Callable[..., Aftermath]) -> None:
    """Legacy answers, every router acknowledges, and nobody is served by the candidate."""
    site = back()
    site.after(25)
    (wave,) = site.run().waves
    assert wave.ok is True
    assert {each.name for each in wave.results} == {"legacy answers", ROUTERS, SERVED}
    assert site.inquiry.state == "mitigated"


def test_a_router_that_has_not_turned_fails_the_immediate_wave(
    back: Callable[..., Aftermath],
) -> None:
    """It is named; when it has turned the wave passes."""
    site = back()
    site.after(25)
    site.world.routing.acknowledge("demo", "late-router", 1, 0.0)
    (wave,) = site.run().waves
    assert wave.ok is None
    assert "late-router" in wave.sentence
    halt = site.world.routing.halted("demo")
    site.world.routing.acknowledge("demo", "late-router", halt.epoch, halt.at)
    (wave,) = site.run().waves
    assert wave.ok is True


def test_requests_that_the_candidate_serves_since_fail_the_immediate_wave(
    back: Callable[..., Aftermath],
) -> None:
    """Whatever routers say: somebody still gets its answers."""
    site = back()
    site.after(60)
    site.saw_candidate(40)
    (wave,) = site.run().waves
    assert wave.ok is None
    assert "3 observations of it since (success_rate)" in wave.sentence


def test_what_was_under_way_at_the_turn_and_gauges_show_no_serving(
    back: Callable[..., Aftermath],
) -> None:
    """The candidate's own process goes on to record its memory."""
    site = back()
    site.after(60)
    site.saw_candidate(2)
    site.saw_candidate(40, sketch={7: 3})
    (wave,) = site.run().waves
    assert wave.ok is True


def test_the_immediate_wave_waits_until_recorders_have_told(back: Callable[..., Aftermath]) -> None:
    """Right after the turn nobody can know whether the candidate still serves."""
    site = back()
    site.after(5)
    (wave,) = site.run().waves
    assert wave.ok is None
    (wave,) = site.run(patience=30).waves
    assert wave.ok is True


def test_with_redis_down_nobody_knows_and_the_wave_does_not_pass(
    back: Callable[..., Aftermath], monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is told, and the wave stays open."""
    site = back()
    site.after(25)

    def down(*given: Any, **more: Any) -> Any:
        raise DependencyUnavailable("Redis", "connection refused")

    monkeypatch.setattr(site.world.routing, "wait_acknowledged", down)
    (wave,) = site.run().waves
    assert wave.ok is None
    assert "Redis is unavailable" in wave.sentence


def test_runs_are_ordered_for_the_moments_at_which_waves_begin(
    back: Callable[..., Aftermath],
) -> None:
    """The outbox starts them, each with the incident that it is about."""
    site = back(WAVES)

    def started() -> list[str]:
        runs = site.sent("start_flow")
        assert all(run.payload["deployment"] == "rollback/rollback" for run in runs)
        assert all(run.payload["parameters"]["incident"] == site.incident for run in runs)
        return [run.key.rpartition(":")[2] for run in runs]

    assert started() == ["immediate"]
    site.after(301)
    assert started() == ["immediate", "functional"]
    site.after(601)
    assert started() == ["immediate", "functional", "business"]


def test_a_sweep_names_what_is_due(back: Callable[..., Aftermath]) -> None:
    """So that ``monitor`` runs a wave whose own run has died."""
    site = back(WAVES)
    site.after(30)
    assert sweep(site.world.context, actor="t").waves_due == ["demo"]
    site.run()
    assert sweep(site.world.context, actor="t").waves_due == []
    site.after(300)
    assert sweep(site.world.context, actor="t").waves_due == ["demo"]


def test_the_next_attempt_ends_the_validation(back: Callable[..., Aftermath]) -> None:
    """Nothing is asked about a rollback that is over."""
    site = back(WAVES)
    site.world.start(notify={"slack_channel": "#ops"})
    site.world.wait(1)
    assert due_waves(site.world.case) == []
    assert site.run().sentence == "demo: there is no rollback to validate"


def test_an_engine_without_probes_promises_no_waves(world: Any) -> None:
    """Its incidents are mitigated by the routers alone."""
    world.start()
    world.to_canary()
    roll_back(world.context, "demo", actor="bo", trigger="person", reason="smoke")
    assert world.case.state.inquiries[0].waves == ()
    assert validate(world.context, "demo", actor="t").waves == ()


def test_a_wave_on_record_reads_back_as_it_was_written(back: Callable[..., Aftermath]) -> None:
    """Evidence is plain JSON."""
    site = back(WAVES)
    site.after(30)
    site.run()
    event = event_from_dict("wave_validated", site.recorded[0])
    assert event.to_dict() == site.recorded[0]
