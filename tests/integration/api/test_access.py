"""Who gets in, how often, and what they are told: over HTTP, on a real register."""

from __future__ import annotations

import base64
import logging

import httpx
import pytest

from switchover.errors import DependencyUnavailable, NoLedger
from switchover.ledger.approvers import SqlApprovers
from tests.integration.api.conftest import World

LIST = "/api/migrations"


@pytest.mark.req("K1")
def test_nobody_gets_in_without_a_code(world: World) -> None:
    """Every path below /api asks for HTTP Basic, and a wrong code is a stranger's."""
    for method, path in (
        ("GET", LIST), ("GET", f"{LIST}/demo"), ("GET", f"{LIST}/demo/approvals"),
        ("POST", f"{LIST}/demo/approvals/x/decision"), ("POST", f"{LIST}/demo/rollback"),
    ):  # fmt: skip
        body = {"reason": "r"} if path.endswith("rollback") else {"decision": "approve"}
        given = {"json": body} if method == "POST" else {}
        for auth in (None, ("ada", "wrong"), ("nobody", world.codes["ada"])):
            answer = world.call(method, path, auth=auth, **given)
            assert answer.status_code == 401, (path, auth)
            assert answer.headers["www-authenticate"].startswith("Basic realm=")
            assert answer.headers["content-type"] == "application/problem+json"
            assert {"error", "what_to_do", "request_id"} == set(answer.json())
    assert world.context.routing.halted("demo") is None


@pytest.mark.req("K1")
@pytest.mark.parametrize(
    "header", ["", "Basic", "Basic !!!", "Basic YWRh", "Bearer x", f"Basic {'A' * 5000}"]
)
def test_a_broken_credential_is_none(world: World, header: str) -> None:
    """Whatever the header holds, the answer is 401."""
    assert world.call("GET", LIST, headers={"Authorization": header}).status_code == 401


@pytest.mark.req("K1")
def test_a_name_beyond_ascii_gets_in(world: World) -> None:
    """Credentials are UTF-8, as the challenge says."""
    assert world.context.approvers is not None
    code = world.context.approvers.issue("jörg")
    token = base64.b64encode(f"jörg:{code}".encode()).decode()
    headers = {"Authorization": f"Basic {token}"}
    assert world.call("GET", LIST, headers=headers).status_code == 200


@pytest.mark.req("K1")
def test_guessing_locks_the_name_and_slows_the_address(world: World) -> None:
    """Right codes don't help either, once the register has locked the name; then comes 429."""
    world.call("GET", LIST, "ada").raise_for_status()
    statuses = []
    while 429 not in statuses:
        assert len(statuses) < 50
        statuses.append(world.call("GET", LIST, auth=("ada", "wrong")).status_code)
    assert set(statuses) == {401, 429}
    refused = world.call("GET", LIST, "bo")
    assert refused.status_code == 429
    assert 1 <= int(refused.headers["retry-after"]) <= 60
    assert world.context.approvers is not None
    (ada,) = [who for who in world.context.approvers.list() if who.name == "ada"]
    assert ada.locked_until is not None


@pytest.mark.req("K1", "INV7")
def test_guesses_of_others_keep_nobody_known_from_rolling_back(world: World) -> None:
    """Somebody at the same address locks ada's name: whom the process knows goes on, and ada,
    who can read nothing now, still turns traffic back. A wrong code does not."""
    for who in ("ada", "bo"):
        world.call("GET", LIST, who).raise_for_status()
    for _ in range(50):
        if world.call("GET", LIST, auth=("ada", "wrong")).status_code == 429:
            break
    assert world.call("GET", LIST, "eve").status_code == 429
    assert world.call("GET", LIST, "bo").status_code == 200
    order = {"json": {"reason": "scores are missing"}}
    for _ in range(2):
        assert world.call("GET", LIST, "ada").status_code == 401
    guess = world.call("POST", f"{LIST}/demo/rollback", auth=("ada", "wrong"), **order)
    assert guess.status_code == 429
    assert world.context.routing.halted("demo") is None
    assert world.call("POST", f"{LIST}/demo/rollback", "ada", **order).status_code == 200
    assert world.context.routing.halted("demo") is not None


