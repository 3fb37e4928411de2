"""OpenFeature's published evaluation scenarios, against a real Router on a real Redis.

The flags and what is expected of them are those of the OpenFeature specification
(``evaluation.feature``, ``evaluation_v2.feature``, ``hooks.feature``, ``metadata.feature``,
``contextMerging.feature`` and their ``test-flags.json``), each flag written as one of ours.
"""

from __future__ import annotations

import asyncio
import copy
from collections.abc import Callable, Iterator
from typing import Any
from uuid import uuid4

import pytest
from openfeature import api
from openfeature.client import OpenFeatureClient
from openfeature.evaluation_context import EvaluationContext
from openfeature.exception import ErrorCode
from openfeature.flag_evaluation import FlagEvaluationDetails, FlagEvaluationOptions, Reason
from openfeature.hook import Hook, HookContext, HookHints
from openfeature.provider import ProviderStatus
from openfeature.transaction_context import ContextVarsTransactionContextPropagator

from switchover.machine.snapshot import Snapshot
from switchover.routing.openfeature import SwitchoverProvider
from switchover.routing.router import Router
from switchover.routing.store import RedisRoutingStore

pytestmark = pytest.mark.req("T12")

Details = FlagEvaluationDetails[Any]

PICTURES = {"showImages": True, "title": "Check out these pics!", "imagesPerPage": 100}
BALLMER = "ballmer@macrosoft.com"

#: Type to the variants of its plain flag (the last one is given), and to a zero and another value.
TYPES: dict[str, tuple[dict[str, Any], Any, Any]] = {
    "boolean": ({"off": False, "on": True}, False, True),
    "string": ({"parting": "bye", "greeting": "hi"}, "", "str"),
    "integer": ({"one": 1, "ten": 10}, 0, 1),
    "float": ({"tenth": 0.1, "half": 0.5}, 0.0, 1.0),
    "object": ({"empty": {}, "template": PICTURES}, {}, PICTURES),
}
#: What the callers of the scenarios fall back to.
DEFAULTS = {"boolean": False, "string": "bye", "integer": 1, "float": 0.1, "object": {"a": 1}}


def always(variant: str, values: dict[str, Any], **more: Any) -> dict[str, Any]:
    """A flag that gives ``variant`` to everybody."""
    weights = {name: 10_000 if name == variant else 0 for name in values}
    return {"variants": weights, "values": values, **more}


def published_flags() -> dict[str, dict[str, Any]]:
    """The specification's test flags; the yes/no ones without anything special need no variants."""
    flags: dict[str, dict[str, Any]] = {}
    for kind, (values, zero, other) in TYPES.items():
        plain = {} if kind == "boolean" else always(list(values)[-1], values)
        ends = {"zero": zero, "non-zero": other}
        rule = {"when": {"email": BALLMER}, "variant": "zero"}
        flags[f"{kind}-flag"] = plain
        flags[f"{kind}-disabled-flag"] = {**plain, "enabled": False}
        flags[f"{kind}-zero-flag"] = always("zero", ends)
        flags[f"{kind}-targeted-zero-flag"] = always("zero", ends, rules=[rule])
    sides = {"internal": "INTERNAL", "external": "EXTERNAL"}
    who = {"fn": "Sulisław", "ln": "Świętopełk", "age": 29, "customer": False}
    adult = {"customer": False, "email": BALLMER, "age": {"above": 10}}
    flags["context-aware"] = always("external", sides, rules=[{"when": who, "variant": "internal"}])
    flags["complex-targeted"] = always(
        "external", sides, rules=[{"when": adult, "variant": "internal"}]
    )
    flags["wrong-flag"] = always("one", {"one": "uno", "two": "dos"})
    flags["metadata-flag"] = {
        "metadata": {"string": "1.0.2", "integer": 2, "float": 0.1, "boolean": True}
    }
    return flags


@pytest.fixture(scope="module")
def router(redis_url: str) -> Iterator[Router]:
    """A router that follows a document with the published flags."""
    name = f"published-{uuid4().hex}"
    RedisRoutingStore(redis_url).write(Snapshot(name, 1, flags=published_flags()))
    with Router(name, redis_url) as router:
        yield router


@pytest.fixture(scope="module")
def domain(router: Router) -> Iterator[str]:
    """An OpenFeature domain whose provider is ours, ready."""
    name = f"domain-{uuid4().hex}"
    api.set_provider_and_wait(SwitchoverProvider(router, ready_timeout=20, provenance=False), name)
    yield name
    api.clear_providers()


