"""`switchover flags list|get|set|remove`: a migration's feature flags."""

from __future__ import annotations

import json as codec
from collections.abc import Sequence
from dataclasses import asdict
from typing import Annotated, Any

import typer

from switchover.cli.session import (
    Actor,
    Json,
    Migration,
    Reason,
    actor_or_login,
    connect,
    facts_table,
    print_json,
    say,
    table,
    verb,
)
from switchover.engine.set_flag import FlagOutcome, find_flag, flags_of, remove_flag, set_flag
from switchover.errors import InputError
from switchover.machine.flag import VISIBILITIES, Flag
from switchover.machine.split import percent_to_split
from switchover.machine.targeting import Rule, read_rules
from switchover.plan.flags import prerequisites
from switchover.ports import Propagation

app = verb(no_args_is_help=True)

Name = Annotated[str, typer.Argument(help="The flag's name.", metavar="FLAG")]


@app.callback()
def flags() -> None:
    """List, show and change feature flags."""


@app.command(name="list")
def list_flags(migration: Migration, json: Json = False) -> None:
    """List every feature flag of a migration."""
    found = flags_of(connect().open(migration))
    if json:
        for flag in found.values():
            print_json(_document(flag))
    elif not found:
        say(f"{migration} has no flag; switchover flags set {migration} NAME --create makes one")
    else:
        columns = ["flag", "on for", "component", "visible to", "goes with", "version"]
        rows = ([flag.name, share_of(flag), flag.component, flag.visibility,
                 "the split" if flag.follows_split else "", flag.version]
                for flag in sorted(found.values(), key=lambda flag: flag.name))  # fmt: skip
        table("", columns, rows)


@app.command()
def get(migration: Migration, flag: Name, json: Json = False) -> None:
    """Show one feature flag in full."""
    found = find_flag(connect().open(migration), flag)
    print_json(_document(found)) if json else _tell(found)


@app.command(name="set")
def change(
    migration: Migration,
    flag: Name,
    enabled: Annotated[
        bool | None, typer.Option("--on/--off", help="Switch it on, or off for everybody.")
    ] = None,
    percent: Annotated[
        float | None, typer.Option(help="Share of the keys for which it is on, 0 to 100.")
    ] = None,
    variant: Annotated[
        list[str] | None,
        typer.Option(metavar="NAME=PERCENT", help="Weight of a variant; give all, 100 together."),
    ] = None,
    value: Annotated[
        list[str] | None,
        typer.Option(
            metavar="NAME=JSON", help="What a variant stands for; give all that have one."
        ),
    ] = None,
    off_variant: Annotated[
        str | None, typer.Option(metavar="NAME", help="Variant that is given while it is off.")
    ] = None,
    requires: Annotated[
        list[str] | None,
        typer.Option(
            metavar="FLAG[=VARIANT]", help="Flag that must be on for the same key; '' for none."
        ),
    ] = None,
    override: Annotated[
        list[str] | None,
        typer.Option(
            metavar="KEY=VARIANT", help="Fix one key (on, off or a variant); '' for none."
        ),
    ] = None,
    rule: Annotated[
        list[str] | None,
        typer.Option(
            metavar="JSON",
            help='Like \'{"when": {"plan": "pro"}, "variant": "new"}\'; give all; \'\' for none.',
        ),
    ] = None,
    visibility: Annotated[
        str | None, typer.Option(help=f"Who may be told of it: {', '.join(VISIBILITIES)}.")
    ] = None,
    component: Annotated[str | None, typer.Option(help="The part it belongs to.")] = None,
    follows_split: Annotated[
        bool | None,
        typer.Option(
            "--follows-split/--on-its-own",
            help="On only where the candidate serves the key, so off with a rollback; or not.",
        ),
    ] = None,
    create: Annotated[bool, typer.Option("--create", help="The flag may be new.")] = False,
    reason: Reason = "by hand",
    actor: Actor = "",
    json: Json = False,
) -> None:
    """Change a feature flag for every router at once; what is not named stays as it is."""
    wanted = {
        "enabled": enabled,
        "split": None if percent is None else percent_to_split(percent),
        "variants": _weights(variant),
        "values": _values(value),
        "off": off_variant,
        "requires": None if requires is None else prerequisites([r for r in requires if r]),
        "overrides": _pairs("--override", override),
        "rules": _rules(rule),
        "visibility": visibility,
        "component": component,
        "follows_split": follows_split,
    }
    changes = {name: given for name, given in wanted.items() if given is not None}
    if not changes and not create:
        raise InputError(f"nothing to change; switchover flags get {migration} {flag} shows it")
    outcome = set_flag(
        connect(), migration, flag, changes, actor=actor_or_login(actor), reason=reason,
        create=create,
    )  # fmt: skip
    _report(migration, flag, outcome, json)


