from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import pytest

from switchover.contracts.adapter import adapt, not_json, resolve
from switchover.errors import InputError


@pytest.fixture
def module(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest) -> Any:
    """Make a module of this test on the Python path; gives its name."""
    name = f"adapters_of_{request.node.originalname}"

    def make(source: str) -> str:
        (tmp_path / f"{name}.py").write_text(source)
        return name

    monkeypatch.syspath_prepend(str(tmp_path))
    yield make
    sys.modules.pop(name, None)


@pytest.mark.req("C1")
def test_an_adapter_is_found_by_module_and_function(module: Any) -> None:
    """On the Python path."""
    name = module("def double(x): return x * 2")
    assert resolve(f"{name}:double", "adapter")(21) == 42


@pytest.mark.req("C1")
@pytest.mark.parametrize(
    ("source", "function", "message"),
    [
        ("value = 1", "value", "value is not a function in"),
        ("value = 1", "other", "other does not exist in"),
        ("import nowhere_at_all", "f", "it imports nowhere_at_all, which is not installed"),
        ("1 / 0", "f", "fails with ZeroDivisionError: division by zero; try: python -c"),
        ("def f(:", "f", "fails with SyntaxError"),
        ("async def f(x): return x", "f", "is async; make it a plain function"),
    ],
)
def test_what_keeps_an_adapter_from_loading_is_named(
    module: Any, source: str, function: str, message: str
) -> None:
    """Each with the plan's words and what to do."""
    target = f"{module(source)}:{function}"
    with pytest.raises(InputError) as caught:
        resolve(target, "adapter")
    assert str(caught.value).startswith(f"adapter {target}: ")
    assert message in str(caught.value)


@pytest.mark.req("C1")
def test_a_module_that_is_not_there_is_named_with_the_remedy() -> None:
    """The Python path is where modules come from."""
    with pytest.raises(InputError, match=r"no module nowhere; install it, or .* PYTHONPATH"):
        resolve("nowhere.adapters:f", "adapter")


@pytest.mark.req("C1")
@pytest.mark.parametrize("target", ["os:system", "builtins:eval", "subprocess:run"])
def test_no_recording_becomes_a_command(target: str) -> None:
    """SWITCHOVER_ALLOW_COMMANDS is no list that an adapter gets round."""
    with pytest.raises(InputError, match="of Python's standard library; name a function of your"):
        resolve(target, "adapter")


@pytest.mark.req("C1")
def test_a_command_by_way_of_another_module_is_refused_too(module: Any) -> None:
    """What a module imports is not its own."""
    name = module("from os import system")
    with pytest.raises(InputError, match="of Python's standard library"):
        resolve(f"{name}:system", "adapter")


@pytest.mark.req("C1")
def test_modules_beside_the_plan_are_not_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A plan can't bring code: the working directory is not searched."""
    (tmp_path / "planted_adapter.py").write_text("def f(x): return x")
    monkeypatch.setattr(sys, "path", [entry for entry in sys.path if entry not in ("", ".")])
    monkeypatch.chdir(tmp_path)
    with pytest.raises(InputError, match="no module planted_adapter"):
        resolve("planted_adapter:f", "adapter")


def raise_system_exit(_: Any) -> Any:
    raise SystemExit("enough")


@pytest.mark.req("P4")
@pytest.mark.parametrize(
    ("function", "kind", "fault"),
    [
        (lambda a: a["none"], "exception", "the adapter raises KeyError: 'none'"),
        (raise_system_exit, "exception", "the adapter raises SystemExit: enough"),
        (lambda a: a.pop("risk"), "mutation", "$.risk: the adapter changes its input"),
        (lambda a: a.update(risk=1), "mutation", "$.risk: the adapter changes its input"),
        (lambda a: a["rows"].append(1), "mutation", "$.rows: the adapter changes its input"),
        (lambda a: {"x": {1, 2}}, "not_json", "$.x: set is not a JSON type"),
        (lambda a: {"x": [0.0, float("inf")]}, "not_json", "$.x[1]: inf is not a JSON number"),
        (lambda a: {1: 2}, "not_json", "$: a key is int, JSON has strings"),
    ],
)
def test_whatever_goes_wrong_in_an_adapter_is_a_fault(function: Any, kind: str, fault: str) -> None:
    """Exceptions, changed input (also 1.0 to 1) and answers that can't be sent."""
    adapted = adapt(function, {"risk": 1.0, "rows": []})
    assert adapted.kind == kind
    assert adapted.fault.startswith(fault)
    assert adapted.answer is None


@pytest.mark.req("P4")
def test_an_adapter_gets_a_copy() -> None:
    """The recording stays as it was recorded, even when the adapter changes what it got."""
    answer = {"rows": [1]}
    assert adapt(lambda a: a["rows"].clear(), answer).kind == "mutation"
    assert answer == {"rows": [1]}
    assert adapt(lambda a: a, answer).answer == answer


@pytest.mark.req("P4")
def test_an_answer_that_holds_itself_is_refused() -> None:
    """It ends, with a fault."""
    loop: list[Any] = []
    loop.append(loop)
    assert "nested too deeply" in not_json(loop)
    assert not_json({"a": (1, "b", None, True, 0.5)}) == ""
