"""`switchover flags` against a real database and a real Valkey."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from switchover import Router


@pytest.fixture
def started(cli: Any, plan: Path) -> Any:
    """The command line, with the migration ``demo`` begun."""
    assert cli("start", str(plan)).code == 0
    return cli


@pytest.mark.req("T5", "T6")
def test_a_flag_is_made_shown_changed_and_removed(started: Any) -> None:
    """Every verb's answer, for people and as JSON."""
    made = started("flags", "set", "demo", "panel", "--create", "--percent", "25",
                   "--visibility", "public", "--component", "web", "--reason", "trial")  # fmt: skip
    assert (made.code, made.out) == (0, "panel is on for 25 %; no router is live.\n")
    shown = started("flags", "get", "demo", "panel", "--json").document
    assert {k: shown[k] for k in ("flag", "percent", "visibility", "component")} == {
        "flag": "panel", "percent": 25.0, "visibility": "public", "component": "web",
    }  # fmt: skip
    off = started("flags", "set", "demo", "panel", "--off", "--json").document
    assert (off["changed"], off["definition"]["enabled"]) == (True, False)
    listed = started("flags", "list", "demo")
    assert "nobody (disabled)" in listed.out
    assert "new-format" in listed.out
    assert started("flags", "remove", "demo", "panel").out == "panel is gone; no router is live.\n"
    told = started("history", "demo").out
    assert "panel: 25 %; trial" in told
    assert "panel: nobody (disabled)" in told
    assert "panel removed" in told
    entries = started("history", "demo", "--json").lines
    assert [e["kind"] for e in entries].count("flags_changed") == 3


@pytest.mark.req("T5", "T9")
def test_a_live_router_takes_the_change_without_a_restart(
    started: Any, fresh_redis_url: str
) -> None:
    """The command waits until every live router has it, and says so."""
    with Router("demo", fresh_redis_url) as router:
        assert router.wait_ready()
        assert router.variant("layout", "u1").reason == "unknown"
        answer = started("flags", "set", "demo", "layout", "--create", "--variant", "a=40",
                         "--variant", "b=60", "--value", 'a={"columns": 3}')  # fmt: skip
        assert answer.out == "layout is on for a 40 %, b 60 %; all 1 live routers have it.\n"
        found = {router.variant("layout", f"u{n}").variant for n in range(50)}
        assert found == {"a", "b"}


@pytest.mark.req("T5")
@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["set", "demo", "new-formt", "--off"], "did you mean 'new-format'?"),
        (["set", "demo", "new-format"], "nothing to change"),
        (["set", "demo", "new-format", "--percent", "101"], "from 0 to 100"),
        (["set", "demo", "new-format", "--variant", "a"], "write it like --variant name=what"),
        (["set", "demo", "new-format", "--variant", "a=x"], "write it like --variant a=40"),
        (["set", "demo", "new-format", "--variant", "a=40"], "sum to 40 %, not to 100 %"),
        (["set", "demo", "new-format", "--value", "a=red"], "text stands in quotes"),
        (["set", "demo", "new-format", "--visibility", "all"], "unknown visibility 'all'"),
        (["set", "demo", "a=b", "--create"], "'a=b' can't be a flag's name"),
        (["set", "demo", "new-format", "--value", "a=" + "[" * 20_000], "is no JSON"),
        (["set", "demo", "new-format", "--rule", "[" * 20_000], "--rule: "),
        (["set", "demo", "new-format", "--requires", "x"], "requires 'x', which does not exist"),
        (["get", "demo", "panel"], "has no flag 'panel'"),
        (["list", "nobody"], "nobody"),
    ],
)
def test_what_can_not_be_is_refused_and_changes_nothing(
    started: Any, arguments: list[str], words: str
) -> None:
    """One line that says what to do, exit code 2, no entry."""
    before = len(started("history", "demo", "--json").lines)
    answer = started("flags", *arguments)
    assert (answer.code, answer.out) == (2, "")
    assert words in answer.err
    assert len(started("history", "demo", "--json").lines) == before


@pytest.mark.req("T5", "T9")
def test_zero_percent_of_a_flag_with_variants_is_told_as_such(started: Any) -> None:
    """What the command says is what the routers do: they give it to nobody."""
    weights = ("--variant", "a=40", "--variant", "b=60")
    assert started("flags", "set", "demo", "layout", "--create", *weights).code == 0
    answer = started("flags", "set", "demo", "layout", "--percent", "0")
    assert answer.out == "layout is on for 0 %; no router is live.\n"
    assert started("flags", "set", "demo", "layout", "--percent", "100").out.startswith(
        "layout is on for a 40 %, b 60 %"
    )


@pytest.mark.req("R1", "T5")
def test_a_rollback_switches_the_candidates_flags_off(started: Any, fresh_redis_url: str) -> None:
    """They stay defined, and are on for nobody."""
    started("flags", "set", "demo", "panel", "--create", "--follows-split")
    assert started("rollback", "demo", "--no-drain").code == 0
    with Router("demo", fresh_redis_url) as router:
        assert router.wait_ready()
        for name in ("panel", "new-format"):
            assert router.flag(name, "u1").reason == "emergency_rollback"
