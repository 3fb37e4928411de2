from __future__ import annotations

import subprocess
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from typing import Any

import pytest

from switchover.errors import DependencyUnavailable, Refused, StaleEpoch
from switchover.machine.snapshot import Snapshot
from switchover.routing.proxies.gateway_api import GatewayApiSplit
from switchover.testing.embedded.ports import free_port
from switchover.testing.gateway_api import GatewayApiServer
from switchover.testing.stand_in import StandInServer

pytestmark = pytest.mark.req("T11")

OTHER = {"matches": [{"path": {"type": "PathPrefix", "value": "/docs"}}],
         "backendRefs": [{"name": "docs", "port": 80}]}  # fmt: skip
SPEC: dict[str, Any] = {
    "parentRefs": [{"name": "edge"}],
    "hostnames": ["mood.example"],
    "rules": [
        OTHER,
        {
            "matches": [{"path": {"type": "PathPrefix", "value": "/"}}],
            "backendRefs": [
                {"name": "mood-v2", "port": 8020, "weight": 1},
                {"name": "mood-v3", "port": 8030, "weight": 0},
            ],
        },
    ],
}


def document(epoch: int, percent: float, mode: str = "gradual") -> Snapshot:
    return Snapshot("mood-v3", epoch, mode, round(percent * 100), salt="s")


@pytest.fixture
def api() -> Iterator[GatewayApiServer]:
    with GatewayApiServer() as server:
        server.add("clinic", "mood", SPEC)
        yield server


def opened(
    url: str, *, token: str = "stand-in-token", route: str = "mood", authority: Path | None = None
) -> GatewayApiSplit:
    return GatewayApiSplit(
        "mood-v3", url, namespace="clinic", route=route, legacy="mood-v2", candidate="mood-v3",
        token=lambda: token, settle=0.5, authority=authority,
    )  # fmt: skip


@contextmanager
def api_of_somebody_else() -> Iterator[str]:
    """A web server that answers everything with a page."""

    class Page(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200)
            self.send_header("Content-Length", "6")
            self.end_headers()
            self.wfile.write(b"<html>")

        def log_message(self, format: str, *args: Any) -> None:
            """Say nothing."""

    with StandInServer(("127.0.0.1", 0), Page) as server:
        threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
        yield f"http://127.0.0.1:{server.server_address[1]}"
        server.shutdown()


@pytest.fixture
def split(api: GatewayApiServer) -> GatewayApiSplit:
    return opened(api.url)


def test_only_the_weights_of_the_route_change(
    api: GatewayApiServer, split: GatewayApiSplit
) -> None:
    """Ports, other rules, hostnames and gateways stay; the epoch is in an annotation."""
    split.apply(document(1, 12.34))
    route = api.routes["clinic/mood"]
    refs = route["spec"]["rules"][1]["backendRefs"]
    assert refs == [
        {"name": "mood-v2", "port": 8020, "weight": 8_766},
        {"name": "mood-v3", "port": 8030, "weight": 1_234},
    ]
    assert route["spec"]["rules"][0] == OTHER
    assert {**route["spec"], "rules": None} == {**SPEC, "rules": None}
    assert route["metadata"]["annotations"] == {"switchover/mood-v3": "1 1234"}
    assert split.read() == 0.1234


def test_repeated_document_sends_no_patch(api: GatewayApiServer, split: GatewayApiSplit) -> None:
    """What is in force already is only looked at; what a person changed is put right."""
    split.apply(document(1, 10))
    split.apply(document(1, 10))
    assert len(api.patches) == 1
    api.change(api.routes["clinic/mood"], SPEC)
    split.apply(document(1, 10))
    assert split.read() == 0.1


@pytest.mark.req("INV3")
def test_route_refuses_an_older_document(split: GatewayApiSplit) -> None:
    """Older, and equal with another split, are refused and change nothing."""
    split.apply(document(7, 50))
    for epoch, percent in ((6, 100), (7, 60)):
        with pytest.raises(StaleEpoch):
            split.apply(document(epoch, percent))
    assert split.read() == 0.5


def test_change_of_another_client_is_kept(api: GatewayApiServer, split: GatewayApiSplit) -> None:
    """Somebody adds a hostname between our look and our patch: both changes survive."""

    def rival(route: dict[str, Any]) -> None:
        api.change(route, {**route["spec"], "hostnames": ["mood.example", "new.example"]})

    api.rivals.extend([rival, rival])
    split.apply(document(1, 10))
    assert api.routes["clinic/mood"]["spec"]["hostnames"][1] == "new.example"
    assert split.read() == 0.1


@pytest.mark.req("INV3")
def test_newer_document_of_a_rival_wins(api: GatewayApiServer, split: GatewayApiSplit) -> None:
    """A rollback that lands between our look and our patch is not undone by us."""

    def rival(route: dict[str, Any]) -> None:
        api.change(route, route["spec"])
        route["metadata"]["annotations"] = {"switchover/mood-v3": "9 0"}

    api.rivals.append(rival)
    with pytest.raises(StaleEpoch, match="epoch 8 refused, the store holds 9"):
        split.apply(document(8, 50))
    assert api.patches == []


def test_endless_conflict_ends_as_unavailable(
    api: GatewayApiServer, split: GatewayApiSplit
) -> None:
    """A route that changes at every look is somebody else's loop, and is reported."""
    api.rivals.extend([lambda route: api.change(route, route["spec"])] * 5)
    with pytest.raises(DependencyUnavailable, match="others changed it 5 times"):
        split.apply(document(1, 10))


