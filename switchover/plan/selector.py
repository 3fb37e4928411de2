"""PromQL selectors, as far as a plan needs them: ``name{label="value", other=~"5.."}``."""

from __future__ import annotations

import re

_TEXT = r'"(?:[^"\\]|\\.)*"|\'(?:[^\'\\]|\\.)*\'|`[^`]*`'
_MATCHER = rf"\s*([A-Za-z_]\w*)\s*(?:=~|!~|!=|=)\s*(?:{_TEXT})\s*"
_SELECTOR = re.compile(
    rf"\s*([A-Za-z_:][\w:]*)?\s*(?:\{{((?:{_MATCHER},)*(?:{_MATCHER})?)\s*\}})?\s*"
)
_ONE = re.compile(_MATCHER)


def is_selector(text: str) -> bool:
    """Whether it selects series and does nothing with them."""
    found = _SELECTOR.fullmatch(text)
    return found is not None and bool(metric_name(text) or label_names(text))


def metric_name(selector: str) -> str:
    """The metric's name in front of the braces; empty without one."""
    found = _SELECTOR.fullmatch(selector)
    return (found.group(1) or "") if found else ""


def label_names(selector: str) -> list[str]:
    """The labels that are matched, in order."""
    found = _SELECTOR.fullmatch(selector)
    return list(_ONE.findall(found.group(2) or "")) if found else []
