"""`switchover demo`: one migration that succeeds and one that rolls back."""

from __future__ import annotations

import importlib
import sys
from pathlib import Path
from typing import Annotated

import typer

from switchover.cli.session import Json, verb
from switchover.errors import NegativeAnswer

app = verb()


@app.command()
def demo(
    data: Annotated[
        Path | None, typer.Option(help="Folder with real recordings instead of generated ones.")
    ] = None,
    fault: Annotated[
        str, typer.Option(help="What is wrong with the bad candidate: errors, slow or drift.")
    ] = "errors",
    plain: Annotated[bool, typer.Option("--plain", help="No live display.")] = False,
    json: Json = False,
) -> None:
    """Watch one migration succeed and one roll back.

    Starts everything on loopback, needs no set-up, ends by itself in about three minutes.
    """
    from switchover.testing.embedded.stack import project_root
    from switchover.wiring import load_settings

    root = project_root()
    sys.path.insert(0, str(root))
    runner = importlib.import_module("examples.mood.demo.run")
    narrator = importlib.import_module("examples.mood.demo.narrator")
    options = runner.Options(
        root=root,
        state=load_settings().state_dir / "demo",
        data=data.absolute() if data else None,
        fault=fault,
    )
    style = "json" if json else "plain" if plain else None
    if not runner.run(options, narrator.Narrator(style)):
        raise NegativeAnswer("the demonstration did not hold what it promises; see above")
