"""`switchover judge replay`: a recording through a plan's gates."""

from __future__ import annotations

import json
import random
import textwrap
from datetime import UTC, datetime
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from switchover.cli import judge
from switchover.cli.main import run
from switchover.judge.block import Block
from switchover.machine.event import Aborted, StageEntered, Started
from switchover.testing.ledger import InMemoryLedger, begin_migration

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
    assert "stops at 2026-05-28T20:43:00+00:00 after 16 min by gate success" in err
    code, out, again = replayed(capsys, plan, file)
    assert (code, again) == (1, err)
    assert "canary 100 %: rollback" in out
    assert "Roll back: success" in out
    table = out.split("Roll back:")[0]
    assert max(map(len, table.splitlines())) <= 80


@pytest.mark.req("R3")
def test_a_red_trigger_stops_it_too(plan: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Where no gate minds, the trigger does; the answer names it, and a line tells what it saw."""
    loose = PLAN.replace("at_least: 90%", "at_least: 10%")
    triggers = (
        "triggers:\n  red: [{name: failing, metric: success_rate, at_least: 70%}]\n"
        "  amber: [{name: events, metric: event_delivery_rate, at_least: 95%, after: 0s}]\n"
    )
    plan.write_text(loose, encoding="utf-8")
    file = recording(plan.parent, 20, bad_from=8)
    with file.open("a", encoding="utf-8") as more:
        more.writelines(f"{START + 300 + i},candidate,event_delivery_rate,0\n" for i in range(60))
    assert replayed(capsys, plan, file)[0] == 0
    plan.write_text(loose + triggers, encoding="utf-8")
    code, out, err = replayed(capsys, plan, file)
    assert code == 1
    assert "after 11 min by RED trigger failing" in err
    assert "RED trigger failing: success_rate of candidate: 52.8 %, at least 70 %" in out
    assert "AMBER trigger events" in out
    code, out, err = replayed(capsys, plan, file, "--json")
    (look,) = [look for look in looks_of(out) if "failing" in str(look.get("triggers"))]
    assert look["verdict"] != "rollback"
    assert look["triggers"][0]["color"] == "red"


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
        (["--plot", "evidence.pdf"], "let its name end in .svg or .png"),
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


@pytest.mark.req("P11")
def test_the_plot_is_an_svg_too_and_always_the_same(
    plan: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """With the gates, the stages and the verdicts in it, as text that can be found."""
    file = recording(tmp_path, 20, bad_from=15)
    pictures = []
    for name in ("one.svg", "two.svg"):
        replayed(capsys, plan, file, "--plot", str(tmp_path / name))
        pictures.append((tmp_path / name).read_text(encoding="utf-8"))
    assert pictures[0] == pictures[1]
    for text in ("success", "latency", "canary 10 %", "canary 100 %", "rolled back", "split (%)"):
        assert f">{text}</text>" in pictures[0]
    for verdict in ("hold", "promote", "rollback"):
        assert f'id="verdict-{verdict}"' in pictures[0]


@pytest.mark.req("O5")
def test_the_answer_is_one_sentence(
    plan: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """When, after how long, by which gate, in which stage, and at what cost; or that it never
    stops."""
    _, out, err = replayed(capsys, plan, recording(tmp_path, 20, bad_from=15))
    assert err == (
        "stops at 2026-05-28T20:43:00+00:00 after 16 min by gate success, in canary 100 %; "
        "95 bad answers by then\n"
    )
    assert out.splitlines()[:9] == [
        "4,800 rows in 20 looks over 20 min, to 2026-05-28T20:47:00+00:00",
        "",
        "2026-05-28T20:28:00+00:00  canary 10 %: insufficient evidence",
        "2026-05-28T20:32:00+00:00  canary 10 %: hold",
        "2026-05-28T20:37:00+00:00  canary 10 %: promote",
        "2026-05-28T20:38:00+00:00  canary 100 %: insufficient evidence",
        "2026-05-28T20:42:00+00:00  canary 100 %: hold",
        "2026-05-28T20:43:00+00:00  canary 100 %: rollback",
        "",
    ]
    _, out, err = replayed(capsys, plan, recording(tmp_path, 25))
    assert (out.splitlines()[-1], err) == (
        "Never stops: every stage with traffic would have passed.", "",
    )  # fmt: skip
    _, out, _ = replayed(capsys, plan, recording(tmp_path, 2))
    assert out.splitlines()[-1] == (
        "Never stops: the recording ends in canary 10 % with insufficient evidence."
    )


@pytest.mark.req("INV6")
def test_silence_stops_it_where_the_plan_says_so(
    plan: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """A gap of an hour is told, and rolls back with no_data: rollback."""
    early = recording(tmp_path, 5).read_text(encoding="utf-8").splitlines()
    later = [line.replace(str(START)[:7], str(START + 3_600)[:7]) for line in early[1:]]
    file = tmp_path / "gap.csv"
    file.write_text("\n".join([*early, *later]) + "\n", encoding="utf-8")
    code, out, _ = replayed(capsys, plan, file)
    assert code == 0
    assert "no evidence of candidate" in out
    plan.write_text(f"{PLAN}judgement: {{no_data: rollback}}\n", encoding="utf-8")
    code, _, err = replayed(capsys, plan, file)
    assert code == 1
    assert "after 16 min by silence, in canary 10 %" in err


@pytest.fixture
def rollout(monkeypatch: pytest.MonkeyPatch) -> InMemoryLedger:
    """A ledger with two attempts: the first was aborted in canary 10 %, the second failed there
    from its tenth minute on, and nobody noticed."""
    ledger, bad = InMemoryLedger(), random.Random(3)
    for attempt in (0, 1):
        start = START + 86_400 * attempt
        if attempt:
            digest = ledger.read("demo").plan.digest
            append(ledger, Started(digest, "salt", "string", float(start), "ada"), start)
        else:
            begin_migration(ledger, "demo", at=datetime.fromtimestamp(start, UTC))
        enter(ledger, 1, "shadow", "parallel", 0, start)
        enter(ledger, 2, "canary 10 %", "gradual", 1_000, start + 300)
        blocks = [
            Block(
                f"{attempt}-{minute}", "demo", "success_rate", "candidate", start + 60.0 * minute,
                60.0, 120, bad.randint(50, 70) if attempt and minute >= 10 else 1,
            )
            for minute in range(20)
        ]  # fmt: skip
        ledger.ingest("demo", blocks, f"{attempt}-1", lambda known, fresh: {})
        if not attempt:
            append(ledger, Aborted(at=start + 1_200.0, actor="ada", reason="lunch"), start + 1_200)
    monkeypatch.setattr(judge, "connect", lambda: SimpleNamespace(ledger=ledger))
    return ledger


def append(ledger: InMemoryLedger, event: Any, at: float) -> None:
    revision = ledger.read("demo").state.revision
    ledger.append("demo", revision, event, at=datetime.fromtimestamp(at, UTC), actor="ada")


def enter(ledger: InMemoryLedger, stage: int, title: str, mode: str, split: int, at: float) -> None:
    shadow = 10_000 if mode == "parallel" else 0
    append(ledger, StageEntered(stage, title, mode, split, shadow, float(at), at + 300.0), at)


@pytest.mark.req("O5")
def test_a_recorded_rollout_is_judged_in_its_own_stages(
    plan: Path, rollout: InMemoryLedger, capsys: pytest.CaptureFixture[str]
) -> None:
    """The newest attempt by default, in the stages that it had when it had them."""
    plan.write_text(PLAN.replace("  - {name: latency", "  # {name: latency"), encoding="utf-8")
    code = run(["judge", "replay", str(plan), "--migration", "demo"])
    out, err = capsys.readouterr()
    assert code == 1
    assert err.startswith(
        "stops at 2026-05-29T20:38:00+00:00 after 11 min by gate success, in canary 10 %; "
    )
    assert "20 rows in 20 looks over 20 min" in out
    code = run(["judge", "replay", str(plan), "--migration", "demo", "--attempt", "1", "--json"])
    looks = looks_of(capsys.readouterr().out)
    assert code == 0
    assert [look["stage"] for look in looks] == ["shadow"] * 5 + ["canary 10 %"] * 15
    assert looks[0]["at"] == "2026-05-28T20:28:00+00:00"


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ([], "name one recording"),
        (["--migration", "demo", "--observations", "x.csv"], "name one recording"),
        (["--observations", "x.csv", "--attempt", "1"], "a file holds no attempts"),
        (["--migration", "demo", "--attempt", "3"], "--attempt: demo had 2, and no attempt 3"),
        (["--migration", "demo", "--stage", "shadow"], "in the stages that it had"),
        (["--migration", "other"], "there is no migration 'other'"),
    ],
)
def test_a_wrong_choice_of_recording_is_bad_input(
    plan: Path,
    rollout: InMemoryLedger,
    capsys: pytest.CaptureFixture[str],
    options: list[str],
    message: str,
) -> None:
    """Exit 2 with one line."""
    code = run(["judge", "replay", str(plan), *options])
    out, err = capsys.readouterr()
    assert (code, out) == (2, "")
    assert message in err
    assert len(err.splitlines()) == 1


@pytest.mark.req("O5")
def test_infinite_values_are_valid_json(plan: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """JSON has no number for them; a strict reader stops at the word that Python writes."""
    file = plan.with_name("o.csv")
    file.write_text("at,system,metric,value\n1,candidate,prediction_latency_p99,inf\n")
    assert run(["judge", "replay", str(plan), "--observations", str(file), "--json"]) == 0
    out = capsys.readouterr().out
    (look,) = [json.loads(line, parse_constant=pytest.fail) for line in out.splitlines()]
    assert look["gates"][1]["estimate"] == "inf"


@pytest.mark.req("O5")
def test_the_plots_first_stage_begins_where_the_recording_does(
    plan: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The first look ends a minute later; the split was there from its beginning."""
    drawn: dict[str, Any] = {}

    def picture(_: Any, **options: Any) -> bytes:
        drawn.update(options)
        return b"<svg/>"

    monkeypatch.setattr("switchover.reporting.plots.evidence_plot", picture)
    options = ["--observations", str(recording(plan.parent, 40)), "--plot", str(plan) + ".svg"]
    assert run(["judge", "replay", str(plan), *options]) == 0
    first, second = drawn["stages"][:2]
    assert first == (START // 60 * 60, "canary 10 %", 10.0)
    assert second[1] == "canary 100 %"
    assert (second[0] - first[0]) % 60 == 0
