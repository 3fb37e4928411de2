"""The SDKs beside which routing is measured, each set up to evaluate in process and send nothing.

Each function gives the contenders of one peer: a flag that is on for 25 % of the keys, sticky by
key, asked in the way that is fastest of those its documentation shows.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

FLAG = "checkout"
PERCENT = 25


@dataclass(frozen=True, slots=True)
class Contender:
    """One way to decide: ``decide`` takes what ``prepare`` makes of a key, outside the clock.

    ``on`` reads the answer. ``package`` is the distribution measured, empty for none.
    """

    name: str
    package: str
    setting: str
    decide: Callable[[Any], Any]
    on: Callable[[Any], bool] = bool
    prepare: Callable[[str], Any] = str


def growthbook(folder: Path, stack: ExitStack) -> Iterator[Contender]:
    from growthbook import GrowthBook

    client = GrowthBook(
        features={
            FLAG: {
                "defaultValue": False,
                "rules": [{"force": True, "coverage": PERCENT / 100, "hashAttribute": "id"}],
            }
        }
    )
    stack.callback(client.destroy)

    def decide(key: str) -> bool:
        client.set_attributes({"id": key})
        return bool(client.is_on(FLAG))

    yield Contender(
        "GrowthBook",
        "growthbook",
        "one object for all keys, set_attributes and is_on; no client key, no callbacks",
        decide,
    )


def openfeature(folder: Path, stack: ExitStack) -> Iterator[Contender]:
    from openfeature import api
    from openfeature.evaluation_context import EvaluationContext
    from openfeature.flag_evaluation import FlagResolutionDetails, Reason
    from openfeature.provider.in_memory_provider import InMemoryFlag, InMemoryProvider
    from xxhash import xxh3_64_intdigest

    def evaluate(flag: Any, context: Any) -> Any:
        point = xxh3_64_intdigest(f"{FLAG}:{context.targeting_key}".encode()) % 100
        variant = "on" if point < PERCENT else "off"
        return FlagResolutionDetails(flag.variants[variant], variant=variant, reason=Reason.SPLIT)

    flag = InMemoryFlag("off", {"on": True, "off": False}, context_evaluator=evaluate)
    api.set_provider(InMemoryProvider({FLAG: flag}))
    stack.callback(api.shutdown)
    client = api.get_client()
    setting = "in-memory provider; it has no percentages, so the flag's evaluator hashes with xxh3"
    yield Contender(
        "OpenFeature, in memory",
        "openfeature-sdk",
        setting,
        lambda key: client.get_boolean_value(FLAG, False, EvaluationContext(key)),
    )
    yield Contender(
        "OpenFeature, context at hand",
        "openfeature-sdk",
        "the same, with the evaluation context made beforehand",
        lambda context: client.get_boolean_value(FLAG, False, context),
        prepare=EvaluationContext,
    )


def flagsmith(folder: Path, stack: ExitStack) -> Iterator[Contender]:
    from flagsmith import Flagsmith
    from flagsmith.offline_handlers import LocalFileHandler

    def state(number: int, enabled: bool) -> dict[str, Any]:
        return {
            "django_id": number,
            "featurestate_uuid": f"00000000-0000-4000-8000-{number:012}",
            "feature": {"id": 1, "name": FLAG, "type": "STANDARD"},
            "enabled": enabled,
            "feature_state_value": None,
            "multivariate_feature_state_values": [],
            **({"feature_segment": {"priority": 0}} if enabled else {}),
        }

    share = {"operator": "PERCENTAGE_SPLIT", "value": str(PERCENT), "property_": ""}
    segment = {
        "id": 1,
        "name": "rollout",
        "rules": [
            {"type": "ALL", "conditions": [], "rules": [
                {"type": "ANY", "conditions": [share], "rules": []}]}
        ],
        "feature_states": [state(2, True)],
    }  # fmt: skip
    document = {
        "id": 1,
        "api_key": "offline",
        "name": "benchmark",
        "project": {"id": 1, "name": "benchmark", "segments": [segment]},
        "feature_states": [state(1, False)],
        "identity_overrides": [],
    }
    file = folder / "flagsmith.json"
    file.write_text(json.dumps(document), encoding="utf-8")
    client = Flagsmith(offline_mode=True, offline_handler=LocalFileHandler(str(file)))
    yield Contender(
        "Flagsmith",
        "flagsmith",
        "offline mode, environment document with one segment of PERCENTAGE_SPLIT; "
        "get_identity_flags and is_feature_enabled",
        lambda key: client.get_identity_flags(key).is_feature_enabled(FLAG),
    )


def launchdarkly(folder: Path, stack: ExitStack) -> Iterator[Contender]:
    from ldclient import Context, LDClient
    from ldclient.config import Config
    from ldclient.integrations import Files

    flag = {
        "key": FLAG,
        "version": 1,
        "on": True,
        "variations": [True, False],
        "offVariation": 1,
        "salt": FLAG,
        "fallthrough": {
            "rollout": {
                "variations": [
                    {"variation": 0, "weight": PERCENT * 1000},
                    {"variation": 1, "weight": (100 - PERCENT) * 1000},
                ]
            }
        },
        "targets": [],
        "rules": [],
        "prerequisites": [],
    }
    file = folder / "launchdarkly.json"
    file.write_text(json.dumps({"flags": {FLAG: flag}, "segments": {}}), encoding="utf-8")
    source = Files.new_data_source(paths=[str(file)], auto_update=False)
    client = LDClient(
        Config(
            "sdk-offline",
            update_processor_class=source,
            send_events=False,
            diagnostic_opt_out=True,
        )
    )
    stack.callback(client.close)
    setting = "flags from a file, events and diagnostics off; percentage rollout by context key"
    yield Contender(
        "LaunchDarkly",
        "launchdarkly-server-sdk",
        setting,
        lambda key: client.variation(FLAG, Context.create(key), False),
    )
    yield Contender(
        "LaunchDarkly, context at hand",
        "launchdarkly-server-sdk",
        "the same, with the context made beforehand",
        lambda context: client.variation(FLAG, context, False),
        prepare=Context.create,
    )


def unleash(folder: Path, stack: ExitStack) -> Iterator[Contender]:
    from UnleashClient import UnleashClient
    from UnleashClient.cache import FileCache

    parameters = {"rollout": str(PERCENT), "stickiness": "userId", "groupId": FLAG}
    strategy = {"name": "flexibleRollout", "parameters": parameters, "constraints": []}
    feature = {"name": FLAG, "enabled": True, "strategies": [strategy], "variants": []}
    cache = FileCache("benchmark", directory=str(folder / "unleash"))
    cache.bootstrap_from_dict({"version": 2, "features": [feature]})
    client = UnleashClient(
        url="http://127.0.0.1:9/api",
        app_name="benchmark",
        cache=cache,
        disable_metrics=True,
        disable_registration=True,
        refresh_interval=86_400,
    )
    client.initialize_client(fetch_toggles=False)
    stack.callback(client.destroy)
    yield Contender(
        "Unleash",
        "UnleashClient",
        "bootstrapped, nothing fetched, metrics and registration off; flexibleRollout by userId",
        lambda key: client.is_enabled(FLAG, {"userId": key}),
    )


#: Each peer's way in.
PEERS = (growthbook, openfeature, flagsmith, launchdarkly, unleash)
