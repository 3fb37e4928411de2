"""Evaluation of feature flags: reasons, order of the rules, and what a router does not know."""

from __future__ import annotations

import logging
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from switchover import Router
from switchover.errors import InputError
from switchover.machine.snapshot import Snapshot
from switchover.routing.bucket import bucket

KEYS = [f"user-{n}" for n in range(2000)]


def router_with(
    flags: dict[str, Any], mode: str = "gradual", split: int = 5000, epoch: int = 3
) -> Router:
    """A router that took one document, without any Redis."""
    router = Router("demo", "redis://127.0.0.1:1/0")
    take(router, flags, mode, split, epoch)
    return router


def take(
    router: Router, flags: dict[str, Any], mode: str = "gradual", split: int = 5000, epoch: int = 3
) -> None:
    """Hand the router a document as its reader would."""
    snapshot = Snapshot("demo", epoch, mode, split, salt="s", flags=flags, turned=1)
    router._held.take(snapshot.to_json())


@pytest.mark.req("T5")
def test_a_share_is_sticky_and_says_why() -> None:
    """The bucket under the flag's own salt decides, alike for text, bytes and numbers."""
    router = router_with({"panel": {"split": 2500, "version": 7}})
    for key in KEYS[:500]:
        found = router.flag("panel", key)
        assert found.on == (bucket("s/flag/panel", key) < 2500)
        assert found == router.flag("panel", key.encode())
        assert (found.reason, found.version, found.value) == ("split", 7, found.on)
    assert router.flag("panel", 42) == router.flag("panel", "42")
    assert router.flag("panel", "\udcff").reason == "split"


@pytest.mark.req("T5", "T9")
def test_a_share_of_nothing_switches_a_flag_with_variants_off() -> None:
    """Whoever sets a flag to 0 % in a hurry means it; weights and overrides bring nobody back."""
    flag = {"variants": {"a": 5000, "b": 5000}, "off": "b", "overrides": {"ann": "a"}}
    router = router_with({"layout": {**flag, "split": 0}})
    found = {router.variant("layout", key) for key in ("ann", *KEYS[:50])}
    assert {(f.on, f.variant, f.reason) for f in found} == {(False, "b", "disabled")}


@pytest.mark.req("T5")
@settings(max_examples=50)
@given(low=st.integers(0, 10_000), high=st.integers(0, 10_000), key=st.text(min_size=1))
def test_raising_a_share_switches_nobody_off(low: int, high: int, key: str) -> None:
    """Monotone like the split: who has the flag at 10 % has it at 25 %."""
    low, high = sorted((low, high))
    first, second = router_with({"f": {"split": low}}), router_with({"f": {"split": high}})
    assert second.flag("f", key).on or not first.flag("f", key).on


@pytest.mark.req("T5")
@pytest.mark.parametrize(
    ("definition", "on", "reason"),
    [
        ({}, True, "static"),
        ({"split": 0}, False, "static"),
        ({"enabled": False}, False, "disabled"),
        ({"enabled": False, "overrides": {"u1": "on"}}, False, "disabled"),
        ({"split": 0, "overrides": {"u1": "on"}}, True, "override"),
        ({"overrides": {"u1": "off"}}, False, "override"),
        ({"requires": {"base": "on"}}, False, "prerequisite"),
        ({"requires": {"base": "off"}}, True, "static"),
        ({"requires": {"layout": "b"}}, True, "static"),
        ({"requires": {"layout": "a"}}, False, "prerequisite"),
    ],
)
def test_the_rules_have_an_order(definition: dict[str, Any], on: bool, reason: str) -> None:
    """Disabled first, then prerequisites, then a fixed key, then the share."""
    others = {"base": {"split": 0}, "layout": {"variants": {"a": 0, "b": 10_000}}}
    found = router_with({**others, "f": definition}).flag("f", "u1")
    assert (bool(found), found.reason) == (on, reason)


@pytest.mark.req("T5")
def test_a_rule_decides_by_what_the_caller_says() -> None:
    """The first that matches, after a fixed key; without a match it is the default."""
    rules = [{"when": {"plan": ["pro", "team"]}, "variant": "new"}]
    layout = {"variants": {"old": 10_000, "new": 0}, "rules": rules, "overrides": {"u9": "old"}}
    router = router_with({"layout": layout, "panel": {"requires": {"layout": "new"}}})
    found = {
        (key, plan): router.variant("layout", key, {"plan": plan})[1:4:2]
        for key in ("u1", "u9")
        for plan in ("pro", "free")
    }
    assert found == {
        ("u1", "pro"): ("new", "rule"), ("u1", "free"): ("old", "default"),
        ("u9", "pro"): ("old", "override"), ("u9", "free"): ("old", "override"),
    }  # fmt: skip
    assert router.flag("panel", "u1", {"plan": "team"})
    assert not router.flag("panel", "u1")


@pytest.mark.req("R1", "T5")
def test_a_flag_that_follows_the_split_is_on_where_the_candidate_serves() -> None:
    """In the canary for its keys, in complete for all, and after a rollback for nobody, not
    even for those that an override fixes."""
    flag = {"f": {"follows_split": True, "overrides": {KEYS[0]: "on"}}}
    router = router_with(flag)
    for key in KEYS[:300]:
        assert router.flag("f", key).on == (router.route(key).system == "candidate")
    take(router, flag, "candidate_only", 10_000, 4)
    assert all(router.flag("f", key) for key in KEYS[:300])
    take(router, flag, "emergency_rollback", 0, 5)
    assert not any(router.flag("f", key) for key in KEYS[:300])
    assert router.flag("f", "u1").reason == "emergency_rollback"


