from __future__ import annotations

import base64
import json
from collections.abc import Callable
from typing import Any

import httpx
import pytest

from switchover.errors import DependencyUnavailable, InputError, Refused
from switchover.launcher import prefect_api, session
from switchover.launcher.prefect_api import PrefectLauncher

URL = "http://127.0.0.1:4200/api"
Answer = httpx.Response | Exception


class Script:
    """Answers calls in the order given, the last answer again and again, and keeps them."""

    def __init__(self, *answers: Answer) -> None:
        self.answers = list(answers)
        self.calls: list[httpx.Request] = []

    def __call__(self, request: httpx.Request) -> httpx.Response:
        self.calls.append(request)
        answer = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
        if isinstance(answer, Exception):
            raise answer
        return httpx.Response(answer.status_code, headers=answer.headers, content=answer.content)


def say(document: Any, status: int = 200, **headers: str) -> httpx.Response:
    return httpx.Response(status, json=document, headers=headers)


def launcher(script: Script, auth: str | None = None) -> PrefectLauncher:
    return PrefectLauncher(URL, auth, transport=httpx.MockTransport(script))


def in_state(kind: str, name: str = "", message: str = "") -> httpx.Response:
    return say({"state": {"type": kind, "name": name or kind.title(), "message": message}})


@pytest.fixture(autouse=True)
def waits(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """Waits are noted and not slept; the clock that deadlines go by moves with them."""
    noted: list[float] = []
    monkeypatch.setattr(session, "sleep", noted.append)
    monkeypatch.setattr(prefect_api, "sleep", noted.append)
    monkeypatch.setattr(prefect_api, "monotonic", lambda: sum(noted))
    return noted


@pytest.mark.req("P5")
def test_start_sends_parameters_and_key() -> None:
    """A run is created from the deployment of that name, with the key that makes it unique."""
    script = Script(say({"id": "d1"}), say({"id": "r1"}, 201))
    assert launcher(script).start("roll back/eu 1", {"migration": "mood"}, "k1") == "r1"
    assert [call.url.raw_path.decode() for call in script.calls] == [
        "/api/deployments/name/roll%20back/eu%201",
        "/api/deployments/d1/create_flow_run",
    ]
    assert json.loads(script.calls[1].content) == {
        "parameters": {"migration": "mood"},
        "idempotency_key": "k1",
    }


@pytest.mark.req("P5")
def test_credential_goes_as_basic_auth() -> None:
    """Everything after the first colon is the password."""
    script = Script(in_state("RUNNING"))
    launcher(script, "ada:a:b").state("r1")
    token = script.calls[0].headers["Authorization"].removeprefix("Basic ")
    assert base64.b64decode(token) == b"ada:a:b"


@pytest.mark.req("P10")
def test_busy_server_is_tried_again_with_jitter(waits: list[float]) -> None:
    """503 is retried, after waits that are not all alike, and then the answer counts."""
    script = Script(say({}, 503), say({}, 503), say({}, 503), in_state("RUNNING"))
    assert launcher(script).state("r1")[0] == "RUNNING"
    assert len(waits) == len(set(waits)) == 3


@pytest.mark.req("P10")
def test_retry_after_of_the_server_is_kept(waits: list[float]) -> None:
    """A wait that the server asks for is the least."""
    launcher(Script(say({}, 503, **{"Retry-After": "2"}), in_state("RUNNING"))).state("r1")
    assert waits[0] >= 2


@pytest.mark.req("R8")
@pytest.mark.parametrize(
    ("answer", "tries", "says"),
    [
        (say({}, 503), 5, "503"),
        (httpx.ConnectError("Connection refused"), 5, "Connection refused"),
        (httpx.ReadTimeout("timed out"), 1, "timed out"),
        (say({"exception_message": "Internal Server Error"}, 500), 1, "Internal Server Error"),
    ],
)
def test_outage_names_prefect_and_its_address(answer: Answer, tries: int, says: str) -> None:
    """An outage ends in one error; what may have been done is not repeated in here."""
    script = Script(answer)
    with pytest.raises(DependencyUnavailable, match=f"Prefect is unavailable: .*{says}.*4200"):
        launcher(script).state("r1")
    assert len(script.calls) == tries


@pytest.mark.req("P5")
@pytest.mark.parametrize(
    ("answer", "says"),
    [
        (say({"exception_message": "Unauthorized"}, 401), "PREFECT_API_AUTH_STRING"),
        (say({"detail": "Deployment not found"}, 404), "deployment f/d.*prefect deploy --all"),
        (httpx.Response(200, text="<html>"), "PREFECT_API_URL ends in /api"),
        (
            say({"exception_detail": [{"loc": ["body", "x"], "msg": "Extra inputs"}]}, 422),
            "body.x: Extra inputs",
        ),
    ],
)
def test_refusal_tells_what_to_do(answer: httpx.Response, says: str) -> None:
    """What no retry can mend is bad input, with advice."""
    with pytest.raises(InputError, match=says):
        launcher(Script(answer)).start("f/d", {}, "k")


@pytest.mark.req("P5")
def test_parameters_that_do_not_fit_are_refused_with_the_reason() -> None:
    """Prefect checks parameters against the flow's schema; its words are passed on."""
    refusal = say({"detail": "Error creating flow run: 'migration' is a required property"}, 409)
    with pytest.raises(InputError, match="'migration' is a required property"):
        launcher(Script(say({"id": "d1"}), refusal)).start("f/d", {}, "k")


@pytest.mark.req("P5")
@pytest.mark.parametrize("name", ["rollback", "/d", "f/", ""])
def test_deployment_needs_both_names(name: str) -> None:
    """A name without its flow is refused before anything is sent."""
    script = Script(say({}))
    with pytest.raises(InputError, match="flow/deployment"):
        launcher(script).start(name, {}, "k")
    assert script.calls == []


@pytest.mark.req("P5")
def test_address_must_be_one() -> None:
    """A missing address is told with an example."""
    with pytest.raises(InputError, match="PREFECT_API_URL"):
        PrefectLauncher("")
    with pytest.raises(InputError, match="PREFECT_API_URL is no address"):
        PrefectLauncher("http://127.0.0.1:port/api").state("r1")


@pytest.mark.req("P6")
@pytest.mark.parametrize(
    ("status", "error"),
    [("REJECT", InputError), ("ABORT", Refused), ("WAIT", DependencyUnavailable)],
)
def test_resume_that_did_not_happen_is_an_error(status: str, error: type[Exception]) -> None:
    """Prefect answers 200 to a resume that it did not do; the status tells."""
    answer = say({"status": status, "details": {"reason": "because of X."}})
    with pytest.raises(error, match="because of X"):
        launcher(Script(answer)).resume("r1", {"approver": "ada"})


@pytest.mark.req("P6")
def test_resume_sends_the_typed_input() -> None:
    """The values arrive as the run's input."""
    script = Script(say({"status": "ACCEPT", "details": {}}, 201))
    launcher(script).resume("r1", {"approver": "ada"})
    assert json.loads(script.calls[0].content) == {"run_input": {"approver": "ada"}}


@pytest.mark.req("P6")
def test_waiting_reads_every_page() -> None:
    """More suspended runs than one page holds are all found."""
    pages = [
        [{"id": f"r{n}", "parameters": {"n": n}} for n in range(k, k + c)]
        for k, c in ((0, 200), (200, 3))
    ]
    script = Script(say({"id": "d1"}), say(pages[0]), say(pages[1]))
    found = launcher(script).waiting("approve/approve")
    assert len(found) == 203
    assert found[202] == ("r202", {"n": 202})


@pytest.mark.req("P5")
def test_wait_tells_each_state_once_and_ends_with_the_last() -> None:
    """A run is followed through its states to its end, whatever end."""
    script = Script(
        in_state("SCHEDULED"),
        in_state("RUNNING"),
        in_state("RUNNING"),
        in_state("FAILED", message="boom"),
    )
    heard: list[prefect_api.RunState] = []
    assert launcher(script).wait("r1", 60, heard.append) == ("FAILED", "Failed", "boom")
    assert [kind for kind, _, _ in heard] == ["SCHEDULED", "RUNNING", "FAILED"]


@pytest.mark.req("INV4")
def test_wait_outlasts_an_outage() -> None:
    """A server that restarts meanwhile does not end the waiting."""
    script = Script(in_state("RUNNING"), say({}, 500), say({}, 500), in_state("COMPLETED"))
    assert launcher(script).wait("r1", 60)[0] == "COMPLETED"


@pytest.mark.req("P5")
@pytest.mark.parametrize(
    ("answer", "says"), [(in_state("PENDING"), "still Pending after 30 s"), (say({}, 500), "500")]
)
def test_wait_ends_with_its_timeout(answer: httpx.Response, says: str) -> None:
    """A run that never starts, or a server that never comes back, is told after the timeout."""
    wait: Callable[..., Any] = launcher(Script(answer)).wait
    with pytest.raises(DependencyUnavailable, match=says):
        wait("r1", 30)


@pytest.mark.req("P6")
def test_forget_input_deletes_answers_and_leaves_the_form() -> None:
    """Of a suspended run's inputs only what people gave goes; one that is gone is no fault."""
    inputs = [{"key": f"suspended-a-1-{part}"} for part in ("schema", "response", "description")]
    inputs.append({"key": "suspended-a-2-response"})
    script = Script(say(inputs), httpx.Response(204), say({"detail": "gone"}, 404))
    assert launcher(script).forget_input("r 1") == 2
    assert [(call.method, call.url.raw_path.decode()) for call in script.calls] == [
        ("POST", "/api/flow_runs/r%201/input/filter"),
        ("DELETE", "/api/flow_runs/r%201/input/suspended-a-1-response"),
        ("DELETE", "/api/flow_runs/r%201/input/suspended-a-2-response"),
    ]


@pytest.mark.req("P6")
def test_an_answer_that_can_not_be_deleted_is_told() -> None:
    """It would stay in the database otherwise, with nobody knowing."""
    script = Script(say([{"key": "suspended-a-1-response"}]), say({"detail": "no"}, 401))
    with pytest.raises(InputError, match="credential"):
        launcher(script).forget_input("r1")