@app.command()
def remove(
    migration: Migration,
    flag: Name,
    reason: Reason = "by hand",
    actor: Actor = "",
    json: Json = False,
) -> None:
    """Forget a feature flag; applications that still ask for it find it off."""
    outcome = remove_flag(connect(), migration, flag, actor=actor_or_login(actor), reason=reason)
    _report(migration, flag, outcome, json)


def _report(migration: str, name: str, outcome: FlagOutcome, json: bool) -> None:
    flag, spread = outcome.flags.get(name), outcome.propagation
    if json:
        print_json({
            "migration": migration, "flag": name, "changed": outcome.changed,
            "epoch": outcome.epoch, "definition": _document(flag) if flag else None,
            "routers": spread.routers, "complete": spread.complete,
        })  # fmt: skip
        return
    what = "is gone" if flag is None else f"is on for {share_of(flag)}{_of(flag)}"
    said = f"{name} {what}" if outcome.changed else f"{name} is so already: nothing changed"
    say(f"{said}; {_reach(spread)}.")


def _of(flag: Flag) -> str:
    """Whose keys the share is of, where it is not everybody's."""
    return " of the keys that the candidate serves" if flag.follows_split else ""


def _reach(spread: Propagation) -> str:
    live = spread.routers + len(spread.waiting)
    if not live:
        return "no router is live"
    had = "all" if spread.complete else f"{spread.routers} of"
    return f"{had} {live} live routers have it"


def _tell(flag: Flag) -> None:
    facts_table({
        "flag": flag.name, "on for": share_of(flag), "component": flag.component,
        "visible to": flag.visibility, "follows the split": "yes" if flag.follows_split else "no",
        "while off": flag.off, "version": flag.version,
        "requires": ", ".join(f"{name} = {variant}" for name, variant in flag.requires.items()),
        "fixed keys": ", ".join(f"{key} = {variant}" for key, variant in flag.overrides.items()),
        "rules": "; ".join(codec.dumps(rule.to_dict()) for rule in flag.rules),
        "values": codec.dumps(dict(flag.values)) if flag.values else "",
    })  # fmt: skip


def share_of(flag: Flag) -> str:
    """For whom it is on, in words: ``25 %`` or ``a 10 %, b 90 %``."""
    if not flag.enabled:
        return "nobody (disabled)"
    if flag.variants and flag.split:
        return ", ".join(f"{name} {weight / 100:g} %" for name, weight in flag.variants.items())
    return f"{flag.split / 100:g} %"


def _document(flag: Flag) -> dict[str, Any]:
    """The flag with shares in percent, as people and `flags set` write them."""
    document = asdict(flag)
    variants = {name: weight / 100 for name, weight in flag.variants.items()}
    name, percent = document.pop("name"), document.pop("split") / 100
    return {"flag": name, "percent": percent, **document, "variants": variants}


def _weights(given: Sequence[str] | None) -> dict[str, int] | None:
    pairs = _pairs("--variant", given)
    if pairs is None:
        return None
    try:
        return {
            name: percent_to_split(float(share.removesuffix("%"))) for name, share in pairs.items()
        }
    except ValueError as error:
        raise InputError(f"--variant: {error}; write it like --variant a=40") from error


def _rules(given: Sequence[str] | None) -> tuple[Rule, ...] | None:
    if given is None:
        return None
    try:
        return read_rules([codec.loads(text) for text in given if text])
    except (ValueError, RecursionError) as error:
        raise InputError(f"--rule: {error}") from error


def _values(given: Sequence[str] | None) -> dict[str, Any] | None:
    pairs = _pairs("--value", given)
    if pairs is None:
        return None
    found: dict[str, Any] = {}
    for name, text in pairs.items():
        try:
            found[name] = codec.loads(text)
        except (ValueError, RecursionError) as error:
            raise InputError(
                f"--value {name}: {text!r:.60} is no JSON ({error}); text stands in quotes: "
                f"--value '{name}=\"{text}\"'"
            ) from error
    return found


def _pairs(option: str, given: Sequence[str] | None) -> dict[str, str] | None:
    """``NAME=WHAT`` as a mapping; an empty text alone means none at all."""
    if given is None:
        return None
    parts = [item.partition("=") for item in given if item]
    wrong = next((name for name, equals, _ in parts if not equals or not name), None)
    if wrong is not None:
        raise InputError(f"{option} {wrong!r}: write it like {option} name=what")
    return {name: what for name, _, what in parts}
