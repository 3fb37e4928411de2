from __future__ import annotations

from datetime import UTC, date, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from switchover.errors import InputError
from switchover.incidents.findings import read_action, read_sections, section_of, spell_action
from switchover.incidents.recovery import recovery_plan


@pytest.mark.req("R5")
@pytest.mark.parametrize(
    ("line", "action"),
    [
        ("pin it (owner: ada, due: 2026-03-09)",
         {"text": "pin it", "owner": "ada", "due": "2026-03-09"}),
        ("- [ ] pin  it (x) (due: 2026-03-09, owner: ada meyer)",
         {"text": "pin it (x)", "owner": "ada meyer", "due": "2026-03-09"}),
        ("* [x] pinned", {"text": "pinned", "done": "yes"}),
        ("- [X] pinned (owner: bo)", {"text": "pinned", "owner": "bo", "done": "yes"}),
    ],
)  # fmt: skip
def test_an_action_has_text_owner_and_date(line: str, action: dict[str, str]) -> None:
    """In one form on the command line and in the file; done ones need neither."""
    assert read_action(line) == action
    assert read_action(spell_action(action)) == action


@pytest.mark.req("R5")
@pytest.mark.parametrize(
    ("line", "missing"),
    [
        ("pin it", "no owner and due"),
        ("pin it (owner: ada)", "no due"),
        ("- [ ] pin it (due: 2026-03-09)", "no owner"),
        ("pin it (owner: ada, due: soon)", "'soon', which is no date"),
        ("- [x]  ", "no text"),
    ],
)
def test_an_action_of_nobody_or_never_is_refused(line: str, missing: str) -> None:
    """The message shows how it is written."""
    with pytest.raises(InputError, match=f"{missing}.*owner: ada, due: 2026-03-09"):
        read_action(line)


@pytest.mark.req("R5")
def test_sections_are_read_as_people_write_them() -> None:
    """Line ends, paragraphs, several items, an item over two lines; what is empty is left out."""
    text = (
        "## Root cause\r\n\r\nTwo\r\nlines.\r\n\r\n## Impact\n\n_To be filled in._\n"
        "## Actions\n\n- [ ] one\n  more (owner: ada, due: 2026-03-09)\n- [x] two\n\n"
        "A paragraph (owner: bo, due: 2026-03-10)\n\n## Prevention\n\n\n## Other\n\nx\n"
    )
    found = read_sections(text)
    assert found.keys() == {"root_cause", "actions"}
    assert found["root_cause"].split() == ["Two", "lines."]
    assert [action["text"] for action in found["actions"]] == ["one more", "two", "A paragraph"]


@pytest.mark.req("R5")
@given(st.text(), st.sampled_from(["Root cause", "Impact", "Actions", "Prevention"]))
def test_whatever_stands_in_a_file_is_read_or_is_bad_input(text: str, title: str) -> None:
    """No text can make reading fail in another way."""
    try:
        found = read_sections(f"## {title}\n\n{text}\n")
    except InputError:
        return
    assert section_of(f"## {title}\n", title) == ""
    assert set(found) <= {"root_cause", "impact", "actions", "prevention"}


@pytest.mark.req("R6")
def test_the_recovery_begins_on_the_day_of_the_plans_zone() -> None:
    """Late in the evening in UTC is the next day in Tokyo: its day 1 is that one."""
    late = datetime(2026, 2, 27, 22, 0, tzinfo=UTC)
    assert recovery_plan(late, "UTC")[0].since == date(2026, 2, 27)
    stabilise, analyse, improve, retry = recovery_plan(late, "Asia/Tokyo")
    assert (stabilise.since, stabilise.until) == (date(2026, 2, 28), date(2026, 2, 28))
    assert (analyse.since, analyse.until) == (date(2026, 3, 1), date(2026, 3, 2))
    assert (improve.since, improve.until) == (date(2026, 3, 3), date(2026, 3, 6))
    assert (retry.since, retry.until) == (date(2026, 3, 7), None)