@pytest.fixture
def client(domain: str) -> OpenFeatureClient:
    return api.get_client(domain)


Ask = Callable[..., Details]


@pytest.fixture(params=["sync", "async"])
def ask(request: pytest.FixtureRequest, client: OpenFeatureClient) -> Ask:
    """Evaluates with details by both kinds of methods: ``ask(kind, flag, default, **context)``."""

    def evaluate(kind: str, flag: str, default: Any, **attributes: Any) -> Details:
        context = EvaluationContext(attributes=attributes)
        if request.param == "sync":
            details: Details = getattr(client, f"get_{kind}_details")(flag, default, context)
            return details
        method = getattr(client, f"get_{kind}_details_async")
        return asyncio.run(method(flag, default, context))

    return evaluate


def same(found: Any, wanted: Any) -> bool:
    """Equal and of one type, as in Python ``0 == 0.0 == False``."""
    return type(found) is type(wanted) and found == wanted


@pytest.mark.parametrize("kind", TYPES)
def test_each_type_is_resolved_with_variant_and_reason(ask: Ask, kind: str) -> None:
    """A flag that is the same for everybody gives its value, its variant and STATIC."""
    variant, value = list(TYPES[kind][0].items())[-1]
    details = ask(kind, f"{kind}-flag", DEFAULTS[kind])
    assert same(details.value, value)
    assert (details.flag_key, details.variant) == (f"{kind}-flag", variant)
    assert (details.reason, details.error_code) == (Reason.STATIC, None)


@pytest.mark.parametrize("kind", TYPES)
def test_values_alone_are_resolved(client: OpenFeatureClient, kind: str) -> None:
    """The methods without details give the same values."""
    value = list(TYPES[kind][0].values())[-1]
    assert same(getattr(client, f"get_{kind}_value")(f"{kind}-flag", DEFAULTS[kind]), value)
    asked = getattr(client, f"get_{kind}_value_async")(f"{kind}-flag", DEFAULTS[kind])
    assert same(asyncio.run(asked), value)


@pytest.mark.parametrize("kind", TYPES)
def test_zero_values_are_values(ask: Ask, kind: str) -> None:
    """False, 0 and what is empty are not mistaken for nothing."""
    _, zero, other = TYPES[kind]
    details = ask(kind, f"{kind}-zero-flag", other)
    assert same(details.value, zero)
    assert (details.variant, details.reason) == ("zero", Reason.STATIC)


@pytest.mark.parametrize("kind", TYPES)
@pytest.mark.parametrize(
    ("context", "reason"),
    [
        ({"email": BALLMER}, Reason.TARGETING_MATCH),
        ({"email": "ballmer@none.com"}, Reason.DEFAULT),
        ({"email": None}, Reason.DEFAULT),
        ({}, Reason.DEFAULT),
    ],
)
def test_rules_say_whether_they_matched(
    ask: Ask, kind: str, context: dict[str, Any], reason: Reason
) -> None:
    """A rule that matches is TARGETING_MATCH; another, a null and no context are DEFAULT."""
    _, zero, other = TYPES[kind]
    details = ask(kind, f"{kind}-targeted-zero-flag", other, **context)
    assert same(details.value, zero)
    assert details.reason == reason


def test_context_with_all_attributes_is_targeted(ask: Ask) -> None:
    """Four attributes of three types must match; an empty context gets the flag's default."""
    who = {"fn": "Sulisław", "ln": "Świętopełk", "age": 29, "customer": False}
    assert ask("string", "context-aware", "EXTERNAL", **who).value == "INTERNAL"
    assert ask("string", "context-aware", "EXTERNAL", **who | {"age": 30}).value == "EXTERNAL"
    assert ask("string", "context-aware", "none").value == "EXTERNAL"


def test_comparison_and_equality_are_targeted_together(ask: Ask) -> None:
    """Attributes that no rule asks for don't matter, all that it asks for do."""
    who = {"email": BALLMER, "role": "admin", "age": 65, "customer": False}
    details = ask("string", "complex-targeted", "default", **who)
    assert (details.value, details.reason) == ("INTERNAL", Reason.TARGETING_MATCH)
    details = ask("string", "complex-targeted", "default", **who | {"age": 10})
    assert (details.value, details.reason) == ("EXTERNAL", Reason.DEFAULT)


