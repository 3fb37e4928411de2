"""`switchover audit verify|export`: the ledger's hash chain."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer

from switchover.cli.session import AnyMigration, Json, print_json, say, verb
from switchover.errors import InputError, TamperedLedger

app = verb(no_args_is_help=True)


@app.callback()
def audit() -> None:
    """Verify or export the ledger's hash chain."""


@app.command()
def verify(
    migration: AnyMigration = "",
    file: Annotated[
        Path | None, typer.Option(help="Verify this export; - is standard input.")
    ] = None,
    against: Annotated[
        Path | None, typer.Option(help="An earlier export whose entries must still be there.")
    ] = None,
    json: Json = False,
) -> None:
    """Find changed, removed, inserted or reordered entries."""
    from switchover.ledger import anchors_of, verify_export
    from switchover.ledger import verify as verify_ledger
    from switchover.wiring import build_ledger, load_settings

    settings = load_settings()
    anchors = anchors_of(_lines(against)) if against else None
    if file is not None:
        faults = verify_export(_lines(file), settings.audit_key, anchors=anchors)
    else:
        faults = verify_ledger(build_ledger(settings), migration or None, anchors)
    if json:
        print_json({"verified": not faults, "faults": faults})
    if faults:
        raise TamperedLedger(faults)
    if not json:
        say("verified: every entry is whole, in order and of one chain")


@app.command()
def export(migration: AnyMigration = "", json: Json = False) -> None:
    """Print everything as JSON lines, for an archive or for verification elsewhere.

    There is no other form: --json changes nothing.
    """
    from switchover.ledger import export as export_ledger
    from switchover.wiring import build_ledger, load_settings

    for line in export_ledger(build_ledger(load_settings()), migration or None):
        sys.stdout.write(line + "\n")


def _lines(path: Path) -> list[str]:
    try:
        if str(path) == "-":
            return sys.stdin.read().splitlines()
        return path.read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(f"{path}: can't be read ({error}); name a file made by export") from error
