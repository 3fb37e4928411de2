"""The command line as a whole: verbs, help, usage errors, and what nobody expects."""

from __future__ import annotations

import importlib
import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
import typer

from switchover import __version__
from switchover.cli.main import INTERNAL, VERBS, run

PROGRAM = [sys.executable, "-c", "from switchover.cli.main import main; main()"]


def started(*arguments: str, cwd: Path, **environment: str) -> subprocess.Popen[str]:
    """The command line in a process of its own, without settings from outside."""
    kept = {k: v for k, v in os.environ.items() if not k.startswith(("SWITCHOVER_", "PREFECT_"))}
    root = str(Path(__file__).parents[3])
    return subprocess.Popen(
        [*PROGRAM, *arguments], cwd=cwd, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
        text=True, env={**kept, "PYTHONPATH": root, **environment},
    )  # fmt: skip


def test_help_lists_every_verb(capsys: pytest.CaptureFixture[str]) -> None:
    """With and without a dash; no verb at all is bad input, and shows the same."""
    for arguments in (["--help"], ["-h"], ["help"]):
        assert run(arguments) == 0
        out = capsys.readouterr().out
        assert all(f"  {verb} " in out for verb in VERBS)
        assert max(map(len, out.splitlines())) <= 80
    assert run([]) == 2


@pytest.mark.parametrize("verb", VERBS)
def test_a_verb_says_the_same_in_both_helps(verb: str, capsys: pytest.CaptureFixture[str]) -> None:
    """The line in `--help` is the first line of the verb's own help."""
    assert run([verb, "--help"]) == 0
    own = capsys.readouterr().out
    command = typer.main.get_command(importlib.import_module(f"switchover.cli.{verb}").app)
    assert (command.help or "").splitlines()[0] == VERBS[verb]
    assert VERBS[verb] in " ".join(own.split())
    assert own.startswith(f"Usage: switchover {verb}")
    assert run(["help", verb]) == 0
    assert capsys.readouterr().out == own


@pytest.mark.parametrize("verb", VERBS)
def test_every_verb_has_a_json_form(verb: str) -> None:
    """Also every command below a verb."""
    command = typer.main.get_command(importlib.import_module(f"switchover.cli.{verb}").app)
    for each in getattr(command, "commands", {"": command}).values():
        options = {name for parameter in each.params for name in parameter.opts}
        assert "--json" in options, (verb, each.name)


def test_help_imports_nothing_heavy() -> None:
    """No server's client, no model library, no Prefect."""
    script = (
        "import sys; from switchover.cli.main import run; run(['--help']); "
        "heavy = {'redis', 'sqlalchemy', 'pydantic', 'prefect', 'rich', 'httpx', 'numpy', "
        "'pandas', 'matplotlib', 'ruamel'}; print(sorted(heavy & set(sys.modules)))"
    )
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True
    )
    assert done.stdout.splitlines()[-1] == "[]"


