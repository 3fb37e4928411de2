"""The benchmark's own arithmetic: what is counted, and when a row is measured anew."""

from __future__ import annotations

from dataclasses import replace
from multiprocessing.dummy import Pool

import numpy as np
import pytest

from benchmarks.judge import report
from benchmarks.judge.argo import Argo
from benchmarks.judge.figures import FIGURES, figures
from benchmarks.judge.rule import LOOKS, Outcome
from benchmarks.judge.scenarios import BAD, LIMIT, SCENARIOS, Scenario
from benchmarks.judge.simulation import OURS, RULES, digest, simulate, summary, upper_bound

BY_NAME = {scenario.name: scenario for scenario in SCENARIOS}
ARGO = Argo("Argo 5m")


def rolled_back(minute: int) -> Outcome:
    return Outcome(minute, promoted=False)


@pytest.mark.req("O2")
@pytest.mark.parametrize(
    ("count", "n", "bound"),
    [(0, 1000, 0.002991), (5, 1000, 0.010484), (0, 50, 0.058155), (50, 50, 1.0)],
)
def test_bounds_are_those_of_clopper_and_pearson(count, n, bound) -> None:
    """The share at which so few in so many have a chance of one in twenty."""
    assert upper_bound(count, n) == pytest.approx(bound, abs=2e-6)


@pytest.mark.req("O2")
def test_a_rollback_before_the_change_is_a_false_one() -> None:
    """It counts as an alarm, and not among the delays."""
    row = summary([(rolled_back(99), 100), (rolled_back(100), 100), (rolled_back(104), 100)])
    assert (row["false"], row["delay"], row["missed"]) == (1, [1, 5, 5], 0)


@pytest.mark.req("O2")
def test_what_is_not_found_counts_among_the_delays() -> None:
    """Two of three never found: the median is not within the day."""
    row = summary([(rolled_back(9), 0), (Outcome(None, True), 0), (Outcome(None, False), 0)])
    assert (row["delay"], row["missed"], row["promoted"]) == ([10, None, None], 2, 1)


@pytest.mark.req("O2")
def test_a_good_candidate_has_no_delay() -> None:
    """Every rollback of it is false."""
    row = summary([(rolled_back(9), None), (Outcome(None, True), None)])
    assert (row["false"], row["promoted"], row["delay"]) == (1, 1, None)


@pytest.mark.req("O2")
@pytest.mark.parametrize("scenario", SCENARIOS, ids=lambda scenario: scenario.name)
def test_scenarios_do_what_they_say(scenario) -> None:
    """A day of looks, the same each time, and bad from where the level passes the limit."""
    if scenario.traffic == "1,000/s" and scenario.family in ("p99", "mean"):
        pytest.skip("costly to draw; the same at 1/s")
    stream, bad_from = scenario.rollout(3)
    again, _ = scenario.rollout(3)
    for ours, same in zip(stream.windows(60), again.windows(60), strict=True):
        np.testing.assert_array_equal(ours, same)
    assert len(list(stream.looks())) == LOOKS
    assert (bad_from is not None) is (scenario.truth == BAD)
    if bad_from:
        levels = scenario.candidate.levels(bad_from)
        assert levels[bad_from - 1] <= scenario.edge < levels[bad_from]
    if scenario.truth == LIMIT:
        assert scenario.candidate.level == pytest.approx(scenario.edge)


@pytest.mark.req("O2")
def test_windows_and_looks_tell_the_same_story() -> None:
    """What other rules are told is what our gates see."""
    stream, _ = BY_NAME["failures-good-1/s"].rollout(0)
    looks = [look["seen"]["candidate"] for look in stream.looks()]
    rates = [sum(t.bad for t in looks[m : m + 60]) / sum(t.n for t in looks[m : m + 60])
             for m in range(0, LOOKS, 60)]  # fmt: skip
    np.testing.assert_allclose(stream.windows(60)[0], rates)
    candidate, _ = stream.moments()
    assert candidate.n[-1] == sum(tally.n for tally in looks)
    assert candidate.mean[-1] * candidate.n[-1] == pytest.approx(sum(t.bad for t in looks))


