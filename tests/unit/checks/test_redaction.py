from __future__ import annotations

import pytest

from switchover.checks.redaction import redact


@pytest.mark.req("P1")
def test_values_of_secret_variables_are_hidden() -> None:
    """A secret that a test prints does not reach the ledger."""
    environ = {"API_TOKEN": "s3cr3t-token", "HOME": "/home/someone", "DB_PASSWORD": "hunter2x"}
    text = "token s3cr3t-token, in /home/someone, password=hunter2x"
    assert redact(text, environ) == "token ***, in /home/someone, password=***"


@pytest.mark.req("P1")
def test_a_secret_that_contains_another_is_hidden_whole() -> None:
    """Longer values go first, so no half of one stays."""
    environ = {"A_KEY": "abcdef", "B_KEY": "abcdef-tail"}
    assert redact("abcdef-tail abcdef", environ) == "*** ***"


@pytest.mark.req("P1")
def test_passwords_in_addresses_are_hidden() -> None:
    """Also those that no variable holds; user and host stay readable."""
    assert redact("at postgresql://ann:pw@db/x", {}) == "at postgresql://ann:***@db/x"


@pytest.mark.req("P1")
def test_short_values_do_not_black_out_the_text() -> None:
    """A secret variable that is empty or a flag hides nothing."""
    assert redact("1 test passed", {"USE_TOKEN": "1", "NO_KEY": ""}) == "1 test passed"
