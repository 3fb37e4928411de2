"""The API as a process: where it listens, whom it believes, what it logs."""

from __future__ import annotations

import ipaddress
import logging
from collections.abc import Mapping, Sequence
from contextlib import closing
from socket import socket

from starlette.types import ASGIApp
from uvicorn.middleware.proxy_headers import ProxyHeadersMiddleware

from switchover.api.app import build_app
from switchover.api.health import Probe
from switchover.api.request_id import RequestIdFilter
from switchover.engine.context import Context
from switchover.engine.watchers import watch_words
from switchover.errors import DependencyUnavailable, InputError, NoLedger, UnknownMigration
from switchover.routing.reverse.serve import serve
from switchover.wiring import Settings, build_context, open_launcher

#: No migration can have this name, so asking for it reads nothing.
_NOBODY = "-"


def check_host(host: str, behind_proxy: Sequence[str], allow_remote: bool) -> None:
    """Refuse to show codes to a network: beyond loopback something has to end TLS."""
    for address in behind_proxy:
        try:
            ipaddress.ip_network(address, strict=False)
        except ValueError as error:
            raise InputError(
                f"--behind-proxy {address}: not an address; give one like 10.0.0.7, or a network "
                "like 10.0.0.0/24"
            ) from error
    if allow_remote or behind_proxy or _is_loopback(host):
        return
    raise InputError(
        f"{host} can be reached from other machines, and personal codes would cross the network "
        "readable; name the proxy that ends TLS with --behind-proxy ADDRESS, "
        "or say --allow-remote to do it nevertheless"
    )


def assemble(settings: Settings, behind_proxy: Sequence[str] = ()) -> ASGIApp:
    """The application on the operator's servers. Nothing is connected yet: it may start before
    they do."""
    engine = build_context(settings)
    app = build_app(
        engine,
        probes(engine, settings),
        slack_signing_secret=settings.slack_signing_secret,
        slack_api_url=settings.slack_api_url,
        allow_commands=settings.allow_commands,
    )
    if not behind_proxy:
        return app
    # Its word for where a request comes from is taken; anybody else's is not.
    return ProxyHeadersMiddleware(app, trusted_hosts=list(behind_proxy))  # type: ignore[arg-type, return-value]


def probes(engine: Context, settings: Settings) -> Mapping[str, Probe]:
    """What `/ready` asks: the ledger with its schema, routing, Prefect, and whether there are as
    many guards as the operator wants."""

    def ledger() -> None:
        try:
            engine.ledger.read(_NOBODY)
        except (NoLedger, UnknownMigration):
            return  # it has answered; in an empty one nothing was started yet

    def prefect() -> None:
        with closing(open_launcher(settings)) as launcher:
            launcher.check("advance/advance")  # without it no approval leads to a step

    def guards() -> str:
        assert engine.guards is not None
        try:
            able = [beat for beat in engine.guards.alive() if not beat.trouble]
        except DependencyUnavailable:
            if engine.guards.wanted:
                raise
            return "unknown"  # nobody asked for any, and that Redis is down is told already
        # Without the others' troubles: who may not ask anything else learns no address.
        words = watch_words(able, wanted=engine.guards.wanted)
        if len(able) < engine.guards.wanted:
            raise DependencyUnavailable("guard", f"{words}; start `switchover watch`")
        return words

    asked: dict[str, Probe] = {
        "ledger": ledger, "redis": lambda: engine.routing.read(_NOBODY), "prefect": prefect,
    }  # fmt: skip
    return asked if engine.guards is None else {**asked, "guards": guards}


def run(app: ASGIApp, listening: socket) -> None:
    """Serve until SIGTERM or SIGINT; requests in flight end, and so does what they left to do."""
    handler = logging.StreamHandler()
    handler.addFilter(RequestIdFilter())
    handler.setFormatter(
        logging.Formatter("%(asctime)s %(levelname)s %(name)s request=%(request_id)s %(message)s")
    )
    logging.basicConfig(level=logging.WARNING, handlers=[handler])
    logging.getLogger("switchover").setLevel(logging.INFO)
    serve(app, listening)  # type: ignore[arg-type]


def _is_loopback(host: str) -> bool:
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return False
