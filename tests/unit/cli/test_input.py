"""Plans and settings as the command line takes them, without any server."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from switchover.cli.main import run
from switchover.cli.session import _SLUG
from switchover.plan.form import Slug

MOOD = Path(__file__).parents[3] / "examples" / "mood" / "plan.yaml"


@pytest.fixture
def state(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = tmp_path / "state"
    folder.mkdir()
    monkeypatch.setenv("SWITCHOVER_STATE_DIR", str(folder))
    for name in ("SWITCHOVER_DATABASE_URL", "SWITCHOVER_REDIS_URL"):
        monkeypatch.delenv(name, raising=False)
    return folder


def test_a_plan_that_is_not_there_is_bad_input(capsys: pytest.CaptureFixture[str]) -> None:
    """Lint was asked about nothing: that is no negative answer."""
    for arguments in (["plan", "lint"], ["plan", "explain"], ["start"]):
        assert run([*arguments, "nowhere.yaml"]) == 2
        err = capsys.readouterr().err
        assert "nowhere.yaml" in err
        assert len(err.splitlines()) == 1


def test_a_good_plan_is_explained(capsys: pytest.CaptureFixture[str]) -> None:
    """Lint and explain, in both forms, give the answer alone."""
    assert run(["plan", "lint", str(MOOD)]) == 0
    assert capsys.readouterr().out == f"{MOOD}: no fault\n"
    assert run(["plan", "lint", str(MOOD), "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["ok"]
    assert run(["plan", "explain", str(MOOD)]) == 0
    assert "canary 25 %" in capsys.readouterr().out
    assert run(["plan", "explain", str(MOOD), "--json"]) == 0
    titles = [stage["title"] for stage in json.loads(capsys.readouterr().out)["stages"]]
    assert titles[0] == "checks"
    assert titles[-1] == "complete"


def test_a_broken_settings_file_is_named(state: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """With its line where it has one; exit 2."""
    (state / "environment").write_text("A=1\nnonsense\n")
    assert run(["list"]) == 2
    assert f"{state}/environment:2: not KEY=VALUE" in capsys.readouterr().err
    (state / "environment").write_bytes(b"\xff\xfe\x00")
    assert run(["list"]) == 2
    assert f"{state}/environment: can't be read" in capsys.readouterr().err


def test_a_database_that_is_none_is_bad_input(
    state: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Exit 2 and an example."""
    for address in ("garbage", "mysql://x/y", "sqlite://"):
        monkeypatch.setenv("SWITCHOVER_DATABASE_URL", address)
        assert run(["list"]) == 2, address
        assert len(capsys.readouterr().err.splitlines()) == 1
    assert not list(state.iterdir())


def test_names_are_those_that_plans_may_have() -> None:
    """The command line takes exactly what a plan may be called."""
    pattern = next(
        part.pattern for part in Slug.__metadata__[0].metadata if hasattr(part, "pattern")
    )
    assert pattern == f"^{_SLUG.pattern}$"
