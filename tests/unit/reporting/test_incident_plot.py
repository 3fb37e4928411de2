from __future__ import annotations

import pytest

from switchover.judge.block import Block
from switchover.judge.sketch import bucket_of
from switchover.reporting.incident_plot import Fired, incident_plot, metric_series

AT = 1_772_442_000.0
STAGES = [(AT - 90_000, "shadow", 0.0), (AT - 3600, "canary 10 %", 10.0), (AT, "rolled back", 0.0)]


def block(number: int, system: str, start: float, n: int, bad: int = 0, value: float = 0) -> Block:
    sketch = {bucket_of(value): n} if value else {}
    return Block(f"b{number}", "m", "metric", system, start, 60, n, bad, n * value, 0.0, sketch)


@pytest.mark.req("R5")
def test_shares_are_counted_over_all_blocks_of_an_interval() -> None:
    """Not averaged: a block of a thousand counts a thousand times as much as one of one."""
    blocks = [block(1, "candidate", 0, 1000, 10), block(2, "candidate", 30, 1, 1),
              block(3, "legacy", 30, 100, 0), block(4, "legacy", 7000, 1, 1),
              block(5, "legacy", 3540, 1)]  # fmt: skip
    series = metric_series(blocks, Fired("metric"), 0, 3600)
    assert series == {"candidate": [(30.0, 11 / 1001)], "legacy": [(30.0, 0.0), (3570.0, 0.0)]}
    assert metric_series(blocks, Fired("another"), 0, 3600) == {}


@pytest.mark.req("R5")
def test_intervals_are_as_short_as_the_time_in_which_there_is_anything() -> None:
    """A failure of seconds is not spread over minutes where the rollout had just begun."""
    blocks = [block(n, "candidate", 7000 + n, 10, 10 * (n >= 4)) for n in range(6)]
    series = metric_series(blocks, Fired("metric"), 0, 7200)
    assert [value for _, value in series["candidate"]] == [0, 0, 0, 1, 1]


@pytest.mark.req("R5")
def test_values_are_a_quantile_or_a_mean_and_events_are_counted() -> None:
    """To the sketch's one per cent."""
    blocks = [block(1, "candidate", 0, 95, value=0.1), block(2, "candidate", 1, 5, value=1.0)]
    tail_of, mean_of = Fired("metric", reads="quantile", q=0.99), Fired("metric", reads="mean")
    ((_, tail),) = metric_series(blocks[1:], tail_of, 0, 600)["candidate"]
    ((_, mean), _) = metric_series(
        [block(1, "candidate", 0, 95, value=0.1), block(2, "candidate", 0, 5, value=1.0),
         block(3, "candidate", 50, 1, value=0.1)], mean_of, 0, 600,
    )["candidate"]  # fmt: skip
    assert tail == pytest.approx(1.0, rel=0.02)
    assert mean == pytest.approx(0.145)
    shown = [block(1, "candidate", 0, 500, 2), block(2, "candidate", 0, 500, 1)]
    events, all_of_them = Fired("metric", reads="events"), Fired("metric", reads="observations")
    assert metric_series(shown, events, 0, 600)["candidate"] == [(0.5, 3.0)]
    assert metric_series(shown, all_of_them, 0, 600)["candidate"] == [(0.5, 1000.0)]


@pytest.mark.req("R5", "P11")
def test_the_picture_marks_trigger_turn_limit_and_split() -> None:
    """Of what came before its window only the last stage is drawn, where the picture begins."""
    series = {"candidate": [(AT - 120, 0.2), (AT - 60, 0.4)], "legacy": [(AT - 60, 0.1)]}
    svg = incident_plot(
        series, Fired("success_rate", limit=0.1), stages=STAGES, trigger_at=AT, trigger="judge",
        turned_at=AT + 0.4, title="Mood", kind="svg",
    ).decode()  # fmt: skip
    assert svg.count('id="trigger') == 2
    assert svg.count('id="turned') == 2
    for text in ("trigger: judge", "routers turned 0.40 s later", "limit 10 %", "candidate",
                 "legacy", "canary 10 %", "split (%)", "success_rate (bad, %)",
                 "rolled back"):  # fmt: skip
        assert text in svg


@pytest.mark.req("R5", "R3")
def test_a_limit_against_legacy_follows_legacy() -> None:
    """What was allowed then, drawn beside what was; nothing is allowed where legacy is silent."""
    series = {"candidate": [(AT - 60, 0.4)], "legacy": [(AT - 60, 0.2)]}
    slower = Fired("latency", "slower", reads="mean", ratio=1.5, seconds=True)
    told = {"stages": STAGES, "trigger_at": AT, "trigger": "red: slower", "kind": "svg"}
    svg = incident_plot(series, slower, **told).decode()
    assert "allowed: 1.5 times" in svg
    assert "latency (mean, ms)" in svg
    assert "slower (latency)" in svg
    del series["legacy"]
    assert b"allowed" not in incident_plot(series, slower, **told)


@pytest.mark.req("R5")
def test_a_picture_without_a_metric_says_why() -> None:
    """A rollback by hand, a probe that fired, or a metric that nobody recorded."""
    told = {"stages": [], "trigger_at": AT, "trigger": "person", "kind": "svg"}
    svg = incident_plot({}, Fired(), **told).decode()
    assert "nothing measured fired: it was asked for" in svg
    assert "trigger: person" in svg
    svg = incident_plot({}, Fired(name="path", said="a probe fired: it answers 500"), **told)
    assert b"a probe fired: it answers 500" in svg
    assert b"no m was recorded" in incident_plot({}, Fired("m"), **told)
    png = incident_plot({}, Fired("m", limit=0.1), stages=STAGES, trigger_at=AT, trigger="person")
    assert png.startswith(b"\x89PNG")


@pytest.mark.req("R5", "R3")
def test_a_long_name_is_cut_and_stays_in_the_picture() -> None:
    """Trigger, title and reason are people's words; the report has all of them."""
    long = "checkout " * 60
    svg = incident_plot({}, Fired(name=long, said=long), stages=[], trigger_at=AT,
                        trigger=f"red: {long}", kind="svg").decode()  # fmt: skip
    assert long.strip() not in svg
    assert svg.count(" …") == 3
