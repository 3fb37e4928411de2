from __future__ import annotations

from typing import Any

import pytest

from switchover.plan.load import lint_plan
from switchover.plan.selector import is_selector, label_names, metric_name

RATE = '{metric: success_rate, candidate: {total: "n{v=\\"2\\"}", bad: "n{c=~\\"5..\\"}"}}'
PROMETHEUS = """\
sources:
  - name: prod
    kind: prometheus
    url: https://prometheus:9090
    token: env:PROM_TOKEN
    metrics:
      - RATE
""".replace("RATE", RATE)
SQL = """\
sources:
  - name: outcomes
    kind: sql
    database: env:OUTCOMES_DB
    metrics:
      - metric: success_rate
        query: SELECT at, system, n, bad FROM o WHERE at >= :since AND at < :until
"""
HTTP = """\
sources:
  - name: vendor
    kind: http
    url: https://vendor/metrics.json
    metrics:
      - {metric: success_rate, candidate: {total: v2.n, bad: v2.bad}}
"""


def found(write: Any, text: str, *changes: tuple[str, str]) -> list[str]:
    """Faults, and warnings with a star, of the small plan with ``text``."""
    for old, new in changes:
        assert old in text, f"{old!r} is not in the text"
        text = text.replace(old, new, 1)
    report = lint_plan(write(add=text))
    return [f"{f.field}: {f.message}; {f.suggestion}" for f in report.faults] + [
        f"* {f.field}: {f.message}; {f.suggestion}" for f in report.warnings
    ]


@pytest.mark.req("O6")
@pytest.mark.parametrize("text", [PROMETHEUS, SQL, HTTP])
def test_sources_of_each_kind_are_understood(write: Any, text: str) -> None:
    """Nothing to say about any of them."""
    assert found(write, text) == []


@pytest.mark.req("P2")
@pytest.mark.parametrize(
    ("text", "change", "said"),
    [
        (PROMETHEUS, ("https:", "ftp:"), "sources[0].url: 'ftp://prometheus:9090' is not an http"),
        (PROMETHEUS, ("token: env:PROM_TOKEN", "token: abc-123-secret"),
         "sources[0].token: what stands here is not env: and the name of a variable; write it "
         "like env:API_TOKEN"),
        (SQL, ("env:OUTCOMES_DB", "postgresql://db/shop"),
         "sources[0].database: what stands here is not env: and the name of a variable; write it "
         "like env:OUTCOMES_DATABASE"),
        (PROMETHEUS, ("n{v=", "sum(n{v="), "sources[0].metrics[0].candidate.total: total is no"),
        (PROMETHEUS, ('total: "n{v=\\"2\\"}", ', ""), "candidate.bad: bad events are a part"),
        (PROMETHEUS, (', bad: "n{c=~\\"5..\\"}"', ""), "nothing says which events are bad"),
        (PROMETHEUS, ("candidate: {", "candidate: {gauge: n, "), "gauge: total is here too"),
        (PROMETHEUS, (', candidate: {total: "n{v=\\"2\\"}", bad: "n{c=~\\"5..\\"}"}', ""),
         "metrics[0]: nothing says of which system it is read"),
        (PROMETHEUS, ("https://prometheus", "http://prometheus"), "* sources[0].url: a token is"),
        (PROMETHEUS, ("metrics:", "timeout: 40s\n    metrics:"), "sources[0].timeout: 40s is too"),
        (PROMETHEUS, ("metrics:", "delay: 20min\n    metrics:"), "sources[0].delay: what it tells"),
        (SQL, ("SELECT", "DELETE"), "metrics[0].query: the query is no SELECT"),
        (SQL, (" >= :since", " >= x::since"), "metrics[0].query: the query does not name :since"),
        (HTTP, ("v2.n", '"v2[*].n"'), "candidate.total: a path with * has no single number"),
        (HTTP, ("v2.n", ".v2"), "candidate.total: path '.v2' can't be read"),
        (HTTP, ("success_rate", "my_rate"), "* sources[0].metrics[0].candidate: no gate judges my"),
        (HTTP, ("total: v2.n, bad: v2.bad", "gauge: v2.n"), "a proportion gate can't judge gauge; "
         "read total and bad"),
        (HTTP, ("total: v2.n, bad: v2.bad", "buckets: v2.n"), "unknown key 'buckets'"),
        (HTTP, ("kind: http", "kind: influx"), "sources[0].kind: 'influx' is not known here"),
    ],
)  # fmt: skip
def test_what_is_wrong_with_a_source_is_said(
    write: Any, text: str, change: tuple[str, str], said: str
) -> None:
    """Each with its place and advice; a token that was written out is not repeated."""
    told = "\n".join(found(write, text, change))
    assert said in told
    assert "secret" not in told


