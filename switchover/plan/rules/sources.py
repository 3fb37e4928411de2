"""Rules on sources: each metric is told once, by a question that fits the gates that read it."""

from __future__ import annotations

import re
from collections.abc import Iterator

from switchover.judge.path import ANY, parse
from switchover.plan.draft import Draft
from switchover.plan.rules.finding import Finding, rule
from switchover.plan.rules.gates import kind_of
from switchover.plan.selector import is_selector
from switchover.plan.sources import Feed, HttpSource, JsonPaths, PromQL, SqlMetric, SqlSource, feeds
from switchover.plan.spec import Gate
from switchover.plan.tree import Path
from switchover.plan.units import spoken

_COUNTED = ("proportion", "relative_rate", "count", "sample_ratio")
#: Kinds that read single values, and those that a histogram is fine enough for.
_MEASURED = ("quantile", "relative_quantile", "drift", "mean", "memory", "sample_ratio")
_BUCKETED = ("quantile", "relative_quantile", "drift", "sample_ratio")
_COMPARED = ("relative_rate", "relative_quantile", "drift", "memory", "sample_ratio")
_BOTH = {"legacy", "candidate"}
_SELECT = re.compile(r"\s*(select|with)\b", re.IGNORECASE)
#: Only where it is no cast: ``::since`` is none.
_BOUND = {name: re.compile(rf"(?<!:):{name}\b") for name in ("since", "until")}


def _told(draft: Draft) -> Iterator[tuple[Path, Feed]]:
    """Every feed of the plan, and where it stands."""
    for index, source in enumerate(draft.plan.sources):
        for feed in feeds(source):
            yield ("sources", index, *feed.place), feed


@rule("sources")
def everything_is_told_once(draft: Draft) -> Iterator[Finding]:
    """Names are unique, and no metric of a system is read in two places: it would count twice."""
    names: dict[str, int] = {}
    for index, source in enumerate(draft.plan.sources):
        if source.name in names:
            yield Finding(("sources", index, "name"),
                          f"sources[{names[source.name]}] is called '{source.name}' too",
                          "give each its own name")  # fmt: skip
        names.setdefault(source.name, index)
        read = {feed.place[1] for feed in feeds(source)}
        for place in range(len(source.metrics)):
            if place not in read:
                yield Finding(("sources", index, "metrics", place),
                              "nothing says of which system it is read",
                              "add candidate, or legacy, or both")  # fmt: skip
    seen: set[tuple[str, str]] = set()
    for path, feed in _told(draft):
        for system in feed.systems:
            if (feed.metric, system) in seen:
                yield Finding(path, f"{feed.metric} of {system} is read in another place too, "
                              "so it would count twice", "keep one of them")  # fmt: skip
            seen.add((feed.metric, system))


@rule("sources")
def questions_can_be_asked(draft: Draft) -> Iterator[Finding]:
    """Selectors select, paths are paths, and a query reads the time it is asked for."""
    for path, feed in _told(draft):
        if isinstance(feed.way, SqlMetric):
            yield from _query(path, feed.way)
            continue
        for key in ("total", "bad", "buckets", "gauge"):
            text = getattr(feed.way, key, None)
            if text is None:
                continue
            if isinstance(feed.way, JsonPaths):
                fault = _path_fault(text)
                if fault:
                    yield Finding((*path, key), fault, "write it like metrics.requests[0].total")
            elif key != "gauge" and not is_selector(text):
                yield Finding((*path, key), f"{key} is no selector, and restarts are seen series "
                              "by series only", 'write it like http_requests_total{version="2"}; '
                              "Switchover adds the series up")  # fmt: skip


def _query(path: Path, way: SqlMetric) -> Iterator[Finding]:
    if not _SELECT.match(way.query):
        yield Finding((*path, "query"), "the query is no SELECT", "write one SELECT")
    missing = [f":{name}" for name, bound in _BOUND.items() if not bound.search(way.query)]
    if missing:
        yield Finding((*path, "query"), f"the query does not name {' and '.join(missing)}, so rows "
                      "would count again and again",
                      "write WHERE at >= :since AND at < :until")  # fmt: skip


