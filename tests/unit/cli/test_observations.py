"""Files of observations, read into looks."""

from __future__ import annotations

import json
import random
import sys
from datetime import UTC, datetime
from pathlib import Path

import pytest

from switchover.cli.observations import Recording, read_observations
from switchover.errors import DependencyUnavailable, InputError
from switchover.judge.block import Tally
from switchover.judge.replay import Observation, replay, tally_share, tally_values, walk
from switchover.judge.replay import ReplayStage as Stage

KINDS = {
    "ok": {"proportion"},
    "seconds": {"quantile", "relative_quantile"},
    "bytes": {"memory"},
    "refused": {"count"},
}
HEADER = "at,system,metric,value\n"


def read(path: Path, text: str | bytes, every: float = 60.0) -> Recording:
    path.write_bytes(text.encode() if isinstance(text, str) else text)
    return read_observations(path, KINDS, every)


def only(recording: Recording, metric: str, system: str = "candidate") -> Tally:
    ((_, look),) = recording.looks
    return look[metric][system]


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "rows"


def test_csv_and_jsonl_tell_the_same(file: Path) -> None:
    """Any order of rows and columns, seconds or ISO 8601, with and without a zone."""
    rng = random.Random(7)
    rows = [
        (
            at,
            rng.choice(("legacy", "candidate")),
            *rng.choice((("ok", 1), ("ok", 0), ("seconds", 0.125))),
        )
        for at in range(0, 600, 1)
    ]
    looks = read(file, HEADER + "".join(f"{a},{s},{m},{v}\n" for a, s, m, v in rows)).looks
    assert [at for at, _ in looks] == [60.0 * minute for minute in range(10)]
    iso = [datetime.fromtimestamp(row[0], UTC).isoformat() for row in rows]
    objects = [
        json.dumps({"metric": m, "value": v, "at": when, "system": s, "more": 1})
        for when, (_, s, m, v) in zip(iso, rows, strict=True)
    ]
    assert read(file, "\n".join(objects)).looks == looks
    rng.shuffle(rows)
    other = "".join(f"{v},{m},{s},{a}\r\n" for a, s, m, v in rows)
    assert read(file, b"\xef\xbb\xbfvalue,metric,system,at\r\n" + other.encode()).looks == looks
    naive = "".join(
        f"{i.removesuffix('+00:00')},{s},{m},{v}\n"
        for i, (_, s, m, v) in zip(iso, sorted(rows), strict=True)
    )
    assert len(read(file, HEADER + naive).looks) == 10


def test_looks_are_those_of_the_judge(file: Path) -> None:
    """The file, read and walked through, is judged as the same observations are."""
    from switchover.judge.gate import GateSpec
    from switchover.judge.rollout import Rules

    gates = (
        GateSpec("success", "proportion", "ok", 0.15),
        GateSpec("latency", "quantile", "seconds", 0.2, quantile=0.95),
        GateSpec("refusals", "count", "refused", 3),
    )
    rng = random.Random(3)
    seen = []
    for at in range(0, 1200, 2):
        seen.append(Observation(at, "candidate", "ok", float(rng.random() >= 0.1)))
        seen.append(Observation(at, "candidate", "seconds", 0.1 * rng.lognormvariate(0, 0.3)))
        seen.append(Observation(at, "candidate", "refused", float(at == 600)))
    rows = "".join(f"{o.at},{o.system},{o.metric},{o.value!r}\n" for o in seen)
    walked = walk(gates, Rules(), [Stage("s", "canary")], read(file, HEADER + rows).looks)
    told = [
        (look.at, look.reading.verdict, [(g.n, g.estimate) for g in look.reading.gates])
        for look in walked
    ]
    judged = replay(gates, Rules(), seen)
    assert told == [(at, r.verdict, [(g.n, g.estimate) for g in r.gates]) for at, r in judged]


