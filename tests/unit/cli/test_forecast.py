"""`switchover plan forecast`: what to expect of a plan, before it is started."""

from __future__ import annotations

import json
import textwrap
from pathlib import Path

import pytest

from switchover.cli.main import run

PLAN = textwrap.dedent("""\
    switchover: 1
    migration: demo
    title: The demonstration
    systems:
      legacy: {version: "1", url: "http://127.0.0.1:9", health: /health}
      candidate: {version: "2", url: "http://127.0.0.1:10", health: /health}
    request_key: {field: id, kind: string}
    stages:
      - {kind: shadow, bake: 1h, sample: 100%}
      - {kind: canary, percent: 10, bake: 1h}
      - {kind: canary, percent: 100, bake: 24h}
    gates:
      - {name: success, metric: success_rate, at_least: 90%}
      - {name: latency, metric: prediction_latency_p99, at_most: 200ms}
      - {name: failures, metric: success_rate, kind: relative_rate, at_most: 3x, report_only: true}
      - {name: leaks, metric: isolation_violations}
    """)


@pytest.fixture
def plan(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.delenv("COLUMNS", raising=False)
    (tmp_path / "plan.yaml").write_text(PLAN, encoding="utf-8")
    return tmp_path / "plan.yaml"


def forecast(capsys: pytest.CaptureFixture[str], plan: Path, *options: str) -> tuple[int, str, str]:
    code = run(["plan", "forecast", str(plan), *options])
    out, err = capsys.readouterr()
    assert "Traceback" not in err
    return code, out, err


@pytest.mark.req("O5")
def test_stages_and_gates_are_told_in_a_table(
    plan: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """The very text: each stage with its slowest gate, each gate with what it needs and finds."""
    code, out, err = forecast(capsys, plan, "--traffic", "1/s")
    told = "\n".join(line.rstrip() for line in out.splitlines())
    expected = (Path(__file__).parent / "forecast.txt").read_text(encoding="utf-8")
    assert (code, told + "\n") == (0, expected)
    assert "canary 10 %: gate latency can't decide in the bake time of 1 h: it needs" in err


@pytest.mark.req("O5")
def test_the_document_holds_the_same_figures(
    plan: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """One JSON document; nothing else on either stream."""
    code, out, err = forecast(capsys, plan, "--traffic", "1/s", "--json")
    document = json.loads(out)
    assert (code, err) == (0, "")
    assert set(document) == {"migration", "rate", "stages", "seconds", "warnings"}
    [success, latency, failures, leaks] = document["stages"][1]["gates"]
    assert (success["gate"], success["expected"]) == ("success", pytest.approx(0.05))
    assert (latency["in_bake"], leaks["need"], failures["report_only"]) == (False, 50, True)
    assert document["stages"][1]["begins"] == document["stages"][0]["seconds"]
    assert all(warning.split(":")[0] for warning in document["warnings"])


@pytest.mark.req("O5")
def test_expectations_and_traffic_can_be_told(
    plan: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """By gate or metric, of the candidate or of legacy, and observations that the split does
    not explain."""
    options = ("--traffic", "1/s", "--rate", "success_rate=99%", "--rate",
               "legacy.success_rate=0.995", "--per", "candidate=3/s", "--hours", "0=1,12=1",
               "--json")  # fmt: skip
    document = json.loads(forecast(capsys, plan, *options)[1])
    gates = {gate["gate"]: gate for gate in document["stages"][1]["gates"]}
    assert gates["success"]["expected"] == pytest.approx(0.01)
    assert gates["failures"]["expected"] == pytest.approx(0.01)
    assert gates["success"]["available"] == pytest.approx(3 * 3600)


@pytest.mark.req("O5")
def test_it_is_drawn(plan: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Every stage and gate is in the picture, which is the same each time."""
    pictures = []
    for name in ("one.svg", "two.svg"):
        file = tmp_path / name
        assert forecast(capsys, plan, "--traffic", "1/s", "--plot", str(file))[0] == 0
        pictures.append(file.read_text(encoding="utf-8"))
    assert pictures[0] == pictures[1]
    for text in ("shadow", "canary 10 %", "latency", "leaks", "3.8 h", "split (%)"):
        assert f">{text}</text>" in pictures[0]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--traffic", "5"], "--traffic: '5' is not a rate; write one like 5/s"),
        (["--per", "candidate"], "--per: '' is not a rate"),
        (["--per", "proxy=1/s"], "--per: unknown system 'proxy'"),
        (["--rate", "speed=1"], "--rate: no gate looks at 'speed'; one of failures, isolation_"),
        (["--rate", "success=good"], "--rate: success: 'good' is not a limit"),
        (["--rate", "success=101%"], "--rate: success: 101% is impossible; a share lies between"),
        (["--rate", "latency=-1%"], "--rate: latency: -1% is impossible; a share lies between"),
        (["--rate", "legacy.failures=2"], "--rate: legacy.failures: 2 is impossible"),
        (["--hours", "noon=1"], "--hours: 'noon=1' is not HOUR=FACTOR"),
        (["--begin", "24"], "--begin: 24 is no hour of the day"),
        (["--plot", "f.pdf"], "--plot: f.pdf is neither SVG nor PNG"),
    ],
)
def test_a_wrong_option_is_bad_input(
    plan: Path, capsys: pytest.CaptureFixture[str], options: list[str], message: str
) -> None:
    """Exit 2 with one line, before any work."""
    traffic = [] if "--traffic" in options else ["--traffic", "1/s"]
    code, out, err = forecast(capsys, plan, *traffic, *options)
    assert (code, out) == (2, "")
    assert message in err
    assert len(err.splitlines()) == 1
