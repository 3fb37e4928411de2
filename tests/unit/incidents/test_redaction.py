from __future__ import annotations

import pytest

from switchover.incidents.redaction import redact


@pytest.mark.req("P9")
@pytest.mark.parametrize(
    ("text", "secret"),
    [
        ("redis://:s3cretword@10.0.0.1:6379/0 refused", "s3cretword"),
        ("postgresql+psycopg://bo:p4ssw0rd@db/x", "p4ssw0rd"),
        ("token xoxb-1234567890-abcdefghij is invalid", "xoxb-1234567890-abcdefghij"),
        ("Authorization: Bearer abc.def-ghi123", "abc.def-ghi123"),
        ("api_key=ABCDEF012345&x=1", "ABCDEF012345"),
        ('{"password": "hunter22"}', "hunter22"),
        ("eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiJhZGEifQ.c2ln", "eyJzdWIiOiJhZGEifQ"),
        ("SLACK_TOKEN=abc12345 is set", "abc12345"),
    ],
)
def test_secrets_are_taken_out(text: str, secret: str) -> None:
    """Credentials in the usual shapes disappear, and the text says that something did."""
    assert secret in text
    assert secret not in redact(text)
    assert "[redacted]" in redact(text)


@pytest.mark.req("P9")
@pytest.mark.parametrize(
    "text",
    [
        "p99 is 240 ms, limit 200 ms",
        "http://127.0.0.1:8020/health answers 503",
        "dr@clinic.example was told",
        "basic prediction failed",
    ],
)
def test_ordinary_text_is_untouched(text: str) -> None:
    """What people need to read stays."""
    assert redact(text) == text
