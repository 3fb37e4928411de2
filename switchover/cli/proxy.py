"""`switchover proxy PLAN`: a reverse proxy between callers and the two systems."""

from __future__ import annotations

import logging
import sys
from typing import Annotated

import typer

from switchover.cli.session import Json, Overlays, PlanFile, print_json, say, verb

app = verb()

_Listen = Annotated[str, typer.Option(help="HOST:PORT; port 0 takes any that is free.")]
_Body = Annotated[float, typer.Option(help="Longest request body, in MiB.")]
_Read = Annotated[float, typer.Option(help="Seconds a system may be silent; not event streams.")]
_Candidate = Annotated[
    float, typer.Option(help="Seconds until legacy answers for a silent candidate; 0: never.")
]
_Failures = Annotated[
    int, typer.Option(min=1, help="Failures in a row that keep requests off the candidate.")
]
_Noise = Annotated[
    float, typer.Option(min=0, max=100, help="Percent of shadowed requests sent to legacy twice.")
]
_Shadows = Annotated[int, typer.Option(min=1, help="Shadow calls at the same time.")]
_Expose = Annotated[bool, typer.Option("--expose", help="Answer with x-switchover-system.")]
_Host = Annotated[bool, typer.Option("--own-host", help="Send each system its own Host header.")]
_Trust = Annotated[
    bool, typer.Option("--trust-forwarded", help="Keep X-Forwarded-* of what stands in front.")
]


@app.command()
def proxy(
    plan: PlanFile,
    overlay: Overlays = None,
    listen: _Listen = "127.0.0.1:8080",
    max_body: _Body = 100.0,
    read_timeout: _Read = 60.0,
    candidate_within: _Candidate = 0.0,
    failures: _Failures = 5,
    noise: _Noise = 0.0,
    shadows: _Shadows = 16,
    expose: _Expose = False,
    own_host: _Host = False,
    trust_forwarded: _Trust = False,
    json: Json = False,
) -> None:
    """Stand between callers and both systems, as a reverse proxy.

    For applications that can't add a library. Answers for itself under /-/switchover/health.
    """
    from switchover.observe.recorder import Recorder
    from switchover.plan.load import load_plan
    from switchover.routing.reverse.assembly import ProxyOptions, build_proxy
    from switchover.routing.reverse.limits import Limits
    from switchover.routing.reverse.serve import listening, serve
    from switchover.routing.router import Router
    from switchover.routing.store import RedisRoutingStore
    from switchover.wiring import load_settings

    loaded = load_plan(plan, tuple(overlay or ())).plan
    limits = Limits(body=round(max_body * 1024 * 1024), read=read_timeout)
    options = ProxyOptions(
        limits=limits,
        failures=failures,
        candidate_within=candidate_within or None,
        shadows=shadows,
        noise=noise / 100,
        expose=expose,
        keep_host=not own_host,
        trusted=trust_forwarded,
    )
    redis_url = load_settings().redis_url
    logging.basicConfig(level=logging.WARNING, format="%(levelname)s %(name)s: %(message)s")
    with listening(listen) as socket, Router(loaded.migration, redis_url) as router:
        recorder = Recorder(
            loaded.migration,
            redis_url,
            epoch=lambda: router.epoch,
            agreement=lambda: router.agreement,
        )
        with recorder:
            store = RedisRoutingStore(redis_url)
            application = build_proxy(loaded, router, recorder, store, options)
            # Until Redis has answered, legacy serves; that is no reason not to begin.
            router.wait_ready(2.0)
            host, port = socket.getsockname()[:2]
            url = f"http://{f'[{host}]' if ':' in host else host}:{port}"
            if json:
                print_json({"listening": url, "migration": loaded.migration, "mode": router.mode})
            else:
                say(f"{loaded.migration}: {url}, mode {router.mode}; stop with Ctrl-C")
            # Whoever started this reads the address from a pipe, and nothing else will follow it.
            sys.stdout.flush()
            serve(application, socket, limits)