@pytest.mark.req("K1")
@pytest.mark.parametrize(
    ("error", "status"),
    [(DependencyUnavailable("database", "no route to sam@10.0.0.5"), 503),
     (NoLedger("database", "nothing at sam@10.0.0.5"), 401)],
)  # fmt: skip
def test_a_stranger_learns_no_address_when_the_register_is_away(
    world: World, monkeypatch: pytest.MonkeyPatch, error: Exception, status: int
) -> None:
    """The operator reads it in the log; an empty ledger has nobody who could get in."""

    def away(*_: object) -> None:
        raise error

    monkeypatch.setattr(SqlApprovers, "verify", away)
    for method, path in (("GET", LIST), ("POST", f"{LIST}/demo/rollback")):
        given = {"json": {"reason": "r"}} if method == "POST" else {}
        answer = world.call(method, path, auth=("nobody", "x"), **given)
        assert answer.status_code == status, answer.text
        assert "10.0.0.5" not in answer.text


@pytest.mark.req("K1")
def test_no_request_writes_a_line_of_its_own_into_the_log(
    world: World, caplog: pytest.LogCaptureFixture
) -> None:
    """An approval's id is repeated in errors, and so in the log."""
    caplog.set_level(logging.INFO, logger="switchover")
    world.ask()
    forged = "x%0A2026-03-02%20INFO%20ada%20approved"
    path = f"{LIST}/demo/approvals/{forged}/decision"
    assert world.call("POST", path, "ada", json={"decision": "approve"}).status_code == 422
    assert not [record for record in caplog.records if "\n" in record.getMessage()]


@pytest.mark.req("K1")
def test_an_address_that_writes_too_often_has_to_wait(world: World) -> None:
    """POST is counted per address and answered by 429 with Retry-After; GET is not counted."""
    path = f"{LIST}/demo/approvals/x/decision"
    statuses = []
    while 429 not in statuses:
        assert len(statuses) < 100
        answer = world.call("POST", path, json={"decision": "approve"})
        statuses.append(answer.status_code)
    assert set(statuses) == {401, 429}
    assert int(answer.headers["retry-after"]) >= 1
    assert world.call("GET", LIST, "ada").status_code == 200
    # A rollback is never counted.
    halted = world.call("POST", f"{LIST}/demo/rollback", "ada", json={"reason": "now"})
    assert halted.status_code == 200


@pytest.mark.req("K1")
def test_a_page_of_another_site_can_post_nothing(world: World) -> None:
    """Forms and plain text are refused before anything is read, and no origin is allowed."""
    path = f"{LIST}/demo/rollback"
    for kind in ("application/x-www-form-urlencoded", "text/plain", "multipart/form-data", ""):
        headers = {"Origin": "https://evil.example"} | ({"Content-Type": kind} if kind else {})
        answer = world.call("POST", path, "ada", content='{"reason": "r"}', headers=headers)
        assert answer.status_code == 415, kind
        assert "access-control-allow-origin" not in answer.headers
    asked = {"Origin": "https://evil.example", "Access-Control-Request-Method": "POST"}
    preflight = world.call("OPTIONS", path, headers=asked)
    assert preflight.status_code == 405
    assert "access-control-allow-origin" not in preflight.headers
    assert world.context.routing.halted("demo") is None


@pytest.mark.req("K1")
def test_a_body_that_does_not_fit_is_named_and_not_repeated(world: World) -> None:
    """422 with each field; a secret in the wrong place does not come back."""
    path = f"{LIST}/demo/approvals/x/decision"
    answer = world.call("POST", path, "ada", json={"decision": "maybe", "code": "s3cr3t-value"})
    assert answer.status_code == 422
    assert "body.decision" in str(answer.json()["fields"])
    assert "body.code" in str(answer.json()["fields"])
    assert "s3cr3t-value" not in answer.text
    long = world.call("POST", path, "ada", content=b"x" * (1024 * 1024 + 1),
                      headers={"Content-Type": "application/json"})  # fmt: skip
    assert long.status_code == 413
    broken = world.call("POST", path, "ada", content=b"{", headers={"Content-Type":
                        "application/json"})  # fmt: skip
    assert broken.status_code == 422


