"""`switchover serve`: the HTTP API."""

from __future__ import annotations

from typing import Annotated

import typer

from switchover.cli.session import Json, print_json, say, verb, warn

app = verb()

_Host = Annotated[str, typer.Option(help="Address to listen on.")]
_Port = Annotated[int, typer.Option(min=0, max=65535, help="0 takes any port that is free.")]
_Proxy = Annotated[
    list[str] | None,
    typer.Option(help="Address of a proxy that ends TLS; its X-Forwarded-For is believed."),
]
_Remote = Annotated[
    bool, typer.Option("--allow-remote", help="Listen beyond loopback without TLS in front.")
]


@app.command()
def serve(
    host: _Host = "127.0.0.1",
    port: _Port = 8080,
    behind_proxy: _Proxy = None,
    allow_remote: _Remote = False,
    json: Json = False,
) -> None:
    """Serve the HTTP API: status, approvals, rollback, health.

    Listens on loopback. Another address is refused unless --behind-proxy names the proxy that
    ends TLS, or --allow-remote says that codes may cross the network readable.
    """
    from switchover.api.serve import assemble, check_host, run
    from switchover.routing.reverse.serve import listening
    from switchover.wiring import load_settings

    proxies = tuple(behind_proxy or ())
    check_host(host, proxies, allow_remote)
    if allow_remote and not proxies:
        warn("personal codes cross the network readable: put a proxy that ends TLS in front")
    application = assemble(load_settings(), proxies)
    with listening(f"[{host}]:{port}" if ":" in host else f"{host}:{port}") as socket:
        found, chosen = socket.getsockname()[:2]
        url = f"http://{f'[{found}]' if ':' in found else found}:{chosen}"
        if json:
            print_json({"listening": url})
        else:
            say(f"Switchover's API: {url}; stop with Ctrl-C")
        run(application, socket)