@pytest.mark.req("INV3")
def test_newest_document_wins_among_concurrent_patches(api: GatewayApiServer) -> None:
    """Three writers: the newest document stands, whoever comes first."""

    def write(epoch: int) -> None:
        try:
            opened(api.url).apply(document(epoch, epoch))
        except StaleEpoch:
            assert epoch != 3

    writers = [threading.Thread(target=write, args=(epoch,)) for epoch in (1, 2, 3)]
    for writer in writers:
        writer.start()
    for writer in writers:
        writer.join()
    assert opened(api.url).read() == 0.03


def test_share_is_unknown_until_the_gateway_accepts(
    api: GatewayApiServer, split: GatewayApiSplit
) -> None:
    """What is written is not yet what the gateway does."""
    api.lag = 1_000
    with pytest.raises(DependencyUnavailable, match="gateway edge has not looked at the change"):
        split.apply(document(1, 10))
    assert split.read() is None
    api.lag = 1
    assert split.read() == 0.1


def test_refusal_of_the_gateway_is_told(api: GatewayApiServer, split: GatewayApiSplit) -> None:
    """A gateway that does not accept the route says why."""
    api.refusal = "NotAllowedByListeners"
    with pytest.raises(Refused, match=r"edge does not accept .* NotAllowedByListeners"):
        split.apply(document(1, 10))


def test_route_that_no_gateway_took_up_is_told(api: GatewayApiServer) -> None:
    """A route without a parent serves nobody."""
    api.add("clinic", "alone", {**SPEC, "parentRefs": []})
    with pytest.raises(DependencyUnavailable, match="not every gateway has taken the route up"):
        opened(api.url, route="alone").apply(document(1, 10))


@pytest.mark.parametrize(
    ("broken", "error", "words"),
    [
        (lambda api: opened(api.url, token="wrong"), Refused, "401: Unauthorized.*get and patch"),
        (lambda api: opened(api.url, route="no"), Refused, 'does not exist .*"no" not found'),
        (lambda api: opened(f"http://127.0.0.1:{free_port()}"), DependencyUnavailable, "address"),
    ],
    ids=["token", "name", "address"],
)
def test_what_is_wrong_is_said_with_what_to_do(
    api: GatewayApiServer,
    broken: Callable[[GatewayApiServer], GatewayApiSplit],
    error: type[Exception],
    words: str,
) -> None:
    """A wrong token, a wrong name and a wrong address, on reading and on writing."""
    split = broken(api)
    for act in (split.read, lambda: split.apply(document(1, 10))):
        with pytest.raises(error, match=words):
            act()


@pytest.mark.parametrize("status", [429, 500, 503])
def test_trouble_of_the_api_is_unavailability(
    api: GatewayApiServer, split: GatewayApiSplit, status: int
) -> None:
    """What may pass is an error to be tried again."""
    api.troubles.append(status)
    with pytest.raises(DependencyUnavailable, match=f"{status}: asked for by the test"):
        split.read()


def test_route_without_both_services_is_refused(api: GatewayApiServer) -> None:
    """A rule that names only one of them can't be split."""
    api.add("clinic", "docs", {"parentRefs": [{"name": "edge"}], "rules": [OTHER]})
    with pytest.raises(Refused, match="no rule with both mood-v2 and mood-v3"):
        opened(api.url, route="docs").apply(document(1, 10))
    assert opened(api.url, route="docs").read() is None


@pytest.mark.parametrize(
    "change",
    [
        {"weight": -1},
        {"weight": "10"},
        {"weight": 1_000_001},
        {"share": 10},
        {"name": ""},
        {"port": 0},
    ],
    ids=str,
)
def test_stand_in_refuses_what_breaks_the_schema(
    api: GatewayApiServer, change: dict[str, Any]
) -> None:
    """The API that these tests trust knows HTTPRoute of version v1."""
    broken = {"backendRefs": [{"name": "mood-v2", "port": 8020, **change}]}
    with pytest.raises(ValueError, match=r"^spec\.rules\.0\.backendRefs\.0"):
        api.add("clinic", "broken", {"rules": [broken]})


def test_stand_in_wants_the_port_of_a_service(api: GatewayApiServer) -> None:
    """A reference to a Service without a port routes nowhere."""
    with pytest.raises(ValueError, match="port"):
        api.add("clinic", "broken", {"rules": [{"backendRefs": [{"name": "mood-v2"}]}]})


def test_api_is_trusted_by_its_authority_only(
    tmp_path: Path, program: Callable[[str], Path]
) -> None:
    """With the cluster's certificate the split works; without it nothing is sent, not even the
    token."""
    made = tmp_path / "api.pem"
    subprocess.run(
        [program("openssl"), "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256",
         "-nodes", "-keyout", made, "-out", tmp_path / "ca.pem", "-days", "2", "-subj", "/CN=api",
         "-addext", "subjectAltName=IP:127.0.0.1"],
        check=True, capture_output=True,
    )  # fmt: skip
    made.write_text(made.read_text() + (tmp_path / "ca.pem").read_text())
    with GatewayApiServer(certificate=made) as server:
        server.add("clinic", "mood", SPEC)
        split = opened(server.url, authority=tmp_path / "ca.pem")
        split.apply(document(1, 10))
        assert split.read() == 0.1
        with pytest.raises(DependencyUnavailable, match="certificate verify failed"):
            opened(server.url).apply(document(2, 20))
        assert split.read() == 0.1


def test_address_of_something_else_is_told() -> None:
    """A page instead of an answer of the API is no share."""
    with (
        api_of_somebody_else() as url,
        pytest.raises(DependencyUnavailable, match="not as its API"),
    ):
        opened(url).read()
