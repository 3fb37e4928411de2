"""What the README and the tutorial show is true: the code runs, the commands exist."""

from __future__ import annotations

import ast
import re
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from switchover.cli.main import VERBS
from switchover.machine.snapshot import Snapshot
from switchover.observe.stream import RedisBlockStream
from switchover.plan.load import lint_plan
from switchover.routing.store import RedisRoutingStore

ROOT = Path(__file__).parents[2]
README = (ROOT / "README.md").read_text("utf-8")
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]


def blocks(text: str, language: str) -> list[str]:
    """The fenced blocks of a language, those inside lists too."""
    return re.findall(rf"^ *```{language}\n(.*?)^ *```$", text, re.DOTALL | re.MULTILINE)


@pytest.fixture
def readme(fresh_redis_url: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[dict[str, Any]]:
    """The README's application, running, with what it leaves to the reader filled in."""
    monkeypatch.setenv("SWITCHOVER_REDIS_URL", fresh_redis_url)
    names: dict[str, Any] = {
        "call": lambda system, weight: {"price": 3.5 + weight},
        "in_background": lambda do, *given: do(*given),
    }
    (code,) = blocks(README, "python")
    exec(compile(code, "README.md", "exec"), names)
    yield names
    names["router"].close()
    names["recorder"].close()


@pytest.mark.req("T2")
@pytest.mark.req("O1")
def test_ten_lines_of_the_readme_route_record_and_compare(
    readme: dict[str, Any], fresh_redis_url: str
) -> None:
    """Copied as they stand, they follow the routing document and ship what they saw."""
    assert readme["router"].wait_ready()
    assert readme["quote"]("ada", 2) == {"price": 5.5}
    assert readme["router"].route("ada").system == "legacy"
    RedisRoutingStore(fresh_redis_url).write(
        Snapshot("quotes", 2, "gradual", split=10_000, shadow=10_000)
    )
    while readme["router"].epoch < 2:
        time.sleep(0.01)
    assert readme["quote"]("ada", 2) == {"price": 5.5}
    assert readme["recorder"].flush()
    seen, _, malformed = RedisBlockStream(fresh_redis_url).read("quotes", "0-0", 100)
    assert malformed == 0
    assert {(block.metric, block.system) for block in seen} == {
        ("quote_seconds", "legacy"), ("success_rate", "legacy"),
        ("quote_seconds", "candidate"), ("success_rate", "candidate"),
        ("prediction_agreement_rate", "pair"),
    }  # fmt: skip


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_every_command_in_the_documents_exists(page: Path) -> None:
    """No page tells a reader to type a verb that is not there."""
    text = page.read_text("utf-8")
    shown = "\n".join(
        [*blocks(text, "sh"), *blocks(text, "console"), *re.findall(r"`(switchover [^`]+)`", text)]
    )
    verbs = re.findall(r"(?:^|[$(;] ?)\s*switchover ([a-z]+)", shown, re.MULTILINE)
    assert not [verb for verb in verbs if verb not in VERBS]


def test_every_make_target_of_the_readme_exists() -> None:
    """The commands that a new reader types first."""
    targets = set(re.findall(r"^([a-z]+):", (ROOT / "Makefile").read_text("utf-8"), re.MULTILINE))
    assert {"demo", "test", "up", "help"} <= set(re.findall(r"make ([a-z]+)", README))
    assert set(re.findall(r"`?make ([a-z]+)`?", README)) <= targets | {"everything"}


def test_tutorial_holds_programs_and_a_plan_without_a_fault(tmp_path: Path) -> None:
    """Its Python parses, and its plan passes the linter without even a warning."""
    text = (ROOT / "docs" / "tutorial.md").read_text("utf-8")
    programs = blocks(text, "python")
    assert len(programs) == 3
    for program in programs:
        ast.parse(program)
    (plan,) = blocks(text, "yaml")
    (tmp_path / "plan.yaml").write_text(plan)
    report = lint_plan(tmp_path / "plan.yaml")
    assert (report.faults, report.warnings) == ((), ())
