"""`switchover judge replay`: a recording through a plan's gates."""

from __future__ import annotations

import json
import random
import textwrap
from pathlib import Path
from typing import Any

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
      - {kind: shadow, bake: 10m, sample: 100%}
      - {kind: canary, percent: 10, bake: 10m}
      - {kind: canary, percent: 100, bake: 10m, approval: true}
    gates:
      - {name: success, metric: success_rate, at_least: 90%}
      - {name: latency, metric: prediction_latency_p99, at_most: 200ms}
    approvals: {approvers: [ada, bo], expires: 10h}
    """)
START = 1_780_000_020
GATE = {"gate", "verdict", "estimate", "n", "rollback_evidence", "promote_evidence", "need"}


@pytest.fixture
def plan(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("COLUMNS", "80")
    (tmp_path / "plan.yaml").write_text(PLAN, encoding="utf-8")
    return tmp_path / "plan.yaml"


def recording(folder: Path, minutes: int, bad_from: int | None = None) -> Path:
    """Two requests a second; from the minute ``bad_from`` on, half of them fail."""
    rng = random.Random(5)
    lines = ["at,system,metric,value"]
    for second in range(60 * minutes):
        broken = bad_from is not None and second >= 60 * bad_from
        for _ in range(2):
            good = int(rng.random() >= (0.5 if broken else 0.02))
            lines.append(f"{START + second},candidate,success_rate,{good}")
            taken = 0.05 * rng.lognormvariate(0, 0.3)
            lines.append(f"{START + second},candidate,prediction_latency_p99,{taken:.4f}")
    file = folder / "recording.csv"
    file.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return file


def replayed(
    capsys: pytest.CaptureFixture[str], plan: Path, file: Path, *more: str
) -> tuple[int, str, str]:
    code = run(["judge", "replay", str(plan), "--observations", str(file), *more])
    out, err = capsys.readouterr()
    assert "Traceback" not in err
    return code, out, err


def looks_of(out: str) -> list[dict[str, Any]]:
    return [json.loads(line) for line in out.splitlines()]


@pytest.mark.req("O5")
def test_a_good_recording_walks_through_the_stages(
    plan: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """A line per look in the contract's shape, exit 0; a stage ends when it has baked."""
    code, out, err = replayed(capsys, plan, recording(tmp_path, 25), "--json")
    assert (code, err) == (0, "")
    looks = looks_of(out)
    assert [look["at"] for look in looks] == [START + 60 * minute for minute in range(1, 26)]
    for look in looks:
        assert list(look) == ["at", "verdict", "stage", "gates"]
        assert all(set(gate) == GATE for gate in look["gates"])
    assert [look["stage"] for look in looks] == ["canary 10 %"] * 10 + ["canary 100 %"] * 15
    promoted = [i for i, look in enumerate(looks, start=1) if look["verdict"] == "promote"]
    assert promoted == [10, *range(20, 26)]
    assert looks[10]["gates"][0]["n"] == 120


@pytest.mark.req("O5")
def test_a_bad_recording_is_stopped(
    plan: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Exit 1, with the moment in the message and the gates of that moment in the table."""
    file = recording(tmp_path, 20, bad_from=15)
    code, out, err = replayed(capsys, plan, file, "--json")
    assert code == 1
    first = next(look for look in looks_of(out) if look["verdict"] == "rollback")
    assert first["at"] == START + 16 * 60
    assert {g["gate"]: g["verdict"] for g in first["gates"]}["success"] == "rollback"
    assert "would have rolled back" in err
    code, out, again = replayed(capsys, plan, file)
    assert (code, again) == (1, err)
    assert "canary 100 %: rollback" in out
    assert "Roll back: success" in out
    table = out.split("Roll back:")[0]
    assert max(map(len, table.splitlines())) <= 80


@pytest.mark.req("O5")
def test_times_are_told_as_they_were_written(
    plan: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Seconds stay seconds, ISO 8601 stays that."""
    row = {"system": "candidate", "metric": "success_rate", "value": True}
    file = tmp_path / "recording.jsonl"
    file.write_text(json.dumps({"at": "2026-05-01T12:00:30+02:00", **row}) + "\n")
    assert looks_of(replayed(capsys, plan, file, "--json")[1])[0]["at"] == (
        "2026-05-01T10:01:00+00:00"
    )


@pytest.mark.req("O5")
def test_the_options_change_the_walk(
    plan: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Where to begin, how often to look, and an overlay with shorter bake times."""
    file = recording(tmp_path, 10)
    looks = looks_of(replayed(capsys, plan, file, "--json", "--stage", "shadow")[1])
    assert {look["stage"] for look in looks} == {"shadow"}
    assert len(looks_of(replayed(capsys, plan, file, "--json", "--every", "30s")[1])) == 20
    overlay = tmp_path / "fast.yaml"
    overlay.write_text(PLAN[PLAN.index("stages:") : PLAN.index("gates:")].replace("10m", "3m"))
    looks = looks_of(replayed(capsys, plan, file, "--json", "--overlay", str(overlay))[1])
    assert looks[-1]["stage"] == "canary 100 %"


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--every", "60"], "--every: '60' is not a duration"),
        (["--every", "0s"], "--every: 0s is no time between two looks"),
        (["--stage", "canary-11"], "--stage: there is no 'canary-11'; one of shadow, canary-10"),
        (["--plot", "evidence.pdf"], "let its name end in .png"),
        (["--plot", "nowhere/evidence.png"], "there is no folder"),
        (["--observations", "none.csv"], "none.csv: can't be read"),
    ],
)
def test_a_wrong_option_is_bad_input(
    plan: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], options: list[str], message: str
) -> None:
    """Exit 2 with one line, before any work."""
    code, out, err = replayed(capsys, plan, recording(tmp_path, 1), *options)
    assert (code, out) == (2, "")
    assert message in err
    assert len(err.splitlines()) == 1


@pytest.mark.req("INV6")
def test_a_recording_of_nothing_is_bad_input(
    plan: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """No data is no good data: neither promoted nor exit 0, and the plan's metrics are named."""
    file = tmp_path / "recording.csv"
    file.write_text("at,system,metric,value\n1,candidate,sucess_rate,1\n")
    code, out, err = replayed(capsys, plan, file, "--json")
    assert (code, out) == (2, "")
    warning, error = err.splitlines()
    assert (
        warning
        == f"warning: {file}: 1 rows of sucess_rate ignored; no gate of the plan looks at it"
    )
    assert "the plan's are prediction_latency_p99, success_rate" in error


@pytest.mark.req("P11")
def test_the_evidence_is_drawn(
    plan: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """A PNG, also when the answer is no."""
    picture = tmp_path / "evidence.png"
    file = recording(tmp_path, 5, bad_from=2)
    assert replayed(capsys, plan, file, "--plot", str(picture))[0] == 1
    assert picture.read_bytes().startswith(b"\x89PNG")
