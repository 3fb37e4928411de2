"""How much a rollback takes back, and its dry run; used by `rollback`."""

from __future__ import annotations

from switchover.cli.session import print_json, say
from switchover.engine.context import Context
from switchover.engine.roll_back_levels import check_level
from switchover.errors import InputError
from switchover.incidents.redaction import redact, redact_all
from switchover.wiring import Settings


def check_options(level: str, component: str, *, group: bool, dry_run: bool) -> None:
    """Raise ``InputError`` unless the options belong together."""
    check_level(level, component)
    if group and (level != "service" or dry_run):
        raise InputError(
            "--group rolls back each migration as a service; with --level or --dry-run name one"
        )


def show_preview(
    context: Context, settings: Settings, migration: str, level: str, component: str, *,
    insist: bool, json: bool,
) -> None:  # fmt: skip
    """Print what would happen; secrets that a plan holds after all are hidden."""
    from switchover.engine.rollback_preview import preview

    found = preview(context, migration, level, component, insist=insist,
                    allowed=settings.allow_commands)  # fmt: skip
    if json:
        print_json(redact_all(found.to_dict()))
        return
    for line in found.lines():
        say(redact(line))
