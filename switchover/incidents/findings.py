"""What people write about an incident, as Markdown sections, and how it is read back."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from datetime import date
from html import escape, unescape
from typing import Any

from switchover.errors import InputError
from switchover.incidents.redaction import redact

TO_FILL_IN = "_To be filled in._"
#: Heading of the report's section -> the field of `IncidentUpdated`.
TITLES = {
    "Root cause": "root_cause",
    "Impact": "impact",
    "Actions": "actions",
    "Prevention": "prevention",
}
_EXAMPLE = "pin the cache's age (owner: ada, due: 2026-03-09)"
_ITEM = re.compile(r"^[-*]\s+(?:\[(?P<done>[ xX])\](?:\s+|$))?(?P<text>.*)$")
_WHO = re.compile(r"\s*\((?P<parts>(?:(?:owner|due|done)\b[^()]*))\)\s*$")

_HEADING = re.compile(r"(?m)^\\(?=#{1,6} )")

Action = dict[str, str]


def read_action(line: str) -> Action:
    """An action from ``TEXT (owner: NAME, due: YYYY-MM-DD)``; ``- [x]`` before it says that it is
    done. One that is not done needs an owner and a date: raises ``InputError``."""
    item = _ITEM.match(line.strip())
    text = item["text"] if item else line.strip()
    action = {"done": "yes"} if item is not None and (item["done"] or " ") in "xX" else {}
    who = _WHO.search(text)
    if who is not None:
        text = text[: who.start()]
        for part in who["parts"].split(","):
            name, _, value = part.partition(":")
            if name.strip() in ("owner", "due"):
                action[name.strip()] = value.strip()
    action["text"] = " ".join(text.split())
    wanted = ("text",) if "done" in action else ("text", "owner", "due")
    missing = [name for name in wanted if not action.get(name)]
    if missing:
        lacks = "text" if "text" in missing else " and ".join(missing)
        raise InputError(f"the action {line.strip()!r} has no {lacks}; write it like {_EXAMPLE!r}")
    if action.get("due"):
        _check_date(action["due"], line)
    return action


def spell_action(action: Mapping[str, str]) -> str:
    """The same as a line of Markdown."""
    who = [f"{name}: {action[name]}" for name in ("owner", "due") if action.get(name)]
    mark = "x" if action.get("done") else " "
    return f"- [{mark}] {one_line(action['text'])}" + (f" ({one_line(', '.join(who))})" * bool(who))


def read_sections(text: str) -> dict[str, Any]:
    """What people wrote in a report's sections, by field; sections that are empty or untouched
    are left out. Raises ``InputError`` for an action without owner or date."""
    found: dict[str, Any] = {}
    for title, name in TITLES.items():
        body = section_of(text, title)
        if body is None or not filled_in(body):
            continue
        if name == "actions":
            found[name] = tuple(read_action(line) for line in _items(body))
        else:
            found[name] = _HEADING.sub("", unescape(body))
    return found


def section_of(text: str, title: str) -> str | None:
    """The body below ``## title``; None where there is no such heading."""
    match = re.search(rf"^## {title}[ \t]*\r?\n(.*?)(?=^## |\Z)", text, re.DOTALL | re.MULTILINE)
    return match[1].strip() if match else None


def with_section(text: str, title: str, body: str) -> str:
    """``text`` with another body below ``## title``."""
    pattern = rf"(^## {title}[ \t]*\r?\n)(.*?)(?=^## |\Z)"
    match = re.search(pattern, text, re.DOTALL | re.MULTILINE)
    if match is None:
        return text
    rest = text[match.end() :]
    return f"{text[: match.end(1)]}\n{body}\n" + (f"\n{rest}" if rest else "")


def filled_in(body: str) -> bool:
    """Whether a person wrote there. What is to compensate stands there from the beginning."""
    return bool(body.strip()) and not body.strip().endswith(TO_FILL_IN)


def block(text: str) -> str:
    """People's text for a report: without secrets, and unable to open a tag or a heading."""
    safe = escape(redact(text.strip()), quote=False)
    return re.sub(r"(?m)^(?=#{1,6} )", r"\\", safe)  # `read_sections` takes it back


def one_line(text: str) -> str:
    """Text from elsewhere on one line, without secrets, and unable to open a comment or a tag."""
    return escape(redact(" ".join(text.split())), quote=False)


def cell(text: str) -> str:
    """The same for a cell of a table."""
    return one_line(text).replace("|", "\\|")


def same(left: str, right: str) -> bool:
    """Whether two bodies say the same, whatever an editor did to spaces and escapes."""
    return _core(left) == _core(right)


def _core(text: str) -> str:
    return " ".join(_HEADING.sub("", unescape(redact(text))).split())


def _items(body: str) -> Sequence[str]:
    """The list's items, each on one line; a paragraph outside a list is one, too."""
    items: list[str] = []
    fresh = True
    for line in unescape(body).splitlines():
        if not line.strip():
            fresh = True
        elif fresh or _ITEM.match(line):
            items.append(line.strip())
            fresh = False
        else:
            items[-1] += f" {line.strip()}"
    return items


def _check_date(text: str, line: str) -> None:
    try:
        date.fromisoformat(text)
    except ValueError:
        raise InputError(
            f"the action {line.strip()!r} is due at {text!r}, which is no date; write it like "
            f"{_EXAMPLE!r}"
        ) from None