@pytest.mark.req("O2")
def test_durations_have_the_quantile_and_the_mean_that_is_asked_for() -> None:
    """Over a whole day, to the 1 % of the sketch."""
    times, _ = BY_NAME["p99-limit-1/s"].rollout(0)
    assert times.windows(LOOKS)[0][0] == pytest.approx(0.3, rel=0.03)
    means, _ = BY_NAME["mean-limit-1/s"].rollout(0)
    assert means.windows(LOOKS)[0][0] == pytest.approx(0.25, rel=0.01)
    wide, _ = BY_NAME["p99-wide-1/s"].rollout(0)
    ours, theirs = wide.moments()
    assert ours.mean[-1] == pytest.approx(theirs.mean[-1], rel=0.03)
    assert 7.0 < ours.variance[-1] / theirs.variance[-1] < 14.0


@pytest.mark.req("O2")
def test_rows_are_kept_until_something_they_depend_on_changes() -> None:
    """The same scenario is taken over; with another setting or limit it is measured anew."""
    scenario = replace(BY_NAME["failures-very-1/s"], rollouts=3)
    with Pool(1) as pool:
        ((_, rows),) = simulate([scenario], [ARGO], {}, pool)
        kept = {(scenario.name, ARGO.name): {**rows[0], "false": 77}}
        ((_, again),) = simulate([scenario], [ARGO], kept, pool)
        ((_, fresh),) = simulate([scenario], [replace(ARGO, failure_limit=4)], kept, pool)
    assert rows[0]["delay"] == [20, 20, 20]
    assert again[0]["false"] == 77
    assert (fresh[0]["false"], fresh[0]["delay"]) == (0, [25, 25, 25])
    other = replace(scenario, gate=replace(scenario.gate, limit=0.2))
    assert len({digest(one, rule) for one in (scenario, other) for rule in (ARGO, OURS)}) == 4


@pytest.mark.req("O2")
def test_every_figure_names_a_scenario() -> None:
    """And says whether it is reached, which a miss is not."""
    assert {figure.scenario for figure in FIGURES} <= set(BY_NAME)
    row = {"rollouts": 1000, "false": 11, "upper": 0.018, "promoted": 0, "passes": 0, "delay": None}
    told = figures({("failures-limit-1/s", OURS.name): row}, [])["rows"]
    told = [(line["value"], line["reached"]) for line in told]
    assert told == [(1.1, False), (1.8, False), (0.0, True)]


@pytest.mark.req("O2")
def test_the_page_keeps_what_is_written_by_hand(tmp_path) -> None:
    """Only what stands between the marks is replaced, as often as one likes."""
    page = tmp_path / "judge.md"
    page.write_text("before\n<!-- begin: false -->\nold\n<!-- end -->\nafter\n")
    for _ in range(2):
        report.page(page, {"false": report.table(["a", "b"], [["1", "22"]])})
    assert page.read_text() == (
        "before\n<!-- begin: false -->\n| a | b  |\n|---|----|\n| 1 | 22 |\n<!-- end -->\nafter\n"
    )


@pytest.mark.req("O2")
def test_written_rows_are_read_again(tmp_path) -> None:
    """One row a line, under its scenario and rule."""
    row = {"scenario": "s", "rule": "r", "delay": [1, None, None], "digest": "0"}
    report.write(tmp_path / "judge.json", {"rollouts": {"rows": [row]}})
    assert report.read(tmp_path / "judge.json") == {("s", "r"): row}
    assert report.read(tmp_path / "nothing.json") == {}


@pytest.mark.req("O2")
def test_rules_have_names_of_their_own() -> None:
    """Rows are kept by name; so are scenarios."""
    assert len({one.name for one in RULES}) == len(RULES)
    assert len(BY_NAME) == len(SCENARIOS)
    assert all(isinstance(scenario, Scenario) for scenario in SCENARIOS)
