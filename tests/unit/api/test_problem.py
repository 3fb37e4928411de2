from __future__ import annotations

import json
from datetime import UTC, datetime

import pytest

from switchover import errors
from switchover.api.problem import explained


def concrete(kind: type[errors.SwitchoverError]) -> list[type[errors.SwitchoverError]]:
    """The class and all below it."""
    return [kind, *(deep for sub in kind.__subclasses__() for deep in concrete(sub))]


@pytest.mark.req("K1")
@pytest.mark.parametrize(
    ("error", "status"),
    [
        (errors.InputError("x; y"), 400),
        (errors.UnknownMigration("m"), 404),
        (errors.NoLedger("database", "empty"), 404),
        (errors.DependencyUnavailable("Redis", "gone"), 503),
        (errors.WrongCode("ada", "no; y", locked_until=datetime.now(UTC)), 401),
        (errors.NotAuthorised("no"), 403),
        (errors.Refused("not now"), 409),
        (errors.LostRace("m", 3), 409),
        (errors.NegativeAnswer("no"), 409),
    ],
)
def test_every_branch_of_the_error_tree_has_its_status(
    error: errors.SwitchoverError, status: int
) -> None:
    """And each says what is wrong and what to do."""
    answer = explained(error)
    document = json.loads(bytes(answer.body))
    assert answer.status_code == status
    assert document["error"]
    assert document["what_to_do"]
    assert ("www-authenticate" in answer.headers) == (status == 401)


@pytest.mark.req("K1")
def test_no_error_of_the_tree_is_a_fault_of_the_server() -> None:
    """A new error gets the status of its branch; 500 is left to what nobody foresaw."""
    for kind in concrete(errors.SwitchoverError)[1:]:
        error = kind.__new__(kind)
        Exception.__init__(error, "it is so; do this")
        assert explained(error).status_code != 500, kind


@pytest.mark.req("K1")
def test_the_advice_is_the_end_of_the_message() -> None:
    """`what is wrong; what to do` comes apart at the last semicolon."""
    document = json.loads(bytes(explained(errors.Refused("a; b; c")).body))
    assert (document["error"], document["what_to_do"]) == ("a; b", "c")


@pytest.mark.req("K1")
def test_a_wait_is_passed_on() -> None:
    """Retry-After in whole seconds, rounded up."""
    answer = explained(errors.DependencyUnavailable("Prefect", "busy", 1.2))
    assert answer.headers["retry-after"] == "2"
