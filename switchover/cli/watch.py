"""`switchover watch`: the resident guard."""

from __future__ import annotations

import logging
import os
import platform
import signal
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from switchover.cli.session import Json, connect, print_json, say, slug_or_none, verb, warn
from switchover.errors import DependencyUnavailable, InputError, NoLedger, SwitchoverError

if TYPE_CHECKING:
    from switchover.cli.watch_port import Vitals
    from switchover.engine.context import Context
    from switchover.engine.errands import Errands
    from switchover.engine.guard import News, Patrol

app = verb()

#: A fault that repeats itself with each sweep is told once in so many seconds.
_REPEATED = 300.0
#: Seconds that effects under way get when the guard ends.
_PATIENCE = 5.0

_Names = Annotated[
    list[str] | None, typer.Argument(help="Migrations to watch; default: all.", metavar="M...")
]
_Every = Annotated[float, typer.Option(help="Seconds from one sweep to the next.")]
_Once = Annotated[bool, typer.Option("--once", help="Sweep once, perform effects, and end.")]
_Port = Annotated[
    int | None,
    typer.Option(min=0, max=65535, help="Answer /health and /ready here; 0 takes any free port."),
]
_Host = Annotated[str, typer.Option(help="Address to answer on.")]
_Ready = Annotated[
    Path | None, typer.Option(help="A file that exists while the guard watches and judges.")
]
_Actor = Annotated[str, typer.Option("--as", help="The guard's name in the record.")]


@app.command()
def watch(
    migrations: _Names = None,
    every: _Every = 1.0,
    once: _Once = False,
    port: _Port = None,
    host: _Host = "127.0.0.1",
    ready_file: _Ready = None,
    actor: _Actor = "guard",
    json: Json = False,
) -> None:
    """Look at every migration each second; roll back what is bad.

    Runs until SIGTERM or Ctrl-C and ends after the sweep. Run two or more: one acts. What is
    down is told once, and tried again with each sweep.
    """
    from switchover.cli.watch_port import Vitals, answering
    from switchover.engine.errands import Errands

    if not every > 0:
        raise InputError(f"--every is a number of seconds above 0, not {every:g}")
    names = tuple(dict.fromkeys(map(slug_or_none, migrations or ())))
    _log_in_lines()
    context, guard = connect(), f"{platform.node()}:{os.getpid()}"
    _tell_of_strangers(context, names)
    round_ = _Rounds(context, guard, actor, names, every, json)
    if once:
        _one_round(context, guard, round_)
        return
    ending = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: ending.set())
    with ExitStack() as open_until_the_end:
        vitals = Vitals(guard, every)
        found = open_until_the_end.enter_context(answering(vitals, host, port))
        errands = open_until_the_end.enter_context(Errands(context))
        mark = open_until_the_end.enter_context(_ready_file(ready_file))
        _began(guard, names, every, found, host, json)
        _watch(round_, errands, vitals, mark, ending)
        errands.end(_PATIENCE)
    _ended(context, guard, json)


def _tell_of_strangers(context: Context, names: Sequence[str]) -> None:
    """A guard may be there before its migration; one of a misspelt name watches nothing."""
    try:
        known = {state.migration for state in context.ledger.migrations()} if names else set()
    except NoLedger:
        known = set()
    except DependencyUnavailable:
        return  # the first sweep tells it
    for name in names:
        if name not in known:
            warn(f"there is no migration {name!r} yet: it is watched once it is started; "
                 "`switchover list` shows those that are")  # fmt: skip


class _Rounds:
    """One sweep after another, and what is said of them."""

    def __init__(
        self, context: Context, guard: str, actor: str, names: Sequence[str], every: float,
        json: bool,
    ) -> None:  # fmt: skip
        from switchover.engine.guard import Patrol

        self._context, self._guard, self._actor = context, guard, actor
        self._names, self.every, self._json = names, every, json
        self._before, self._mute = Patrol(), ""

    def go(self) -> Patrol:
        """Sweep, say what is new and that the guard lives."""
        from switchover.engine.guard import News, news, patrol, say_alive

        done = patrol(self._context, actor=self._actor, only=self._names)
        told = news(self._before, done)
        mute = say_alive(self._context, self._guard, self.every, self._names, done)
        if mute and not self._mute and not done.trouble:
            told.append(News("trouble", f"the guard's heartbeat is not heard: {mute}"))
        self._before, self._mute = done, mute
        self._tell(told)
        return done

    def glance(self, names: Sequence[str]) -> Patrol:
        """Look at these alone and say what was done; all else is for the next sweep to say."""
        from switchover.engine.guard import Patrol, news, patrol

        done = patrol(self._context, actor=self._actor, only=names)
        self._tell(news(Patrol(), Patrol(acted=done.acted)))
        return done

    def _tell(self, told: Sequence[News]) -> None:
        for each in told:
            if self._json:
                print_json({"at": _now(), "guard": self._guard, **each.to_dict()})
            else:
                about = f" {each.migration}:" if each.migration else ""
                say(f"{_now()} {each.event}{about} {each.text}")


