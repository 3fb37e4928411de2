"""What every register of approvers promises."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import pytest

from switchover.clock import ManualClock
from switchover.errors import InputError, WrongCode
from switchover.ledger import SqlLedger, upgrade
from switchover.ledger.approval_code import FIRST_LOCK, FREE_FAILURES, LONGEST_LOCK
from switchover.ledger.approvers import SqlApprovers
from switchover.ports import Approvers
from switchover.testing.approvers import InMemoryApprovers


@pytest.fixture
def clock() -> ManualClock:
    """The register's clock."""
    return ManualClock()


@pytest.fixture(params=["memory", "sqlite", "postgres"])
def approvers(request: pytest.FixtureRequest, clock: ManualClock) -> Iterator[Approvers]:
    """An empty register of each kind."""
    if request.param == "memory":
        yield InMemoryApprovers(clock)
        return
    fixture = {"sqlite": "sqlite_url", "postgres": "postgres_database"}[request.param]
    url = request.getfixturevalue(fixture)
    upgrade(url)
    ledger = SqlLedger(url)
    yield SqlApprovers(ledger, clock)
    ledger.close()


def fail(approvers: Approvers, times: int, name: str = "ada") -> WrongCode:
    """Give wrong codes; the last refusal."""
    for _ in range(times):
        with pytest.raises(WrongCode) as refused:
            approvers.verify(name, "wrong")
    return refused.value


@pytest.mark.req("P6")
def test_the_code_that_was_issued_proves_the_name(approvers: Approvers) -> None:
    """Typed in upper case, without hyphens or with a space at its end, it is the same code."""
    code = approvers.issue("ada")
    approvers.verify("ada", code)
    approvers.verify("ada", code.replace("-", "").upper() + " ")


@pytest.mark.req("P6")
def test_a_code_proves_one_name_only(approvers: Approvers) -> None:
    """Neither another's code, nor none, nor a hash from the table is accepted."""
    ada, bo = approvers.issue("ada"), approvers.issue("bo")
    assert ada != bo
    for name, code in (("ada", bo), ("bo", ada), ("ada", ""), ("eve", ada)):
        with pytest.raises(WrongCode):
            approvers.verify(name, code)


@pytest.mark.req("P6")
def test_an_unknown_and_a_revoked_name_are_refused_in_the_same_words(approvers: Approvers) -> None:
    """Nobody learns from a refusal who has a code."""
    code = approvers.issue("ada")
    approvers.revoke("ada")
    words = set()
    for name, given in (("ada", code), ("eve", code)):
        with pytest.raises(WrongCode) as refused:
            approvers.verify(name, given)
        words.add(str(refused.value).replace(name, "NAME"))
    assert len(words) == 1


@pytest.mark.req("P6")
def test_a_new_code_replaces_the_old_one(approvers: Approvers) -> None:
    """A code that leaked ends with the next one, and a revocation too."""
    old = approvers.issue("ada", "U0ADA")
    approvers.revoke("ada")
    new = approvers.issue("ada")
    approvers.verify("ada", new)
    with pytest.raises(WrongCode):
        approvers.verify("ada", old)
    [ada] = approvers.list()
    assert ada.revoked_at is None
    assert ada.slack_user == ""


@pytest.mark.req("P6")
def test_wrong_codes_lock_the_name_for_ever_longer(
    approvers: Approvers, clock: ManualClock
) -> None:
    """While it is locked the right code is not looked at either, and no try counts."""
    code = approvers.issue("ada")
    assert fail(approvers, FREE_FAILURES).locked_until is None
    approvers.verify("ada", code)
    fail(approvers, FREE_FAILURES)
    expected = FIRST_LOCK
    for failures in range(FREE_FAILURES + 1, FREE_FAILURES + 12):
        refusal = fail(approvers, 1)
        assert refusal.failures == failures
        assert refusal.compared
        assert refusal.locked_until == clock.now() + timedelta(seconds=expected)
        with pytest.raises(WrongCode) as shut:
            approvers.verify("ada", code)
        assert not shut.value.compared
        assert approvers.list()[0].failures == failures
        clock.advance(timedelta(seconds=expected))
        expected = min(LONGEST_LOCK, 2 * expected)
    assert expected == LONGEST_LOCK
    approvers.verify("ada", code)
    [ada] = approvers.list()
    assert (ada.failures, ada.failed_at, ada.locked_until) == (0, None, None)


@pytest.mark.req("P6")
def test_a_new_code_unlocks(approvers: Approvers) -> None:
    """An operator helps a colleague whom somebody has locked out."""
    approvers.issue("ada")
    assert fail(approvers, FREE_FAILURES + 1).locked_until is not None
    approvers.verify("ada", approvers.issue("ada"))


@pytest.mark.req("P6")
def test_many_tries_at_the_same_time_are_counted_one_by_one(approvers: Approvers) -> None:
    """Nobody gets more tries by asking in parallel."""
    approvers.issue("ada")

    def try_it(_: int) -> bool:
        with pytest.raises(WrongCode) as refused:
            approvers.verify("ada", "wrong")
        return refused.value.compared

    with ThreadPoolExecutor(8) as threads:
        compared = sum(threads.map(try_it, range(16)))
    assert compared == FREE_FAILURES + 1
    assert approvers.list()[0].failures == FREE_FAILURES + 1


@pytest.mark.req("P6", "P9")
def test_a_slack_user_is_one_approver_until_revoked(approvers: Approvers) -> None:
    """A button in Slack stands for a person; with the person's standing it ends."""
    approvers.issue("ada", "U0ADA")
    assert approvers.by_slack("U0ADA") == "ada"
    assert approvers.by_slack("U0EVE") is None
    assert approvers.by_slack("") is None
    with pytest.raises(InputError, match="'ada' already"):
        approvers.issue("bo", "U0ADA")
    approvers.issue("ada")
    assert approvers.by_slack("U0ADA") == "ada"
    approvers.revoke("ada")
    assert approvers.by_slack("U0ADA") is None
    approvers.issue("bo", "U0ADA")
    assert approvers.by_slack("U0ADA") == "bo"


@pytest.mark.req("P6")
def test_revoking_needs_a_name_that_has_a_code(approvers: Approvers) -> None:
    """A slip of the pen must not look like a revocation; a second one changes nothing."""
    approvers.issue("ada")
    with pytest.raises(InputError, match="Ada"):
        approvers.revoke("Ada")
    approvers.revoke("ada")
    [before] = approvers.list()
    approvers.revoke("ada")
    assert approvers.list() == (before,)


@pytest.mark.req("P6")
@pytest.mark.parametrize("name", ["", " ada", "ada ", "a:b", "a\nb", "a\x00b", "x" * 81])
def test_names_that_no_form_can_carry_are_refused(approvers: Approvers, name: str) -> None:
    """HTTP Basic ends the name at the first colon; a control character hides in a record."""
    with pytest.raises(InputError, match="approver's name"):
        approvers.issue(name)


@pytest.mark.req("P6")
def test_a_slack_user_is_a_member_id(approvers: Approvers) -> None:
    """A display name can be taken by anybody, so it proves nothing."""
    with pytest.raises(InputError, match="member id"):
        approvers.issue("ada", "@ada")


@pytest.mark.req("P6")
def test_names_of_any_script_are_told_apart(approvers: Approvers) -> None:
    """Approvers are people, and people have names like these."""
    for name in ("Zoë Ångström", "李", "o'hara", "a"):
        approvers.verify(name, approvers.issue(name))
    assert [a.name for a in approvers.list()] == sorted(a.name for a in approvers.list())
    assert len(approvers.list()) == 4
