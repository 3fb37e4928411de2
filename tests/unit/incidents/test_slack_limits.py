"""Slack's limits, by its SDK's own models and by the stand-in, for any text at all."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from slack_sdk.models.blocks import Block

from switchover.incidents.record import Incident
from switchover.incidents.slack_blocks import rollback_blocks, rollback_text
from switchover.incidents.slack_decision import ACKNOWLEDGE
from switchover.incidents.slack_limits import (
    CUT,
    MAX_BUTTON,
    MAX_CONFIRM,
    MAX_ID,
    MAX_TEXT,
    MAX_VALUE,
    clip,
    fit,
)
from switchover.incidents.slack_thread import thread_text
from switchover.testing.slack import refusal

Make = Callable[..., Incident]
LONG = st.text(max_size=60).flatmap(
    lambda text: st.integers(0, 200).map(lambda times: text * times)
)
SAME = settings(
    max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)


def accepted(blocks: list[dict[str, Any]]) -> None:
    """Slack takes them: by the models of its SDK, and by the stand-in's rules."""
    for block in Block.parse_all(blocks):
        assert block is not None
        block.validate_json()
    assert refusal({"text": "x", "blocks": blocks}) == ""


@pytest.mark.req("P9")
@SAME
@given(title=LONG, reason=LONG, actor=LONG, trigger=LONG, flags=st.lists(LONG, max_size=4))
def test_any_alert_is_one_that_slack_takes(
    incident: Incident, title: str, reason: str, actor: str, trigger: str, flags: list[str]
) -> None:
    """However long a reason, a name or a list of flags is, and with its button."""
    told = replace(
        incident, title=title, reason=reason, actor=actor, trigger=trigger,
        components=tuple(flags), compensations=tuple(flags),
    )  # fmt: skip
    accepted(rollback_blocks(told, buttons=True))
    assert len(clip(rollback_text(told), MAX_TEXT)) <= MAX_TEXT


TEXT = st.fixed_dictionaries({"type": st.just("plain_text"), "text": LONG})
BUTTON = st.fixed_dictionaries(
    {
        "type": st.just("button"), "action_id": LONG.filter(bool), "text": TEXT, "value": LONG,
        "confirm": st.fixed_dictionaries(dict.fromkeys(MAX_CONFIRM, TEXT)),
    }
)  # fmt: skip
FIELD = st.fixed_dictionaries(
    {
        "type": st.just("plain_text_input"), "action_id": st.just("a"), "placeholder": TEXT,
    }
)  # fmt: skip
BLOCKS = st.lists(
    st.one_of(
        st.fixed_dictionaries({"type": st.just("header"), "text": TEXT}),
        st.fixed_dictionaries({"type": st.just("section"), "text": TEXT}),
        st.fixed_dictionaries(
            {"type": st.just("section"), "fields": st.lists(TEXT, min_size=1, max_size=12)}
        ),
        st.fixed_dictionaries(
            {"type": st.just("context"), "elements": st.lists(TEXT, min_size=1, max_size=12)}
        ),
        st.fixed_dictionaries(
            {"type": st.just("actions"), "elements": st.lists(BUTTON, min_size=1, max_size=3)}
        ),
        st.fixed_dictionaries(
            {"type": st.just("input"), "block_id": LONG, "label": TEXT, "element": FIELD}
        ),
    ),
    max_size=60,
)


@pytest.mark.req("P9")
@SAME
@given(BLOCKS)
def test_any_blocks_are_cut_to_what_slack_takes(blocks: list[dict[str, Any]]) -> None:
    """Every limit of Block Kit: blocks, texts, fields, labels, buttons, values and dialogs."""
    fitted = fit(blocks)
    assert refusal({"text": "x", "blocks": fitted}) == ""
    assert fit(fitted) == fitted or len(blocks) > 50