def _one_round(context: Context, guard: str, rounds: _Rounds) -> None:
    from switchover.engine.drain import drain

    done = rounds.go()
    if context.guards is not None:
        with suppress(DependencyUnavailable):  # it was never said then
            context.guards.leave(guard)
    if done.trouble:
        warn(done.trouble)
        raise typer.Exit(3)
    log, faults = logging.getLogger("switchover.guard"), dict(done.errors)
    try:
        for failure in drain(context).failed:
            log.warning("put off %s", failure)
    except NoLedger:
        return  # nothing was started yet, as a resident guard sees it, too
    except SwitchoverError:
        raise
    except Exception as error:
        # They are leased and come again. The sweep is done, and that is what was asked for.
        log.exception("performing effects failed in an unforeseen way")
        faults["effects"] = f"a fault of Switchover itself: {type(error).__name__}: {error}"
    for name, fault in faults.items():
        warn(f"{name}: {fault}")
    if faults:
        raise typer.Exit(1)


def _watch(
    rounds: _Rounds, errands: Errands, vitals: Vitals, mark: Path | None, ending: threading.Event
) -> None:
    from switchover.cli.watch_port import tell_systemd

    told = False
    while not ending.is_set():
        done = rounds.go()
        vitals.note(done)
        if done.acted:
            errands.call()
        if mark is not None and done.trouble:
            mark.unlink(missing_ok=True)
        elif mark is not None:
            mark.touch()
        tell_systemd("WATCHDOG=1" if told else "READY=1\nWATCHDOG=1")
        told = True
        _rest(rounds, errands, done, ending)
    tell_systemd("STOPPING=1")


def _rest(rounds: _Rounds, errands: Errands, done: Patrol, ending: threading.Event) -> None:
    """Until the next sweep is due; where evidence builds, the next look may be the one that
    decides, so it comes sooner."""
    from switchover.engine.guard import SOON, rest

    until = time.monotonic() + rest(rounds.every, done.took)
    while (left := until - time.monotonic()) > 0.0:
        soon = SOON * rounds.every
        if ending.wait(min(left, soon) if done.uneasy else left):
            return
        if done.uneasy and left > soon:
            done = rounds.glance(done.uneasy)
            if done.acted:
                errands.call()


@contextmanager
def _ready_file(path: Path | None) -> Iterator[Path | None]:
    """A file of an earlier guard says nothing of this one."""
    if path is not None:
        path.unlink(missing_ok=True)
    yield path
    if path is not None:
        path.unlink(missing_ok=True)


def _began(
    guard: str, names: Sequence[str], every: float, port: int, host: str, json: bool
) -> None:
    url = f"http://{host}:{port}" if port else ""
    if json:
        print_json({"at": _now(), "event": "began", "guard": guard, "every": every,
                    "migrations": list(names), "listening": url or None})  # fmt: skip
        return
    where = f"; health on {url}/health" if url else ""
    watched = ", ".join(names) or "all migrations"
    say(f"{_now()} began {guard} watches {watched} every {every:g} s{where}; stop with Ctrl-C")


def _ended(context: Context, guard: str, json: bool) -> None:
    if context.guards is not None:
        with suppress(DependencyUnavailable):  # its beat is forgotten soon in any case
            context.guards.leave(guard)
    if json:
        print_json({"at": _now(), "event": "ended", "guard": guard})
    else:
        say(f"{_now()} ended {guard}")


def _now() -> str:
    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())


class _NotAgain(logging.Filter):
    """Lets the same line pass once in a while: a fault comes again with every sweep."""

    def __init__(self) -> None:
        super().__init__()
        self._told: dict[str, float] = {}

    def filter(self, record: logging.LogRecord) -> bool:
        try:
            line = record.getMessage()
        except (TypeError, ValueError, KeyError):
            # A line that does not fit its values, of whatever library: the handler says so. What is
            # raised here would be raised where the line is logged, and end the guard.
            line = str(record.msg)
        now = time.monotonic()
        if now - self._told.get(line, -_REPEATED) < _REPEATED:
            return False
        if len(self._told) > 1000:
            self._told.clear()
        self._told[line] = now
        return True


def _log_in_lines() -> None:
    handler = logging.StreamHandler()
    handler.addFilter(_NotAgain())
    handler.setFormatter(logging.Formatter("%(asctime)s %(levelname)s %(name)s %(message)s"))
    logging.basicConfig(level=logging.WARNING, handlers=[handler])
    logging.getLogger("switchover").setLevel(logging.INFO)
