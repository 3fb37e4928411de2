"""A Kubernetes API on loopback that holds HTTPRoutes and is strict with them, as the real one."""

from __future__ import annotations

import copy
import json
import ssl
import threading
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import jsonschema_rs

from switchover.testing.stand_in import StandInServer

_NAME = {"type": "string", "minLength": 1, "maxLength": 253}
_GROUP = {"type": "string", "maxLength": 253}
_PORT = {"type": "integer", "minimum": 1, "maximum": 65535}
_REFERENCE = {"group": _GROUP, "kind": _NAME, "name": _NAME, "namespace": _NAME, "port": _PORT}


def _map(required: list[str], **properties: Any) -> dict[str, Any]:
    return {
        "type": "object", "required": required, "properties": properties,
        "additionalProperties": False,
    }  # fmt: skip


_BACKEND = _map(
    ["name"],
    **_REFERENCE,
    weight={"type": "integer", "minimum": 0, "maximum": 1_000_000},
    filters={"type": "array", "maxItems": 16, "items": {"type": "object", "required": ["type"]}},
)
#: A reference to a Service, the default kind, has to name its port.
_BACKEND["if"] = {"properties": {"kind": {"const": "Service"}, "group": {"const": ""}}}
_BACKEND["then"] = {"required": ["name", "port"]}

_RULE = _map(
    [],
    name=_NAME,
    matches={"type": "array", "maxItems": 64, "items": {"type": "object"}},
    filters={"type": "array", "maxItems": 16, "items": {"type": "object", "required": ["type"]}},
    backendRefs={"type": "array", "maxItems": 16, "items": _BACKEND},
    timeouts=_map([], request={"type": "string"}, backendRequest={"type": "string"}),
)

#: What of an HTTPRoute of version v1 a client writes.
HTTP_ROUTE = _map(
    ["apiVersion", "kind", "metadata", "spec"],
    apiVersion={"const": "gateway.networking.k8s.io/v1"},
    kind={"const": "HTTPRoute"},
    metadata={
        "type": "object",
        "required": ["name", "namespace"],
        "properties": {
            "annotations": {
                "type": "object",
                "propertyNames": {
                    "pattern": r"^([a-z0-9.-]{1,253}/)?[A-Za-z0-9]([\w.-]{0,61}\w)?$"
                },
                "additionalProperties": {"type": "string"},
            }
        },
    },
    spec=_map(
        [],
        parentRefs={
            "type": "array",
            "maxItems": 32,
            "items": _map(["name"], **_REFERENCE, sectionName=_NAME),
        },
        hostnames={"type": "array", "maxItems": 16, "items": {"type": "string"}},
        rules={"type": "array", "minItems": 1, "maxItems": 16, "items": _RULE},
    ),
    status={"type": "object"},
)
_VALID = jsonschema_rs.validator_for(HTTP_ROUTE)