@pytest.mark.req("P9")
def test_a_button_is_cut_to_its_own_limits() -> None:
    """Slack takes 75 characters on it, 255 in its id, 2,000 as its value, 30 on the dialog's."""
    text = {"type": "plain_text", "text": "x" * 4000}
    button = {"type": "button", "action_id": "i" * 400, "text": text, "value": "v" * 4000,
              "confirm": dict.fromkeys(MAX_CONFIRM, text)}  # fmt: skip
    (found,) = fit([{"type": "actions", "elements": [button]}])[0]["elements"]
    assert len(found["text"]["text"]) == MAX_BUTTON
    assert (len(found["action_id"]), len(found["value"])) == (MAX_ID, MAX_VALUE)
    assert {name: len(part["text"]) for name, part in found["confirm"].items()} == MAX_CONFIRM


@pytest.mark.req("P9")
def test_what_is_cut_is_not_lost(make_incident: Make) -> None:
    """The message says where the rest is, and the incident has every character."""
    reason = "the cache was stale, " * 400
    incident = make_incident(reason=reason)
    said = json.dumps(rollback_blocks(incident), ensure_ascii=False)
    assert reason not in said
    assert CUT in said
    assert "switchover incident show mood-1" in said
    assert incident.reason == reason


@pytest.mark.req("P9")
def test_the_button_goes_when_somebody_looks_after_it(make_incident: Make) -> None:
    """And where no click would come back; the message names who it is."""
    seen = make_incident(("incident_acknowledged", {}))
    assert ACKNOWLEDGE in json.dumps(rollback_blocks(make_incident(), buttons=True))
    assert ACKNOWLEDGE not in json.dumps(rollback_blocks(make_incident()))
    said = json.dumps(rollback_blocks(seen, buttons=True))
    assert ACKNOWLEDGE not in said
    assert "*Looked after by*\\nada" in said


ANALYSIS = ("incident_updated", {"root_cause": "a stale cache", "impact": "none",
            "actions": [{"text": "pin it"}], "prevention": "a test"})  # fmt: skip


@pytest.mark.req("P9")
@pytest.mark.parametrize(
    ("events", "what", "said"),
    [
        ([], "measured", "Mitigated: all 3 live routers"),
        ([("incident_acknowledged", {})], "acknowledged", "ada looks after it"),
        ([ANALYSIS], "analysed", "Root cause: a stale cache (actions: 1)"),
        ([ANALYSIS, ("incident_closed", {"note": "done"})], "closed", "closed by ada: done"),
        ([("incident_updated", {"mitigated": "by hand"})], "mitigated", "Mitigated: by hand"),
        ([ANALYSIS], "", ""),
    ],
)
def test_the_thread_is_told_what_changed(
    make_incident: Make, events: list[Any], what: str, said: str
) -> None:
    """One reply for each thing; what nobody needs to be told says nothing."""
    found = thread_text(make_incident(*events), what)
    assert said in found
    assert bool(found) == bool(said)


@pytest.mark.req("R4", "P9")
def test_the_thread_is_told_of_every_wave(make_incident: Make) -> None:
    """A failed one with its probes and as critical; the last one that passes ends the alarm."""
    waves = ["immediate", "business"]

    def wave(name: str, ok: bool) -> tuple[str, dict[str, Any]]:
        results = [{"name": "orders", "ok": ok, "summary": "x"}]
        return "wave_validated", {"wave": name, "ok": ok, "summary": "s", "results": results}

    assert "Turned" in thread_text(make_incident(waves=waves), "measured")
    failed = make_incident(wave("immediate", False), waves=waves)
    assert "CRITICAL: validation immediate failed (orders)" in thread_text(failed, "wave:immediate")
    first = make_incident(wave("immediate", True), waves=waves)
    assert "Still to come: business" in thread_text(first, "wave:immediate")
    both = make_incident(wave("immediate", True), wave("business", True), waves=waves)
    assert "Mitigated" in thread_text(both, "wave:business")
    assert thread_text(both, "wave:unknown") == ""


@pytest.mark.req("P9")
def test_the_thread_cannot_page_the_channel_or_tell_a_secret(make_incident: Make) -> None:
    """What people wrote is escaped and redacted there, too."""
    update = {**ANALYSIS[1], "root_cause": "<!channel> password=hunter22"}
    said = thread_text(make_incident(("incident_updated", update)), "analysed")
    assert "<!channel>" not in said
    assert "hunter22" not in said