@pytest.mark.req("INV7", "T5")
def test_when_redis_is_silent_the_candidates_flags_go_off_and_the_others_stay() -> None:
    """Legacy takes over with what belongs to it; a flag of its own has no safe side."""
    router = router_with({"mine": {"follows_split": True}, "other": {}}, "candidate_only", 10_000)
    router._held.expire(-1.0)
    assert router.flag("mine", "u1") == (False, "off", False, "stale", 0)
    assert router.flag("other", "u1").on


@pytest.mark.req("T9")
def test_variants_have_values_and_a_variant_for_off() -> None:
    """What a variant stands for, and what is given while the flag is off."""
    layout = {"variants": {"a": 10_000, "b": 0}, "values": {"a": {"columns": 3}}, "off": "b"}
    router = router_with({"layout": layout})
    assert router.variant("layout", "u1") == (True, "a", {"columns": 3}, "static", 0)
    take(router, {"layout": {**layout, "enabled": False}}, epoch=4)
    assert router.variant("layout", "u1") == (False, "b", "b", "disabled", 0)
    take(router, {"layout": {**layout, "enabled": False, "off": ""}}, epoch=5)
    assert router.variant("layout", "u1") == (False, "", None, "disabled", 0)


@pytest.mark.req("T5")
def test_without_a_key_only_what_holds_for_everybody_is_on() -> None:
    """A share or weights can't be decided without a key; 0 is a key, nothing is none."""
    router = router_with(
        {"part": {"split": 9999}, "all": {}, "layout": {"variants": {"a": 5000, "b": 5000}}}
    )
    assert router.flag("part") == (False, "off", False, "no_key", 0)
    assert router.flag("layout").reason == "no_key"
    assert router.flag("all").on
    assert router.flag("part", None) == router.flag("part", b"") == router.flag("part")
    assert router.flag("part", 0).reason == "split"
    mine = {"mine": {"follows_split": True}}
    assert router_with(mine).flag("mine").reason == "no_key"
    assert router_with(mine, "candidate_only", 10_000).flag("mine").on
    assert router_with(mine, "gradual", 10_000).flag("mine").on
    assert router_with(mine, "parallel").flag("mine").reason == "not_serving"


@pytest.mark.req("T5")
@pytest.mark.parametrize("word", ["true", "1", "yes", "on", "enabled", " Yes ", "ON"])
def test_the_environment_switches_on_what_no_document_defines(
    word: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """``FF_<NAME>``, in capitals and with underscores."""
    monkeypatch.setenv("FF_NEW_PANEL_2", word)
    assert router_with({}).flag("new-panel.2", "u1") == (True, "on", True, "environment", 0)


@pytest.mark.req("T5")
def test_a_live_change_beats_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """Otherwise a variable of the last deployment could undo what an operator did just now."""
    monkeypatch.setenv("FF_PANEL", "on")
    router = router_with({"panel": {"enabled": False}})
    assert not router.flag("panel", "u1")


@pytest.mark.req("T5")
def test_a_word_in_the_environment_that_is_neither_counts_as_not_set(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """It is said once, with the words that count."""
    monkeypatch.setenv("FF_PANEL", "maybe")
    router = router_with({})
    with caplog.at_level(logging.WARNING):
        assert router.flag("panel", "u1").reason == "unknown"
        assert router.flag("panel", "u1").reason == "unknown"
    assert [r for r in caplog.messages if "FF_PANEL is 'maybe'; use one of" in r] == [
        caplog.messages[0]
    ]


@pytest.mark.req("T5")
def test_an_unknown_flag_is_off_counted_and_warned_of_once(
    caplog: pytest.LogCaptureFixture,
) -> None:
    """The default is documented: off."""
    router = router_with({})
    with caplog.at_level(logging.WARNING):
        found = [router.flag("nobody", key) for key in KEYS[:3]]
    assert found == [(False, "off", False, "unknown", 0)] * 3
    assert router.counters["unknown_flag"] == 3
    assert len([line for line in caplog.messages if "unknown flag 'nobody'" in line]) == 1


@pytest.mark.req("INV7")
def test_before_the_first_document_no_flag_is_unknown() -> None:
    """Nobody can tell yet: it is off for that reason, and not counted."""
    router = Router("demo", "redis://127.0.0.1:1/0")
    assert router.flag("panel", "u1") == (False, "off", False, "cold_start", 0)
    assert router.counters["unknown_flag"] == 0


@pytest.mark.req("T6")
def test_each_viewer_sees_their_flags_and_nobody_the_internal_ones() -> None:
    """Public for all, then those signed in, then admins."""
    levels = ("public", "authenticated", "admin", "internal")
    router = router_with({name: {"visibility": name} for name in levels})
    assert set(router.flags()) == {"public"}
    assert set(router.flags("authenticated", "u1")) == {"public", "authenticated"}
    assert set(router.flags("admin")) == {"public", "authenticated", "admin"}
    with pytest.raises(InputError, match="unknown viewer 'internal'"):
        router.flags("internal")


@pytest.mark.req("T5")
def test_a_document_with_a_malformed_flag_is_refused_whole() -> None:
    """Weights that do not sum to 100 %: the router keeps the last good document and counts."""
    router = router_with({"panel": {}})
    take(router, {"panel": {"variants": {"a": 1}}}, epoch=9)
    assert router.epoch == 3
    assert router.flag("panel", "u1").on
    assert router.counters["malformed"] == 1


@pytest.mark.req("T9")
def test_a_changed_flag_leaves_who_serves_as_it_was() -> None:
    """The epoch grows with every document, ``turned`` only with the split."""
    router = router_with({"panel": {}})
    before = [router.route(key).system for key in KEYS[:200]]
    take(router, {"panel": {"split": 10}}, epoch=9)
    assert (router.epoch, router.turned) == (9, 1)
    assert [router.route(key).system for key in KEYS[:200]] == before