@pytest.mark.parametrize("metric", KINDS)
def test_many_at_once_count_as_each_by_itself(metric: str) -> None:
    """The fast way and the way of single observations agree."""
    values = [0.0, 1.0, 1.0, 0.0, 1.0] if metric in ("ok", "refused") else [0.5, 2.0, 0.25]
    one_by_one = Tally()
    for value in values:
        one_by_one.add(tally_share(KINDS[metric], value, 1))
    assert tally_values(KINDS[metric], values) == one_by_one


def test_true_is_good_as_in_the_recorder(file: Path) -> None:
    """Also for a count, where it means that nothing happened; a number there counts events."""
    rows = [
        ("ok", "true"),
        ("ok", "false"),
        ("refused", "true"),
        ("refused", "false"),
        ("refused", 3),
    ]
    text = "".join(f'{{"at":1,"system":"candidate","metric":"{m}","value":{v}}}\n' for m, v in rows)
    for recording in (
        read(file, text),
        read(file, HEADER + "".join(f"1,candidate,{m},{v}\n" for m, v in rows)),
    ):
        assert (only(recording, "ok").n, only(recording, "ok").bad) == (2, 1)
        assert only(recording, "refused").bad == 4


def test_a_row_may_stand_for_several(file: Path) -> None:
    """n weighs; an empty n is 1, and without it a share of good ones is refused."""
    text = (
        "at,system,metric,value,n\n1,candidate,ok,0.9,50\n2,candidate,ok,1,\n3,candidate,ok,0,1\n"
    )
    tally = only(read(file, text), "ok")
    assert (tally.n, tally.bad) == (52, 6)
    with pytest.raises(InputError, match=r"rows:2: value 0\.9 of ok is a share .* say in n"):
        read(file, HEADER + "1,candidate,ok,0.9\n")


def test_metrics_without_a_gate_are_counted_only(file: Path) -> None:
    """Whatever else is wrong with their rows."""
    recording = read(file, HEADER + "1,candidate,ok,1\n1,candidate,other,x\n1,nobody,other,\n")
    assert recording.ignored == {"other": 2}
    assert recording.rows == 3


def test_a_value_beyond_all_limits_counts_so(file: Path) -> None:
    """As the recorder has it: what can't be read is never taken for good."""
    tally = only(
        read(file, HEADER + "1,candidate,seconds,inf\n1,candidate,seconds,0.1\n"), "seconds"
    )
    assert (tally.n, tally.total, max(tally.sketch)) == (2, 0.1, 40_000)


@pytest.mark.parametrize(
    ("row", "message"),
    [
        ("1,canary,ok,1", r"system 'canary' is unknown; one of legacy, candidate, pair"),
        ("1,candidate,ok,2", r"value 2 of ok: 1 is good and 0 is bad"),
        ("1,candidate,ok,nan", r"value nan of ok"),
        ("1,candidate,ok,", r"value '' is not a number"),
        ("1,candidate,seconds,fast", r"value 'fast' is not a number"),
        ("1,candidate,refused,-1", r"a number of events"),
        ("1,candidate,refused,1.5", r"a number of events"),
        ("1,candidate,bytes,inf", r"not a finite number"),
        ("soon,candidate,ok,1", r"at 'soon' is no time; write seconds or ISO 8601"),
        ("1780000000000,candidate,ok,1", r"lies outside the years"),
        ("nan,candidate,ok,1", r"lies outside the years"),
        ("-60,candidate,ok,1", r"lies outside the years"),
        ("1,candidate,,1", r"metric '' is no name"),
        ("1,candidate", r"2 fields where the header has 4"),
        ("1,candidate,ok,1,5", r"5 fields where the header has 4"),
    ],
)
def test_a_bad_row_is_named(file: Path, row: str, message: str) -> None:
    """With file and line, among good ones, and together with the other bad ones."""
    good = "1,candidate,ok,1\n"
    with pytest.raises(InputError, match=message) as caught:
        read(file, HEADER + good * 200 + row + "\n" + good + "1,nobody,ok,1\n")
    first, second = str(caught.value).splitlines()
    assert first.startswith(f"{file}:202: ")
    assert second.startswith(f"{file}:204: system 'nobody'")


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("{", "is not JSON"),
        ("null", "is not an observation"),
        ("[1]", "is not an observation"),
        ('{"at": 1, "system": "candidate", "metric": "ok"}', "needs the columns at, system"),
        ('{"at": 1, "system": "candidate", "metric": "ok", "value": null}', "not a number"),
        ('{"at": 1, "system": "candidate", "metric": ["ok"], "value": 1}', "is no name"),
        ('{"at": 1, "system": {}, "metric": "ok", "value": 1}', "is unknown"),
        ('{"at": 1, "system": "candidate", "metric": "ok", "value": 1, "n": 0}', "count from 1"),
        ('{"at": 1, "system": "candidate", "metric": "ok", "value": 1}, {}', "is not JSON"),
    ],
)
def test_a_bad_line_is_named(file: Path, line: str, message: str) -> None:
    """JSON lines, with a blank one that is no fault."""
    good = '{"at": 1, "system": "candidate", "metric": "ok", "value": true}\n'
    with pytest.raises(InputError, match=message) as caught:
        read(file, good + "\n" + line + "\n" + good)
    assert str(caught.value).startswith(f"{file}:3: ")