@pytest.mark.req("O6")
def test_a_metric_is_read_in_one_place(write: Any) -> None:
    """In two it would count twice; and two sources need two names."""
    both = HTTP + HTTP.removeprefix("sources:\n")
    said = found(write, both)
    assert [line.split(";")[0] for line in said] == [
        "sources[1].name: sources[0] is called 'vendor' too",
        "sources[1].metrics[0].candidate: success_rate of candidate is read in another place too, "
        "so it would count twice",
    ]


@pytest.mark.req("O6")
@pytest.mark.parametrize(
    ("gate", "candidate", "said"),
    [
        ("{metric: prediction_latency_p99}", "{buckets: b}", []),
        ("{metric: prediction_latency_p99}", "{total: n, bad: b}",
         ["a quantile gate can't judge total; read a gauge or buckets"]),
        ("{metric: duration_avg}", "{buckets: b}",
         ["a mean gate can't judge buckets; read a gauge"]),
        ("{metric: outcome, kind: paired, at_most: 2%}", "{total: n, bad: b}",
         ["needs both outcomes of one request"]),
        ("{metric: rate, kind: relative_rate, at_most: 1.5x}", "{total: n, bad: b}",
         ["compares both systems, and this is one"]),
        ("{metric: requests_served}", "{total: n}", ["compares both systems, and this is one"]),
    ],
)  # fmt: skip
def test_what_is_read_has_to_fit_the_gates(
    write: Any, gate: str, candidate: str, said: list[str]
) -> None:
    """Counters for shares, gauges and histograms for values, both systems where they compare."""
    metric = gate.split("metric: ")[1].split(",")[0].rstrip("}")
    text = f"""sources:
  - name: prod
    kind: prometheus
    url: https://prometheus
    metrics: [{{metric: {metric}, candidate: {candidate}}}]
"""
    path = write(("gates:\n", f"gates:\n  - {gate}\n"), add=text)
    report = lint_plan(path)
    told = [str(fault) for fault in (*report.faults, *report.warnings)]
    told = [line for line in told if "sources" in line]
    assert len(told) == len(said)
    assert all(words in line for words, line in zip(said, told, strict=True))


@pytest.mark.req("O6")
@pytest.mark.parametrize(
    ("text", "sound"),
    [
        ("up", True), ('up{a="b"}', True), ("up{a=~'x|y', b!=\"}\",}", True), ('{a="b"}', True),
        ("job:requests:total", True), ("up{}", True), ("", False), ("{}", False),
        ("rate(up[5m])", False), ("up[5m]", False), ("up + up", False), ("up offset 5m", False),
        ('up{a="b"', False), ("sum by (x) (up)", False),
    ],
)  # fmt: skip
def test_a_selector_is_told_from_other_promql(text: str, sound: bool) -> None:
    """What does something with the series is none."""
    assert is_selector(text) is sound


def test_a_selector_is_taken_apart() -> None:
    """Its metric's name and the labels it matches."""
    text = 'requests_total{code=~"5..", path!="/a,b=\\"c\\""}'
    assert (metric_name(text), label_names(text)) == ("requests_total", ["code", "path"])
    assert (metric_name("sum(x)"), label_names("sum(x)")) == ("", [])
