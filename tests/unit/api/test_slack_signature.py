from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from slack_sdk.signature import SignatureVerifier

from switchover.api.slack_signature import SlackSignatures, sign
from switchover.errors import NotAuthorised

NOW = 1_772_442_000
SECRET = "8f742231b10e8888abcd99yyyzzz85a5"


def signatures() -> SlackSignatures:
    return SlackSignatures(SECRET, lambda: float(NOW))


@pytest.mark.req("P6")
@given(st.text())
def test_signature_is_the_one_of_slacks_own_sdk(body: str) -> None:
    """Slack's SDK signs alike, whatever the body holds."""
    raw = body.encode("utf-8", "replace")
    theirs = SignatureVerifier(SECRET).generate_signature(timestamp=str(NOW), body=raw)
    assert sign(SECRET, str(NOW), raw) == theirs
    signatures().verify(str(NOW), str(theirs), raw)


@pytest.mark.req("P6")
@given(st.data(), st.binary(min_size=1, max_size=200))
def test_any_changed_byte_is_refused(data: st.DataObject, body: bytes) -> None:
    """Body, timestamp, signature or secret: one byte of any of them is enough."""
    parts = [str(NOW).encode(), sign(SECRET, str(NOW), body).encode(), body, SECRET.encode()]
    which = data.draw(st.integers(0, len(parts) - 1))
    place = data.draw(st.integers(0, len(parts[which]) - 1))
    other = data.draw(st.integers(1, 255))
    changed = bytearray(parts[which])
    changed[place] ^= other
    parts[which] = bytes(changed)
    timestamp, signature, content, secret = parts
    verifier = SlackSignatures(secret.decode("latin-1"), lambda: float(NOW))
    with pytest.raises(NotAuthorised):
        # As a server reads headers.
        verifier.verify(timestamp.decode("latin-1"), signature.decode("latin-1"), content)


@pytest.mark.req("P6")
@given(st.text(), st.text(), st.binary())
def test_nonsense_is_refused_and_never_a_fault(timestamp: str, signature: str, body: bytes) -> None:
    """Whatever the headers hold, the answer is a refusal."""
    with pytest.raises(NotAuthorised):
        signatures().verify(timestamp, signature, body)


@pytest.mark.req("P6")
@pytest.mark.parametrize("timestamp", ["", " 1", "1e9", "-5", "٣", "9" * 40])
def test_a_signed_timestamp_that_is_none_is_refused(timestamp: str) -> None:
    """Even under the right signature only plain digits are a time."""
    with pytest.raises(NotAuthorised, match="older"):
        signatures().verify(timestamp, sign(SECRET, timestamp, b"x"), b"x")


@pytest.mark.req("P6")
@given(st.integers(-1000, 1000))
def test_a_request_is_good_for_five_minutes(age: int) -> None:
    """Before and after our clock alike; beyond, a right signature is refused."""
    timestamp = str(NOW - age)
    signature = sign(SECRET, timestamp, b"x")
    if abs(age) <= 300:
        signatures().verify(timestamp, signature, b"x")
    else:
        with pytest.raises(NotAuthorised, match="older"):
            signatures().verify(timestamp, signature, b"x")


@pytest.mark.req("P6")
def test_a_request_is_taken_once_for_as_long_as_it_is_good() -> None:
    """It is remembered until its age refuses it, and forgotten afterwards."""
    now = [float(NOW)]
    verifier = SlackSignatures(SECRET, lambda: now[0])
    ahead = str(NOW + 300)  # by a clock that is ahead it is good for ten minutes
    signature = sign(SECRET, ahead, b"x")
    verifier.verify(ahead, signature, b"x")
    for later in (0.0, 299.0, 600.0):
        now[0] = NOW + later
        with pytest.raises(NotAuthorised, match="was here before"):
            verifier.verify(ahead, signature, b"x")
    now[0] = NOW + 601.0
    verifier.verify(str(NOW + 601), sign(SECRET, str(NOW + 601), b"y"), b"y")
    assert list(verifier._seen.values()) == [NOW + 601.0]