@pytest.mark.req("K1")
def test_what_is_not_there_is_not_found(world: World) -> None:
    """Unknown migrations and paths are 404, names that none can have 422, other methods 405."""
    unknown = world.call("GET", f"{LIST}/dmeo", "ada")
    assert unknown.status_code == 404
    assert "dmeo" in unknown.json()["error"]
    order = {"json": {"reason": "r"}}
    assert world.call("POST", f"{LIST}/dmeo/rollback", "ada", **order).status_code == 404
    assert world.call("GET", f"{LIST}/Not-A-Slug", "ada").status_code == 422
    assert world.call("GET", "/nowhere").status_code == 404
    assert world.call("DELETE", LIST).status_code == 415
    assert world.call("POST", "/health").status_code == 405


@pytest.mark.req("K1")
@pytest.mark.req("K5")
def test_the_request_id_is_in_answer_and_log_and_no_code_is(
    world: World, caplog: pytest.LogCaptureFixture
) -> None:
    """A caller's id comes back and is logged; one that is unfit for a log is replaced."""
    from switchover.api.request_id import RequestIdFilter

    caplog.set_level(logging.DEBUG)
    caplog.handler.addFilter(RequestIdFilter())
    answer = world.call("GET", LIST, "ada", headers={"X-Request-ID": "trace-1"})
    assert answer.headers["x-request-id"] == "trace-1"
    for unfit in ("a b", "x" * 65, "a\tb"):
        other = world.call("GET", LIST, "ada", headers={"X-Request-ID": unfit})
        assert other.headers["x-request-id"] != unfit
    problem = world.call("GET", "/nowhere", headers={"X-Request-ID": "trace-2"})
    assert problem.json()["request_id"] == "trace-2"
    world.call("GET", LIST, auth=("ada", "wr0ng-c0de"))
    lines = [f"{getattr(r, 'request_id', '')} {r.getMessage()}" for r in caplog.records
             if r.name.startswith("switchover")]  # fmt: skip
    assert any(line.startswith("trace-1 GET /api/migrations -> 200") for line in lines)
    secrets = (world.codes["ada"], "wr0ng-c0de", world.slack.signing_secret, world.slack.token)
    assert not [line for line in lines for secret in secrets if secret in line]
    caplog.handler.filters.clear()


@pytest.mark.req("K1")
def test_the_list_and_a_status_are_those_of_the_command_line(world: World) -> None:
    """One document, whichever way it is asked for."""
    from switchover.canonical import finite
    from switchover.engine.status import status

    world.ask()
    states = world.call("GET", LIST, "ada").json()["migrations"]
    told = [finite(state.to_dict()) for state in world.context.ledger.migrations()]
    assert states == told
    document = world.call("GET", f"{LIST}/demo", "ada").json()
    assert document == finite(status(world.context, "demo"))


@pytest.mark.req("K1")
def test_every_path_is_described_with_examples(world: World) -> None:
    """The OpenAPI document is complete: security, errors, bodies that refuse unknown keys."""
    document = httpx.get(world.url + "/api/openapi.json").json()
    for path, methods in document["paths"].items():
        for method, route in methods.items():
            assert route["summary"], path
            if path.startswith("/api/"):
                assert route["security"] == [{"approver": []}], path
                assert "401" in route["responses"], path
            if method == "post" and path.startswith("/api/"):
                body = route["requestBody"]["content"]["application/json"]["schema"]["$ref"]
                schema = document["components"]["schemas"][body.rsplit("/", 1)[1]]
                assert schema["additionalProperties"] is False
                assert schema["examples"]
    assert set(document["components"]["schemas"]["Problem"]["properties"]) >= {
        "error", "what_to_do",
    }  # fmt: skip
    assert document["components"]["securitySchemes"]["approver"]["scheme"] == "basic"