@pytest.mark.parametrize("kind", TYPES)
@pytest.mark.parametrize("flag", ["missing-flag", "non-existent-flag"])
def test_unknown_flag_gives_the_default_and_says_so(ask: Ask, kind: str, flag: str) -> None:
    """FLAG_NOT_FOUND, as an error of the evaluation and not as an exception."""
    details = ask(kind, flag, DEFAULTS[kind])
    assert same(details.value, DEFAULTS[kind])
    assert (details.reason, details.error_code) == (Reason.ERROR, ErrorCode.FLAG_NOT_FOUND)


@pytest.mark.parametrize(
    ("kind", "flag"),
    [
        ("integer", "wrong-flag"),
        ("boolean", "wrong-flag"),
        ("boolean", "string-flag"),
        ("string", "boolean-flag"),
        ("integer", "boolean-flag"),
        ("float", "boolean-flag"),
        ("object", "boolean-flag"),
        ("integer", "float-flag"),
        ("string", "object-flag"),
    ],
)
def test_wrong_type_gives_the_default_and_says_so(ask: Ask, kind: str, flag: str) -> None:
    """TYPE_MISMATCH: no value is bent into another type, and a bool is no number."""
    details = ask(kind, flag, DEFAULTS[kind])
    assert same(details.value, DEFAULTS[kind])
    assert (details.reason, details.error_code) == (Reason.ERROR, ErrorCode.TYPE_MISMATCH)
    assert details.variant is None


@pytest.mark.parametrize("kind", TYPES)
def test_disabled_flag_gives_the_default_and_says_so(ask: Ask, kind: str) -> None:
    """DISABLED is a normal answer: there is no error."""
    details = ask(kind, f"{kind}-disabled-flag", DEFAULTS[kind])
    assert same(details.value, DEFAULTS[kind])
    assert (details.reason, details.error_code) == (Reason.DISABLED, None)


@pytest.mark.parametrize("kind", TYPES)
def test_second_evaluation_is_as_fresh_as_the_first(ask: Ask, kind: str) -> None:
    """Nothing is cached between evaluations, so none ever says CACHED."""
    details = [ask(kind, f"{kind}-flag", DEFAULTS[kind]) for _ in range(2)]
    assert details[0] == details[1]
    assert details[1].reason == Reason.STATIC


@pytest.mark.parametrize("kind", TYPES)
def test_provider_that_was_not_started_is_not_ready(redis_url: str, kind: str) -> None:
    """The provider itself says so too, to those who ask it without a client."""
    provider = SwitchoverProvider(Router(f"idle-{uuid4().hex}", redis_url))
    details = getattr(provider, f"resolve_{kind}_details")(f"{kind}-flag", DEFAULTS[kind])
    assert same(details.value, DEFAULTS[kind])
    assert (details.reason, details.error_code) == (Reason.ERROR, ErrorCode.PROVIDER_NOT_READY)


def test_flag_metadata_reaches_the_caller(ask: Ask) -> None:
    """Texts, numbers and bools of the definition arrive as they are."""
    details = ask("boolean", "metadata-flag", True)
    wanted = {"string": "1.0.2", "integer": 2, "float": 0.1, "boolean": True}
    assert details.flag_metadata == wanted
    assert {name: type(it) for name, it in details.flag_metadata.items()} == {
        name: type(it) for name, it in wanted.items()
    }


@pytest.mark.parametrize("kind", ["boolean", "integer", "float", "string"])
def test_flag_without_metadata_has_none(ask: Ask, kind: str) -> None:
    """Without ``provenance`` nothing is added to what the flag's definition says."""
    assert dict(ask(kind, f"{kind}-flag", DEFAULTS[kind]).flag_metadata) == {}


def test_provenance_names_where_an_answer_comes_from(router: Router) -> None:
    """By default the metadata carry migration, version, epoch, component and visibility."""
    domain = f"domain-{uuid4().hex}"
    api.set_provider_and_wait(SwitchoverProvider(router, ready_timeout=20), domain)
    details = api.get_client(domain).get_boolean_details("metadata-flag", False)
    assert details.flag_metadata == {
        **published_flags()["metadata-flag"]["metadata"],
        "flagSetId": router.migration,
        "version": 0,
        "epoch": 1,
        "reason": "static",
        "component": "",
        "visibility": "internal",
    }


