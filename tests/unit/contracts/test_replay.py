from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from switchover.contracts.replay import (
    Exchange,
    read_exchanges,
    read_lines,
    read_values,
    write_exchanges,
)
from switchover.errors import InputError

json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)  # fmt: skip


@pytest.mark.req("P4")
@given(request=json_values, legacy=json_values, candidate=json_values)
def test_exchanges_come_back_as_they_were_written(
    tmp_path_factory: pytest.TempPathFactory, request: object, legacy: object, candidate: object
) -> None:
    """What is recorded is what is replayed, whatever the text in it."""
    path = tmp_path_factory.mktemp("recordings") / "exchanges.jsonl"
    exchange = Exchange(request, legacy, candidate)
    assert write_exchanges(path, [exchange, exchange]) == 2
    assert read_exchanges(path) == [(1, exchange), (2, exchange)]


@pytest.mark.req("P4")
def test_a_line_that_is_no_exchange_is_the_answer_itself() -> None:
    """An answer with a field called candidate is not mistaken for an exchange."""
    assert Exchange.of({"risk": 1}).candidate == {"risk": 1}
    assert Exchange.of({"candidate": 1}).candidate == {"candidate": 1}
    assert Exchange.of({"candidate": 1, "legacy": 2, "more": 3}).legacy is None
    assert Exchange.of({"candidate": 1, "legacy": 2}) == Exchange(None, 2, 1)


@pytest.mark.req("P4")
@pytest.mark.parametrize(
    ("bad", "message"),
    [
        (b"{oops", "not JSON: Expecting property name enclosed in double quotes at column 2"),
        (b'{"a": NaN}', "NaN is not a JSON number"),
        (b'"\xff"', "not UTF-8 at byte 2"),
        (b"[" * 100_000, "not JSON"),
    ],
)
def test_a_bad_line_is_named_by_file_and_line(tmp_path: Path, bad: bytes, message: str) -> None:
    """Blank lines are skipped and still counted; strict reading stops at the first bad line."""
    path = tmp_path / "bodies.jsonl"
    path.write_bytes(b'\xef\xbb\xbf{"a": 1}\r\n\n' + bad + b"\n")
    with pytest.raises(InputError) as caught:
        read_values(path)
    assert str(caught.value).startswith(f"{path}:3: ")
    assert message in str(caught.value)
    good, faulty = read_lines(path)
    assert (good.number, good.value, good.fault) == (1, {"a": 1}, "")
    assert faulty.number == 3
    assert message in faulty.fault


@pytest.mark.req("P4")
def test_an_empty_or_missing_file_is_refused(tmp_path: Path) -> None:
    """No recording is not a recording."""
    empty = tmp_path / "empty.jsonl"
    empty.write_text("\n\n")
    with pytest.raises(InputError, match="no line to read"):
        read_values(empty)
    with pytest.raises(InputError, match="can't be read: No such file"):
        read_values(tmp_path / "missing.jsonl")


@pytest.mark.req("P4")
def test_what_json_cannot_hold_is_not_recorded(tmp_path: Path) -> None:
    """A NaN would make a file that nobody else can read."""
    with pytest.raises(InputError, match="can't be recorded"):
        write_exchanges(tmp_path / "x.jsonl", [Exchange(None, None, float("nan"))])