@dataclass(slots=True)
class GatewayApiServer:
    """A stand-in for the Kubernetes API; use it as a context manager.

    ``routes`` holds the routes by ``namespace/name``. ``lag`` is how many looks at a route its
    gateway takes to accept a change; ``refusal`` makes it refuse instead. ``rivals`` are called
    one by one before a patch is treated, and change the route as another client would.
    ``troubles`` are statuses to answer with before right answers are given. ``certificate`` is a
    PEM file with key and certificate, for HTTPS.
    """

    token: str = "stand-in-token"
    lag: int = 1
    refusal: str = ""
    routes: dict[str, dict[str, Any]] = field(default_factory=dict)
    rivals: deque[Callable[[dict[str, Any]], None]] = field(default_factory=deque)
    troubles: deque[int] = field(default_factory=deque)
    patches: list[dict[str, Any]] = field(default_factory=list)
    certificate: Path | None = None
    _looks: int = 0
    _server: StandInServer | None = None
    _lock: Any = field(default_factory=threading.Lock)

    @property
    def url(self) -> str:
        """What to give a client as the API's address."""
        assert self._server is not None, "start it first"
        return f"http{'s' if self.certificate else ''}://127.0.0.1:{self._server.server_address[1]}"

    def add(self, namespace: str, name: str, spec: dict[str, Any]) -> dict[str, Any]:
        """Create a route as ``kubectl apply`` would; ``ValueError`` when it breaks the schema."""
        route = {
            "apiVersion": "gateway.networking.k8s.io/v1", "kind": "HTTPRoute",
            "metadata": {
                "name": name, "namespace": namespace, "generation": 1, "resourceVersion": "100",
            },
            "spec": copy.deepcopy(spec),
        }  # fmt: skip
        fault = _fault(route)
        if fault:
            raise ValueError(fault)
        self._accept(route)
        self.routes[f"{namespace}/{name}"] = route
        return route

    def change(self, route: dict[str, Any], spec: dict[str, Any]) -> None:
        """Store ``spec`` as another client would: with a new version and generation."""
        version = int(route["metadata"]["resourceVersion"]) + 1
        route["metadata"]["resourceVersion"] = str(version)
        if spec != route["spec"]:
            route["metadata"]["generation"] += 1
            route["spec"] = copy.deepcopy(spec)
            self._looks = 0

    def answer(self, method: str, path: str, head: dict[str, str], body: bytes) -> tuple[int, Any]:
        """What the API would answer, and its effect."""
        if self.troubles:
            return _status(self.troubles.popleft(), "Trouble", "asked for by the test")
        if head.get("authorization") != f"Bearer {self.token}":
            return _status(401, "Unauthorized", "Unauthorized")
        parts = path.strip("/").split("/")
        known = parts[:4] == ["apis", "gateway.networking.k8s.io", "v1", "namespaces"]
        if not known or len(parts) != 7 or parts[5] != "httproutes":
            return _status(404, "NotFound", "the server could not find the requested resource")
        route = self.routes.get(f"{parts[4]}/{parts[6]}")
        if route is None:
            return _status(404, "NotFound", f'httproutes "{parts[6]}" not found')
        if method == "GET":
            self._looks += 1
            if self._looks >= self.lag:
                self._accept(route)
            return 200, copy.deepcopy(route)
        if head.get("content-type") != "application/merge-patch+json":
            return _status(415, "UnsupportedMediaType", "the body of the request was unknown")
        return self._patch(route, json.loads(body))

    def _patch(self, route: dict[str, Any], patch: dict[str, Any]) -> tuple[int, Any]:
        if self.rivals:
            self.rivals.popleft()(route)
        merged = _merge(route, patch)
        fault = _fault(merged)
        if fault:
            return _status(422, "Invalid", f"HTTPRoute is invalid: {fault}")
        if merged["metadata"]["resourceVersion"] != route["metadata"]["resourceVersion"]:
            return _status(409, "Conflict", "the object has been modified")
        self.patches.append(patch)
        route["metadata"]["annotations"] = merged["metadata"].get("annotations", {})
        self.change(route, merged["spec"])
        return 200, copy.deepcopy(route)

    def _accept(self, route: dict[str, Any]) -> None:
        """What a gateway's controller writes after it looked at the route."""
        verdict = {
            "observedGeneration": route["metadata"]["generation"],
            "status": "False" if self.refusal else "True",
            "reason": self.refusal or "Accepted", "message": self.refusal,
        }  # fmt: skip
        conditions = [{"type": kind, **verdict} for kind in ("Accepted", "ResolvedRefs")]
        route["status"] = {
            "parents": [
                {"parentRef": parent, "controllerName": "stand-in", "conditions": conditions}
                for parent in route["spec"].get("parentRefs", [])
            ]
        }

    def __enter__(self) -> Self:
        self._server = StandInServer(("127.0.0.1", 0), self._handler())
        if self.certificate is not None:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.load_cert_chain(self.certificate)
            self._server.socket = context.wrap_socket(self._server.socket, server_side=True)
        threading.Thread(target=self._server.serve_forever, args=(0.02,), daemon=True).start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        assert self._server is not None
        self._server.shutdown()
        self._server.server_close()

    def _handler(self) -> type[BaseHTTPRequestHandler]:
        api = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
                head = {name.lower(): value for name, value in self.headers.items()}
                with api._lock:
                    status, answer = api.answer(self.command, self.path, head, body)
                data = json.dumps(answer).encode()
                self.send_response(status)
                self.send_header("Content-Type", "application/json")
                self.send_header("Content-Length", str(len(data)))
                self.end_headers()
                self.wfile.write(data)

            do_PATCH = do_GET  # noqa: N815 - http.server's name

            def log_message(self, format: str, *args: Any) -> None:
                """Say nothing: the routes are what a test looks at."""

        return Handler


def _fault(route: dict[str, Any]) -> str:
    """The first breach of the schema, with its place; empty when there is none."""
    for error in _VALID.iter_errors(route):
        return f"{'.'.join(map(str, error.instance_path))}: {error.message}"
    return ""


def _merge(target: Any, patch: Any) -> Any:
    """A JSON merge patch (RFC 7386): null removes, maps merge, all else replaces."""
    if not isinstance(patch, dict):
        return copy.deepcopy(patch)
    merged = dict(target) if isinstance(target, dict) else {}
    for key, value in patch.items():
        if value is None:
            merged.pop(key, None)
        else:
            merged[key] = _merge(merged.get(key), value)
    return merged


def _status(code: int, reason: str, message: str) -> tuple[int, dict[str, Any]]:
    return code, {
        "kind": "Status", "apiVersion": "v1", "status": "Failure", "code": code,
        "reason": reason, "message": message,
    }  # fmt: skip