class Witness(Hook):
    """Notes which stages it saw, in one list with the others."""

    def __init__(self, name: str, seen: list[tuple[str, str]]) -> None:
        self.name, self.seen = name, seen
        self.final: Details | None = None

    def before(self, hook_context: HookContext, hints: HookHints) -> None:
        self.seen.append(("before", self.name))

    def after(self, hook_context: HookContext, details: Details, hints: HookHints) -> None:
        self.seen.append(("after", self.name))

    def error(self, hook_context: HookContext, exception: Exception, hints: HookHints) -> None:
        self.seen.append(("error", self.name))

    def finally_after(self, hook_context: HookContext, details: Details, hints: HookHints) -> None:
        self.seen.append(("finally", self.name))
        self.final = details


@pytest.mark.parametrize(
    ("kind", "flag", "default", "stage", "told"),
    [
        ("boolean", "boolean-flag", False, "after", (True, "on", "STATIC", None)),
        ("string", "missing-flag", "uh-oh", "error", ("uh-oh", None, "ERROR", "FLAG_NOT_FOUND")),
        ("boolean", "wrong-flag", False, "error", (False, None, "ERROR", "TYPE_MISMATCH")),
    ],
)
def test_hooks_are_told_what_the_caller_is_told(
    client: OpenFeatureClient, kind: str, flag: str, default: Any, stage: str, told: Any
) -> None:
    """The client's hooks see every stage and the same details, with an error too."""
    witness = Witness("client", [])
    client.add_hooks([witness])
    getattr(client, f"get_{kind}_details")(flag, default)
    assert [name for name, _ in witness.seen] == ["before", stage, "finally"]
    final = witness.final
    assert final is not None
    assert (final.flag_key, final.value) == (flag, told[0])
    assert (final.variant, final.reason, final.error_code) == told[1:]


def test_hooks_of_one_evaluation_keep_their_order(client: OpenFeatureClient) -> None:
    """In order before, in reverse after."""
    seen: list[tuple[str, str]] = []
    options = FlagEvaluationOptions(hooks=[Witness("first", seen), Witness("second", seen)])
    client.get_boolean_details("boolean-flag", False, flag_evaluation_options=options)
    assert seen[:4] == [
        ("before", "first"),
        ("before", "second"),
        ("after", "second"),
        ("after", "first"),
    ]
    assert seen[4:] == [("finally", "second"), ("finally", "first")]


@pytest.mark.parametrize("level", ["API", "transaction", "client", "invocation", "hook"])
def test_context_of_every_level_reaches_the_rules(client: OpenFeatureClient, level: str) -> None:
    """What is said on one level counts, and on a later one replaces what was said before."""
    order = ["API", "transaction", "client", "invocation", "hook"]
    emails = dict.fromkeys(order[: order.index(level)], "ballmer@none.com") | {level: BALLMER}
    said = {name: EvaluationContext(attributes={"email": emails[name]}) for name in emails}

    class Adding(Hook):
        def before(self, hook_context: HookContext, hints: HookHints) -> EvaluationContext | None:
            return said.get("hook")

    nothing = EvaluationContext()
    api.set_transaction_context_propagator(ContextVarsTransactionContextPropagator())
    try:
        api.set_evaluation_context(said.get("API", nothing))
        api.set_transaction_context(said.get("transaction", nothing))
        client.context = said.get("client", nothing)
        options = FlagEvaluationOptions(hooks=[Adding()])
        details = client.get_string_details(
            "string-targeted-zero-flag", "x", said.get("invocation"), options
        )
    finally:
        api.set_evaluation_context(nothing)
        api.set_transaction_context(nothing)
    assert details.reason == Reason.TARGETING_MATCH


def test_evaluation_changes_neither_context_nor_flag(client: OpenFeatureClient) -> None:
    """The caller's context stays as it was; what it does to an answer reaches no other."""
    context = EvaluationContext("ada", {"email": BALLMER, "roles": ["a"]})
    before = copy.deepcopy(context)
    first = client.get_object_details("object-flag", {}, context)
    assert context == before
    assert isinstance(first.value, dict)
    first.value.clear()
    assert client.get_object_value("object-flag", {}, context) == PICTURES
    described = client.get_boolean_details("metadata-flag", False)
    assert isinstance(described.flag_metadata, dict)
    described.flag_metadata.clear()
    assert client.get_boolean_details("metadata-flag", False).flag_metadata


def test_client_tells_that_the_provider_is_ready(client: OpenFeatureClient) -> None:
    """And who it is."""
    assert client.get_provider_status() == ProviderStatus.READY
    assert client.provider.get_metadata().name == "Switchover"
