"""What our own kinds of flags are through OpenFeature: the same as through the router."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any
from uuid import uuid4

import pytest
from openfeature import api
from openfeature.client import OpenFeatureClient
from openfeature.evaluation_context import EvaluationContext
from openfeature.exception import ErrorCode
from openfeature.flag_evaluation import FlagEvaluationDetails, Reason

from switchover.machine.snapshot import Snapshot
from switchover.routing.openfeature import SwitchoverProvider
from switchover.routing.router import Router
from switchover.routing.store import RedisRoutingStore

pytestmark = pytest.mark.req("T12")

KEYS = [f"user-{number}" for number in range(200)]

COLOURS = {"variants": {"red": 3_000, "blue": 7_000}}
FLAGS: dict[str, dict[str, Any]] = {
    "half": {"split": 5_000, "overrides": {"vip": "on"}, "visibility": "public", "version": 7},
    "colour": {**COLOURS, "rules": [{"when": {"plan": "pro"}, "variant": "red"}]},
    "theirs": {"follows_split": True, "component": "panel"},
    "needs-half": {"requires": {"half": "on"}},
    "plain-when-off": {"enabled": False, **COLOURS, "off": "blue"},
    "nothing-when-off": {"enabled": False, **COLOURS},
}


@pytest.fixture(scope="module")
def router(redis_url: str) -> Iterator[Router]:
    name = f"ours-{uuid4().hex}"
    RedisRoutingStore(redis_url).write(Snapshot(name, 3, "gradual", 5_000, salt="s", flags=FLAGS))
    with Router(name, redis_url) as router:
        yield router


@pytest.fixture(scope="module")
def client(router: Router) -> Iterator[OpenFeatureClient]:
    domain = f"domain-{uuid4().hex}"
    api.set_provider_and_wait(SwitchoverProvider(router, ready_timeout=20), domain)
    yield api.get_client(domain)
    api.clear_providers()


def boolean(client: OpenFeatureClient, flag: str, key: str) -> FlagEvaluationDetails[bool]:
    return client.get_boolean_details(flag, False, EvaluationContext(key))


@pytest.mark.req("T5")
def test_targeting_key_is_the_routers_key(client: OpenFeatureClient, router: Router) -> None:
    """Both ways give every key the same; the reason is SPLIT, and version and epoch are told."""
    for key in KEYS:
        details = boolean(client, "half", key)
        assert details.value is router.flag("half", key).on
        assert details.reason == Reason.SPLIT
    metadata = boolean(client, "half", "vip").flag_metadata
    assert (metadata["version"], metadata["epoch"]) == (7, 3)
    assert (metadata["visibility"], metadata["reason"]) == ("public", "override")


def test_overridden_key_is_targeted(client: OpenFeatureClient) -> None:
    """A key that the flag fixes is a case of its own."""
    details = boolean(client, "half", "vip")
    assert (details.value, details.reason) == (True, Reason.TARGETING_MATCH)


@pytest.mark.parametrize("context", [None, EvaluationContext(), EvaluationContext("")])
def test_percentage_without_a_key_is_an_error(
    client: OpenFeatureClient, context: EvaluationContext | None
) -> None:
    """TARGETING_KEY_MISSING and the caller's default, for shares and for weights."""
    yes_no = client.get_boolean_details("half", True, context)
    assert (yes_no.value, yes_no.error_code) == (True, ErrorCode.TARGETING_KEY_MISSING)
    weights = client.get_string_details("colour", "green", context)
    assert (weights.value, weights.error_code) == ("green", ErrorCode.TARGETING_KEY_MISSING)


@pytest.mark.req("T9")
def test_variants_are_the_routers(client: OpenFeatureClient, router: Router) -> None:
    """A variant without a value of its own stands for its name."""
    for key in KEYS:
        details = client.get_string_details("colour", "green", EvaluationContext(key))
        assert details.value == details.variant == router.variant("colour", key).variant
        assert details.reason == Reason.SPLIT


def test_rule_comes_before_the_weights(client: OpenFeatureClient, router: Router) -> None:
    """Everybody whom it matches gets its variant, with and without a key."""
    pro = {"plan": "pro"}
    for key in [None, *KEYS]:
        details = client.get_string_details("colour", "green", EvaluationContext(key, pro))
        assert (details.value, details.reason) == ("red", Reason.TARGETING_MATCH)
    assert router.variant("colour", "user-1", pro).reason == "rule"


def test_candidates_flag_follows_the_split(client: OpenFeatureClient, router: Router) -> None:
    """It is on for exactly the keys that the candidate serves."""
    for key in KEYS:
        details = boolean(client, "theirs", key)
        assert details.value is (router.route(key).system == "candidate")
        assert details.flag_metadata["component"] == "panel"


def test_unmet_prerequisite_disables(client: OpenFeatureClient, router: Router) -> None:
    """DISABLED where the other flag is off for the key, and the metadata tell it apart."""
    for key in KEYS:
        details = boolean(client, "needs-half", key)
        assert details.value is router.flag("half", key).on
        if not details.value:
            assert details.reason == Reason.DISABLED
            assert details.flag_metadata["reason"] == "prerequisite"


def test_disabled_flag_gives_its_off_variant_or_the_default(client: OpenFeatureClient) -> None:
    """What the definition says beats the caller, who is asked where it says nothing."""
    said = client.get_string_details("plain-when-off", "green")
    assert (said.value, said.variant, said.reason) == ("blue", "blue", Reason.DISABLED)
    silent = client.get_string_details("nothing-when-off", "green")
    assert (silent.value, silent.variant, silent.reason) == ("green", None, Reason.DISABLED)


@pytest.mark.req("T5")
def test_environments_flag_is_static(
    client: OpenFeatureClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    """``FF_<NAME>`` counts where the document has no such flag; it has no version."""
    monkeypatch.setenv("FF_NEW_MENU", "enabled")
    details = client.get_boolean_details("new-menu", False)
    assert (details.value, details.variant, details.reason) == (True, "on", Reason.STATIC)
    assert details.flag_metadata["version"] == 0
    assert details.flag_metadata["reason"] == "environment"
