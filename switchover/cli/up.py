"""`switchover up`: everything embedded, kept running."""

from __future__ import annotations

import signal
import threading

from switchover.cli.session import Json, print_json, say, verb, warn

app = verb()

#: Seconds between two looks at the servers.
CHECK_EVERY = 1.0


@app.command()
def up(json: Json = False) -> None:
    """Start everything embedded, and keep it running.

    Valkey, PostgreSQL, the Prefect server and a worker on loopback, with all flows deployed.
    Other commands in this folder find them by the state directory (.switchover).
    """
    from switchover.testing.embedded.stack import Stack
    from switchover.wiring import load_settings
    from switchover.wiring.settings import ENVIRONMENT_FILE, write_environment

    settings = load_settings()
    stopped = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stopped.set())
    stack = Stack(settings.state_dir)
    file = settings.state_dir / ENVIRONMENT_FILE
    try:
        stack.start(lambda sentence: None if json else say(sentence))
        write_environment(file, stack.env)
        server = stack.server
        if server is None:
            raise AssertionError("a started stack has a server")
        if json:
            login = {"prefect_ui": server.ui_url, "login": server.auth}
            print_json({**login, "environment": str(file)})
        else:
            say("")
            say(f"Prefect UI   {server.ui_url}")
            say(f"  log in as  {server.auth}")
            say(f"Settings     {file} (other commands in this folder read it)")
            say(f"Incidents    {stack.env['SWITCHOVER_INCIDENTS_DIR']}")
            say("Begin with   switchover start PLAN")
            say("Stop with    Ctrl-C")
        while not stopped.wait(CHECK_EVERY):
            for name in stack.revive():
                warn(f"{name} had ended and was started again; its log is in {stack.state_dir}")
    finally:
        file.unlink(missing_ok=True)
        stack.stop()
