"""Great Expectations' rules by the names that plans use."""

from __future__ import annotations

import difflib
import inspect
from collections.abc import Sequence
from functools import cache
from typing import Any

from switchover.errors import InputError
from switchover.integrity.library import load_library
from switchover.plan.spec import Expectation

#: Arguments that belong to the checker.
_OURS = ("batch_id", "catch_exceptions", "id", "meta", "rendered_content", "result_format")
_ROW_COUNT = "table_row_count_"


@cache
def rules() -> dict[str, Any]:
    """Every rule's class by its name without ``expect_``."""
    core = load_library().expectations
    found = {}
    for _, rule in inspect.getmembers(core, inspect.isclass):
        name = getattr(rule, "expectation_type", "")
        if name and not inspect.isabstract(rule):
            found[name.removeprefix("expect_")] = rule
    return found


def build(expectations: Sequence[Expectation], where: str) -> list[Any]:
    """The rules as Great Expectations objects, in order.

    A suite without a rule on the row count gets "at least one row" in front: most rules hold
    on an empty table, and no data is not good data. Raises ``InputError`` for an unknown
    name or bad arguments.
    """
    suite = list(expectations)
    if not any(_plain(each.expect).startswith(_ROW_COUNT) for each in suite):
        suite.insert(
            0, Expectation(expect="table_row_count_to_be_between", arguments={"min_value": 1})
        )
    return [_build(each, position, where) for position, each in enumerate(suite)]


def _plain(name: str) -> str:
    return name.removeprefix("expect_")


def _build(expectation: Expectation, position: int, where: str) -> Any:
    name = _plain(expectation.expect)
    rule = rules().get(name)
    if rule is None:
        close = difflib.get_close_matches(name, rules(), n=1, cutoff=0.6)
        advice = f"did you mean {close[0]}?" if close else f"known are {', '.join(sorted(rules()))}"
        raise InputError(f"{where}: unknown expectation {name!r}; {advice}")
    for argument in expectation.arguments:
        if argument in _OURS:
            raise InputError(
                f"{where}: {name}: argument {argument!r} is set by Switchover; drop it"
            )
    try:
        # The position brings results back into the suite's order.
        return rule(**expectation.arguments, meta={"position": position})
    except (TypeError, ValueError) as error:
        known = [field for field in rule.__fields__ if field not in _OURS]
        raise InputError(f"{where}: {name}: {_first(error, known)}") from error


def _first(error: Exception, known: Sequence[str]) -> str:
    errors = getattr(error, "errors", None)
    if errors is None:
        return str(error)
    faults: dict[str, str] = {}
    for each in errors():
        field = ".".join(str(part) for part in each["loc"] if part != "__root__")
        message = each["msg"]
        if each["type"] == "value_error.extra":
            close = difflib.get_close_matches(field, known, n=1)
            message = "unknown argument" + (f"; did you mean {close[0]}?" if close else "")
        faults.setdefault(field, f"{field}: {message}" if field else message)
    return "; ".join(faults.values())