def _path_fault(text: str) -> str:
    try:
        steps = parse(text)
    except ValueError as error:
        return str(error).split("; ")[0]
    return "a path with * has no single number" if ANY in steps else ""


@rule("sources", "gates")
def answers_fit_the_gates(draft: Draft) -> Iterator[Finding]:
    """What is read is what the gates on it judge, of every system that they need."""
    told = list(_told(draft))
    for path, feed in told:
        gates = [gate for gate in draft.plan.gates if feed.metric in (gate.metric, gate.noise)]
        if not gates:
            yield Finding(path, f"no gate judges {feed.metric}", "add one, or stop reading it",
                          warning=True)  # fmt: skip
        for gate in gates:
            if gate.metric == feed.metric:
                yield from _fit(path, feed, gate)
    sides: dict[str, set[str]] = {}
    for _, feed in told:
        sides.setdefault(feed.metric, set()).update(feed.systems)
    for path, feed in told:
        kind = next((kind_of(g) for g in draft.plan.gates if g.metric == feed.metric), None)
        if kind in _COMPARED and _BOTH - sides.pop(feed.metric, _BOTH):
            yield Finding(path, f"the {kind} gate on {feed.metric} compares both systems, and this "
                          "is one", "add the other, unless your code records it",
                          warning=True)  # fmt: skip


def _fit(path: Path, feed: Feed, gate: Gate) -> Iterator[Finding]:
    kind, way = kind_of(gate), feed.way
    if kind == "paired":
        yield Finding(path, f"the paired gate on {gate.metric} needs both outcomes of one request, "
                      "which no source tells", "record it with Recorder.record_pair")  # fmt: skip
    if isinstance(way, SqlMetric) or kind == "paired":
        return
    form = "total" if way.total else "gauge" if way.gauge else "buckets"
    fitting = {"total": _COUNTED, "gauge": _MEASURED, "buckets": _BUCKETED}[form]
    if kind not in fitting:
        forms = [name for name, known in (("total and bad", _COUNTED), ("a gauge", _MEASURED),
                                          ("buckets", _BUCKETED)) if kind in known]  # fmt: skip
        forms = [name for name in forms if name != "buckets" or isinstance(way, PromQL)]
        yield Finding((*path, form), f"a {kind} gate can't judge {form}",
                      f"read {' or '.join(forms)}")  # fmt: skip
    elif form == "total" and way.bad is None and kind != "sample_ratio":
        yield Finding(path, f"nothing says which events are bad, and the {kind} gate on "
                      f"{gate.metric} would pass them all", "add bad")  # fmt: skip


@rule("sources", "judgement")
def readings_are_in_time(draft: Draft) -> Iterator[Finding]:
    """Evidence that comes later than it is missed would always be missed."""
    judgement = draft.plan.judgement
    for index, source in enumerate(draft.plan.sources):
        delay = 0.0 if isinstance(source, HttpSource) else source.delay
        oldest = delay + max(source.every, judgement.look_every)
        if oldest > judgement.no_data_after:
            key = "delay" if delay > source.every else "every"
            yield Finding(("sources", index, key),
                          f"what it tells is up to {spoken(oldest)} old, and evidence is missed "
                          f"after {spoken(judgement.no_data_after)}",
                          "lower it, or raise judgement.no_data_after")  # fmt: skip


@rule("sources")
def tokens_are_protected(draft: Draft) -> Iterator[Finding]:
    """A token over plain HTTP can be read on the way."""
    for index, source in enumerate(draft.plan.sources):
        if isinstance(source, SqlSource) or source.token is None:
            continue
        if source.url.startswith("http:") and "//127.0.0.1" not in source.url:
            yield Finding(("sources", index, "url"), "a token is sent over plain http",
                          "use https", warning=True)  # fmt: skip
