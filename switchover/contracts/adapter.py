"""A consumer's adapter: found by name, and run so that nothing it does breaks the caller."""

from __future__ import annotations

import copy
import importlib
import inspect
import json
import math
import sys
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from switchover.contracts.schema import json_path
from switchover.errors import InputError

Function = Callable[[Any], Any]


@dataclass(frozen=True, slots=True)
class Adapted:
    """What an adapter gave: the consumer's answer, or the fault that kept it from one.

    ``kind`` is ``exception``, ``mutation`` or ``not_json`` when there is a fault.
    """

    answer: Any = None
    kind: str = ""
    fault: str = ""


def resolve(target: str, role: str) -> Function:
    """The function that ``module:function`` names; ``role`` is what the message calls it.

    Modules come from the Python path and from nowhere else, so a plan runs no file that
    the operator has not installed. The standard library's functions are refused: with
    ``os:system`` a recording would be a command. Raises ``InputError``.
    """
    module_name, _, name = target.partition(":")
    if _standard(module_name):
        raise InputError(_not_yours(target, role, module_name))
    try:
        module = importlib.import_module(module_name)
    except ModuleNotFoundError as error:
        missing = error.name or module_name
        if module_name == missing or module_name.startswith(f"{missing}."):
            advice = "install it, or add its directory to PYTHONPATH"
        else:
            advice = f"it imports {missing}, which is not installed here"
        raise InputError(f"{role} {target}: no module {missing}; {advice}") from error
    except Exception as error:
        raise InputError(
            f"{role} {target}: importing {module_name} fails with {named(error)}; "
            f"try: python -c 'import {module_name}'"
        ) from error
    function = getattr(module, name, None)
    if not callable(function):
        what = "is not a function" if hasattr(module, name) else "does not exist"
        raise InputError(f"{role} {target}: {name} {what} in {module_name}; correct the plan")
    home = getattr(function, "__module__", None) or module_name
    if (inspect.isroutine(function) or inspect.isclass(function)) and _standard(home):
        raise InputError(_not_yours(target, role, home))
    if inspect.iscoroutinefunction(function):
        raise InputError(f"{role} {target}: is async; make it a plain function")
    return function  # type: ignore[no-any-return]


def _standard(module_name: str) -> bool:
    return module_name.partition(".")[0] in sys.stdlib_module_names


def _not_yours(target: str, role: str, module_name: str) -> str:
    return (
        f"{role} {target}: {module_name} is of Python's standard library; "
        "name a function of your own"
    )


def adapt(function: Function, answer: Any) -> Adapted:
    """Run an adapter on a copy of ``answer``; whatever goes wrong is a fault, not an error."""
    given = copy.deepcopy(answer)
    try:
        result = function(given)
    except (Exception, SystemExit) as error:
        return Adapted(kind="exception", fault=f"the adapter raises {named(error)}")
    if (path := _difference(answer, given)) is not None:
        return Adapted(kind="mutation", fault=f"{path}: the adapter changes its input; copy it")
    if fault := not_json(result):
        return Adapted(kind="not_json", fault=fault)
    return Adapted(answer=result)


def named(error: BaseException) -> str:
    """An error's type and first line, cut to 160 characters."""
    text = " ".join(str(error).split())
    return f"{type(error).__name__}: {text}"[:160] if text else type(error).__name__


def not_json(value: Any) -> str:
    """Where and why a value can't be sent as JSON; empty when it can."""
    pending: list[tuple[tuple[str | int, ...], Any]] = [((), value)]
    while pending:
        path, item = pending.pop()
        if len(path) > 500:
            return f"{json_path(path[:3])}…: nested too deeply, or holds itself"
        if isinstance(item, dict):
            for key, child in item.items():
                if not isinstance(key, str):
                    return f"{json_path(path)}: a key is {type(key).__name__}, JSON has strings"
                pending.append(((*path, key), child))
        elif isinstance(item, list | tuple):
            pending.extend(((*path, index), child) for index, child in enumerate(item))
        elif isinstance(item, float):
            if not math.isfinite(item):
                return f"{json_path(path)}: {item} is not a JSON number"
        elif not isinstance(item, str | int | None):
            return f"{json_path(path)}: {type(item).__name__} is not a JSON type"
    return ""


def _difference(before: Any, after: Any) -> str | None:
    """Path of the first top-level part that differs, in value or type."""
    if _text(before) == _text(after):
        return None
    if isinstance(before, dict) and isinstance(after, dict):
        for key in [*before, *(key for key in after if key not in before)]:
            if key not in before or key not in after or _text(before[key]) != _text(after[key]):
                return json_path([str(key)])
    return "$"


def _text(value: Any) -> str:
    # repr keeps what == blurs: 1, 1.0 and True; a value that holds itself still has one.
    try:
        return json.dumps(value, sort_keys=True)
    except (TypeError, ValueError, RecursionError):
        return repr(value)