def test_many_faults_are_summed_up(file: Path) -> None:
    """Twenty are told."""
    with pytest.raises(InputError) as caught:
        read(file, HEADER + "1,nobody,ok,1\n" * 500)
    *told, last = str(caught.value).splitlines()
    assert (len(told), last) == (20, f"{file}: and 480 more")


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", r"rows:1: no column at, system, metric, value in the header"),
        (b"at,system,metric\n", r"rows:1: no column value"),
        (b"\xff\xfe\x00", r"is not UTF-8"),
    ],
)
def test_what_is_no_file_of_observations_is_refused(
    file: Path, content: bytes, message: str
) -> None:
    """With what it needs."""
    with pytest.raises(InputError, match=message):
        read(file, content)


def test_a_file_that_cannot_be_read_is_named(tmp_path: Path) -> None:
    """Missing, or a folder."""
    for path in (tmp_path / "none.csv", tmp_path):
        with pytest.raises(InputError, match="can't be read"):
            read_observations(path, KINDS, 60.0)


def test_quoted_line_breaks_do_not_shift_the_lines(file: Path) -> None:
    """A row's line is where it begins."""
    text = 'at,system,metric,value,note\n1,candidate,ok,1,"a\nb"\n1,nobody,ok,1,\n'
    with pytest.raises(InputError, match=r"rows:4: system 'nobody'"):
        read(file, text)


def test_parquet_needs_its_reader(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without it the error names what to install."""
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    with pytest.raises(DependencyUnavailable, match=r"pyarrow is unavailable.*install switcho"):
        read(file, b"PAR1....")


@pytest.mark.req("O5")
@pytest.mark.parametrize("as_time", [False, True])
def test_parquet_reads_as_csv_does(file: Path, as_time: bool) -> None:
    """The same looks, whether times are numbers or timestamps; runs where pyarrow is installed."""
    pytest.importorskip("pyarrow", reason="the parquet extra is not installed")
    import pandas

    rng = random.Random(2)
    rows = [(1_780_000_000.0 + n, "candidate", "ok", float(rng.random() > 0.1)) for n in range(200)]
    expected = read(file, HEADER + "".join(f"{','.join(map(str, row))}\n" for row in rows))
    frame = pandas.DataFrame(rows, columns=["at", "system", "metric", "value"])
    if as_time:
        frame["at"] = pandas.to_datetime(frame["at"], unit="s", utc=True)
    frame.to_parquet(file)
    found = read_observations(file, KINDS, 60.0)
    assert (found.looks, found.rows) == (expected.looks, 200)
    assert found.numeric is not as_time
    frame.assign(n=5).to_parquet(file)
    again = read_observations(file, KINDS, 60.0).looks
    assert sum(look["ok"]["candidate"].n for _, look in again) == 1_000
    frame.drop(columns="metric").to_parquet(file)
    with pytest.raises(InputError, match="no column metric"):
        read_observations(file, KINDS, 60.0)