def test_an_unknown_verb_gets_a_suggestion(capsys: pytest.CaptureFixture[str]) -> None:
    """Exit 2 and one line."""
    assert run(["statsu"]) == 2
    assert capsys.readouterr().err == (
        "switchover: there is no verb 'statsu'; did you mean 'status'?\n"
    )
    assert run(["xyzzy"]) == 2
    assert "`switchover --help` lists all" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["status"], "switchover status: missing argument 'M'; see switchover status --help"),
        (["status", "m", "--nope"], "switchover status: no such option: --nope"),
        (["plan", "lint"], "switchover plan lint: missing argument 'PLAN'"),
        (["plan", "lnit"], "switchover plan: no such command 'lnit'"),
        (
            ["advance", "m", "--timeout", "long"],
            "switchover advance: invalid value for '--timeout'",
        ),
        (["plan", "forecast", "plan.yaml"], "missing option '--traffic'"),
    ],
)
def test_a_wrong_call_is_told_in_one_line(
    arguments: list[str], message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """Exit 2, and where to read more."""
    assert run(arguments) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert message in err
    assert len(err.splitlines()) == 1


@pytest.mark.parametrize("verb", ["plan", "audit", "incident", "judge"])
def test_a_verb_without_its_command_shows_its_help(
    verb: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """As bad input: on standard error."""
    assert run([verb]) == 2
    assert f"Usage: switchover {verb}" in capsys.readouterr().err


def test_a_fault_of_our_own_is_no_traceback(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """One line, an exit code that is none of the contract's answers, and a way to see more."""
    monkeypatch.delenv("SWITCHOVER_TRACEBACK", raising=False)
    monkeypatch.setattr("switchover.cli.list.connect", lambda: 1 / 0)
    assert run(["list"]) == INTERNAL
    err = capsys.readouterr().err
    assert "ZeroDivisionError: division by zero" in err
    assert "Traceback" not in err
    monkeypatch.setenv("SWITCHOVER_TRACEBACK", "1")
    assert run(["list"]) == INTERNAL
    assert "Traceback" in capsys.readouterr().err


def test_an_interruption_is_told(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Ctrl-C gives the shell's usual code, without a traceback."""

    def interrupted() -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("switchover.cli.list.connect", interrupted)
    assert run(["list"]) == 130
    assert capsys.readouterr().err.strip() == "interrupted"


def test_the_version_is_told(capsys: pytest.CaptureFixture[str]) -> None:
    """As other programs do."""
    assert run(["--version"]) == 0
    assert capsys.readouterr().out.strip() == __version__


def test_a_reader_that_leaves_is_no_error(tmp_path: Path) -> None:
    """`switchover plan schema | head -1`: nothing on standard error, exit 0."""
    process = started("plan", "schema", cwd=tmp_path)
    assert process.stdout is not None
    assert process.stderr is not None
    process.stdout.close()
    err = process.stderr.read()
    process.stderr.close()
    assert (process.wait(), err) == (0, "")


def test_a_terminal_without_utf_8_is_no_error(tmp_path: Path) -> None:
    """What it can't show becomes a question mark."""
    process = started("status", "größe→", cwd=tmp_path, PYTHONIOENCODING="ascii")
    _, err = process.communicate()
    assert process.returncode == 2
    assert "is no migration's name" in err
    assert err.isascii()


def test_a_state_folder_that_cannot_be_made_is_named(tmp_path: Path) -> None:
    """Starting fails with exit 3 and the path; asking finds nothing there."""
    (tmp_path / "file").write_text("")
    plan = Path(__file__).parents[3] / "examples" / "mood" / "plan.yaml"
    environment = {"SWITCHOVER_STATE_DIR": str(tmp_path / "file" / "state")}
    process = started("start", str(plan), cwd=tmp_path, **environment)
    _, err = process.communicate()
    assert process.returncode == 3
    assert "file/state/ledger.db" in err
    assert len(err.splitlines()) == 1
    process = started("list", cwd=tmp_path, **environment)
    out, err = process.communicate()
    assert (process.returncode, err) == (0, "")
    assert "no migration yet" in out


def test_ctrl_c_ends_a_wait(tmp_path: Path) -> None:
    """A real interruption of a real process."""
    script = (
        "import time; from switchover.cli import list as verb, main as line;"
        "verb.connect = lambda: (print('waiting', flush=True), time.sleep(60)); "
        "import sys; sys.argv = ['switchover', 'list']; line.main()"
    )
    process = subprocess.Popen(
        [sys.executable, "-c", script], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    assert process.stdout is not None
    assert process.stdout.readline() == "waiting\n"
    process.send_signal(signal.SIGINT)
    _, err = process.communicate()
    assert (process.returncode, err.strip()) == (130, "interrupted")


def test_the_schema_of_plans_is_one_document(capsys: pytest.CaptureFixture[str]) -> None:
    """It is JSON with or without --json."""
    assert run(["plan", "schema"]) == 0
    assert json.loads(capsys.readouterr().out)["properties"]["migration"]
