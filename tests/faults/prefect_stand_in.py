"""The few calls of Prefect's REST API that the launcher makes, answered on loopback."""

from __future__ import annotations

import itertools
import json
import threading
from http.server import BaseHTTPRequestHandler
from typing import Any, Self

from switchover.testing.stand_in import StandInServer


class PrefectStandIn:
    """Starts a run once per idempotency key. Runs of ``approve`` wait to be resumed, all others
    are over at once; ``runs`` holds them by key."""

    def __init__(self) -> None:
        self.runs: dict[str, dict[str, Any]] = {}
        self._ids = itertools.count()
        self._server: StandInServer | None = None
        self._lock = threading.Lock()

    @property
    def api_url(self) -> str:
        assert self._server is not None, "start it first"
        return f"http://127.0.0.1:{self._server.server_address[1]}/api"

    def __enter__(self) -> Self:
        self._server = StandInServer(("127.0.0.1", 0), self._handler())
        threading.Thread(target=self._server.serve_forever, args=(0.02,), daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        assert self._server is not None
        self._server.shutdown()
        self._server.server_close()

    def answer(self, method: str, path: str, body: dict[str, Any]) -> Any:
        """What the server would say, and its effect; None for an unknown path."""
        parts = path.removeprefix("/api/").split("/")
        if parts[:2] == ["deployments", "name"]:
            return {"id": parts[2]}
        if parts[0] == "deployments" and parts[2] == "create_flow_run":
            key = body["idempotency_key"]
            state = "PAUSED" if parts[1] == "approve" else "COMPLETED"
            fresh = {"id": f"run-{next(self._ids)}", "state": state, "resumed": 0}
            return {"id": self.runs.setdefault(key, fresh)["id"]}
        if parts[0] != "flow_runs":
            return None
        run = next(run for run in self.runs.values() if run["id"] == parts[1])
        if parts[2:] == ["input", "filter"]:
            return []  # nothing was typed into a form
        if method == "GET":
            return {"state": {"type": run["state"], "name": run["state"], "message": ""}}
        if run["state"] != "PAUSED":
            return {"status": "ABORT", "details": {"reason": "it is not suspended."}}
        run["state"], run["resumed"] = "COMPLETED", run["resumed"] + 1
        return {"status": "ACCEPT"}

    def _handler(self) -> type[BaseHTTPRequestHandler]:
        server = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self) -> None:
                raw = self.rfile.read(int(self.headers.get("Content-Length") or 0))
                with server._lock:
                    found = server.answer(self.command, self.path, json.loads(raw or b"{}"))
                data = json.dumps({"detail": "Not Found"} if found is None else found).encode()
                self.send_response(404 if found is None else 200)
                self.send_header("Content-Type", "application/json")
                self.send_header("Content-Length", str(len(data)))
                self.end_headers()
                self.wfile.write(data)

            do_GET = do_POST  # noqa: N815 - http.server's name

            def log_message(self, format: str, *args: Any) -> None:
                """Say nothing: the runs are what a test looks at."""

        return Handler
