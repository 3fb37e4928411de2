"""`switchover rollback M --validate`: the waves that are due, now and by hand."""

from __future__ import annotations

from switchover.cli.session import print_json, say, warn
from switchover.clock import iso
from switchover.engine.context import Context
from switchover.engine.drain import drain as perform
from switchover.engine.validate import Validation, validate
from switchover.errors import NegativeAnswer, Refused

#: Seconds for which failing probes are asked again.
PATIENCE = 30.0


def validate_now(context: Context, migration: str, *, actor: str, drain: bool, json: bool) -> None:
    """Run what is due, failed waves again, and tell. Raises ``Refused`` where no rollback is
    validated, ``NegativeAnswer`` when a wave does not pass."""
    found = validate(context, migration, actor=actor, patience=PATIENCE, again=True)
    if not found.incident:
        raise Refused(
            f"{migration} is not rolled back, or its rollback has no validation; "
            "--validate rolls nothing back"
        )
    failed = perform(context).failed if drain else ()
    if json:
        print_json(found.to_dict())
    else:
        _tell(found)
    for line in failed:
        warn(f"completes later: {line}")
    bad = [wave.wave for wave in found.waves if not wave.ok]
    if bad:
        raise NegativeAnswer(
            f"{migration}: the validation of {', '.join(bad)} does not pass; mend what fails, "
            "then repeat this"
        )


def _tell(found: Validation) -> None:
    for wave in found.waves:
        say(f"{wave.wave}: {'passed' if wave.ok else 'failed' if wave.ok is False else 'not yet'}")
        for result in wave.results:
            say(f"  {'✓' if result.ok else '✗'} {result.name}: {result.summary}")
    if not found.waves:
        say("no wave is due")
    if found.next_at is not None and all(wave.ok is not None for wave in found.waves):
        say(f"the next wave begins at {iso(found.next_at)}")
    say(f"incident {found.incident}: switchover incident show {found.incident}")
