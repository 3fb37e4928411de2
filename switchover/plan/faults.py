"""Turn pydantic's errors into faults in plain words, each with its place and advice."""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable, Iterator
from typing import Any

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from switchover.errors import Fault
from switchover.plan.shape import Spot, spot, tagged, unwrapped
from switchover.plan.tree import (
    Mapping,
    Mark,
    Node,
    Path,
    Scalar,
    Sequence,
    dotted,
    find,
    place,
)

#: What each of pydantic's type errors expects, and the advice for it.
_EXPECTED = {
    "string_type": ("text", ""),
    "int_type": ("a whole number", "write it without quotes, unit or point"),
    "int_parsing_size": ("a smaller number", ""),
    "float_type": ("a number", "write it without quotes or unit"),
    "bool_type": ("true or false", "write true or false, without quotes"),
    "list_type": ("a list", "write items as '- item' lines or in [ ]"),
    "dict_type": ("keys and values", "write key: value"),
    "model_type": ("keys and values", ""),
    "model_attributes_type": ("keys and values", ""),
}


def faults_of(error: ValidationError, tree: Mapping) -> list[Fault]:
    """One fault per mistake in ``tree``: a misspelt key is not also reported as missing."""
    details = error.errors(include_url=False)
    spots = [(detail, spot(detail["loc"])) for detail in details]
    missing = {s.path for d, s in spots if d["type"] == "missing"}
    missing |= {(*s.path, "kind") for d, s in spots if d["type"] == "union_tag_not_found"}
    faults: list[Fault] = []
    meant: set[Path] = set()
    for detail, where in spots:
        if detail["type"] == "extra_forbidden":
            fault, target = _unknown_key(where, tree, missing)
            faults.append(fault)
            meant.update({target} if target else ())
    for detail, where in spots:
        if detail["type"] == "union_tag_not_found":
            faults.append(_no_kind(where, tree))
        elif detail["type"] == "missing":
            if where.path not in meant:
                faults.append(_missing(where, tree))
        elif detail["type"] != "extra_forbidden":
            faults.append(_wrong_value(detail, where, tree))
    return faults


def fault_at(mark: Mark, path: Path, message: str, suggestion: str = "") -> Fault:
    """A fault at ``mark`` about ``path``."""
    return Fault(mark.file, mark.line, mark.column, dotted(path), message, suggestion)


def nearest(word: str, known: Iterable[str]) -> str | None:
    """The known word that ``word`` is most likely a misspelling of."""
    by_letters = {_letters(item): item for item in known}
    close = difflib.get_close_matches(_letters(word), by_letters, n=1, cutoff=0.65)
    return by_letters[close[0]] if close else None


def shown(value: Any) -> str:
    """``value`` as a message may show it: short, and without credentials in addresses."""
    if isinstance(value, bool):
        return str(value).lower()
    text = re.sub(r"://[^/@\s]*@", "://…@", str(value))
    text = text.replace("\n", " ")
    return text if len(text) <= 40 else text[:39] + "…"


def kind_of(node: Node | None) -> str:
    """What a value is, in words."""
    if isinstance(node, Mapping):
        return "keys and values"
    if isinstance(node, Sequence):
        return "a list"
    if node is None or node.value is None:
        return "nothing"
    if isinstance(node.value, bool):
        return shown(node.value)
    if isinstance(node.value, str):
        return f"the text '{shown(node.value)}'"
    return f"the number {shown(node.text)}"


def _letters(word: str) -> str:
    return re.sub(r"[^a-z0-9]", "", word.lower())


def _unknown_key(where: Spot, tree: Mapping, missing: set[Path]) -> tuple[Fault, Path | None]:
    key, holder_path = str(where.path[-1]), where.path[:-1]
    known = list(where.holder.model_fields) if where.holder else []
    holder = find(tree, holder_path)
    present = holder.entries if isinstance(holder, Mapping) else {}
    guess = nearest(key, [name for name in known if name not in present]) or nearest(key, known)
    kind = present.get("kind")
    owner = "this place"
    if kind and isinstance(kind.value, Scalar) and "kind" in known:
        owner = f"kind {shown(kind.value.value)}"
    message = f"unknown key '{shown(key)}'" + ("" if owner == "this place" else f" for {owner}")
    advice = f"did you mean '{guess}'?" if guess else "known keys: " + ", ".join(known)
    if guess and guess in present:
        advice = f"did you mean '{guess}'? It is here already, so remove this key"
    target = (*holder_path, guess) if guess else None
    fault = fault_at(place(tree, where.path, key=True), where.path, message, advice)
    return fault, target if target in missing else None


def _missing(where: Spot, tree: Mapping) -> Fault:
    meaning = where.field.description if where.field else None
    if not meaning and where.annotation is not None:
        model = unwrapped(where.annotation)
        if isinstance(model, type) and issubclass(model, BaseModel):
            meaning = (model.__doc__ or "").strip().splitlines()[0].rstrip(".").lower()
    key = str(where.path[-1])
    advice = f"add {key}" + (f": {meaning}" if meaning else "")
    mark = place(tree, where.path[:-1])
    return fault_at(mark, where.path, f"the key '{key}' is missing", advice)


def _no_kind(where: Spot, tree: Mapping) -> Fault:
    kinds = ", ".join(tagged(where.annotation))
    holder = find(tree, where.path)
    guess = nearest("kind", holder.entries) if isinstance(holder, Mapping) else None
    if guess and isinstance(holder, Mapping):
        path = (*where.path, guess)
        return fault_at(holder.entries[guess].mark, path, f"unknown key '{guess}'",
                        "did you mean 'kind'?")  # fmt: skip
    return fault_at(place(tree, where.path), (*where.path, "kind"), "the key 'kind' is missing",
                    f"add kind: one of {kinds}")  # fmt: skip


def _wrong_value(detail: ErrorDetails, where: Spot, tree: Mapping) -> Fault:
    path, context = where.path, detail.get("ctx", {})
    if detail["type"] == "union_tag_invalid":
        path = (*path, "kind")
    if detail["type"] == "at_key" and context.get("key"):
        path = (*path, str(context["key"]))
    node = find(tree, path)
    message, advice = _words(detail, where, node)
    return fault_at(place(tree, path), path, message, advice)


def _words(detail: ErrorDetails, where: Spot, node: Node | None) -> tuple[str, str]:
    kind, context = detail["type"], detail.get("ctx", {})
    empty = isinstance(node, Scalar) and node.value is None
    if kind == "at_key":
        return _halves(str(context["message"]))
    if empty:
        needed = where.field is not None and where.field.is_required()
        return "the value is empty", "write a value" + ("" if needed else ", or remove the key")
    written = shown(node.text if isinstance(node, Scalar) else detail.get("input"))
    if kind == "union_tag_invalid":
        return _choice(str(context.get("tag")), list(tagged(where.annotation)))
    if kind == "literal_error":
        return _choice(written, list(where.choices))
    if kind == "value_error":
        if isinstance(node, Scalar) and node.quoted and re.fullmatch(r"[\d.]+", node.text):
            return f"the number {written} is in quotes", "remove them"
        return _halves(str(context.get("error", detail["msg"])))
    if kind == "string_pattern_mismatch" and where.form:
        said = "what stands here" if where.form.secret else f"'{written}'"
        return f"{said} is not {where.form.words}", f"write it like {where.form.example}"
    if kind in _EXPECTED:
        return _wrong_type(kind, where, node)
    bounds = {
        "greater_than": ("is too small", "above", "gt"),
        "greater_than_equal": ("is too small", "of at least", "ge"),
        "less_than": ("is too large", "below", "lt"),
        "less_than_equal": ("is too large", "of at most", "le"),
    }
    if kind in bounds:
        what, word, key = bounds[kind]
        return f"{written} {what}", f"write a value {word} {context[key]:g}"
    if kind in ("too_short", "string_too_short"):
        return ("the list is empty", "write at least one item") if kind == "too_short" else (
            "the text is empty", "write one")  # fmt: skip
    if kind == "string_too_long":
        return "the text is too long", f"use at most {context.get('max_length')} characters"
    return f"'{written}' does not fit here: {detail['msg'].lower()}", "see docs/reference/plan.md"


def _wrong_type(kind: str, where: Spot, node: Node | None) -> tuple[str, str]:
    expected, advice = _EXPECTED[kind]
    if isinstance(node, Scalar) and kind == "string_type" and node.value is not None:
        advice = f'put it in quotes: "{shown(node.text)}"'
    model = unwrapped(where.annotation)
    if not advice and isinstance(model, type) and issubclass(model, BaseModel):
        advice = "its keys are " + ", ".join(model.model_fields)
    elif not advice and tagged(model):
        advice = "begin with kind: one of " + ", ".join(tagged(model))
    return f"expected {expected}, found {kind_of(node)}", advice or "write " + expected


def _choice(written: str, known: list[Any]) -> tuple[str, str]:
    guess = nearest(written, [str(item) for item in known])
    listed = ", ".join(str(item) for item in known)
    listed = f"one of {listed}" if known[1:] else listed
    advice = f"did you mean '{guess}'?" if guess else f"use {listed}"
    return f"'{shown(written)}' is not known here", advice


def _halves(message: str) -> tuple[str, str]:
    what, _, advice = message.partition("; ")
    return what, advice


def ordered(faults: Iterable[Fault], files: Iterator[str] | Iterable[str]) -> tuple[Fault, ...]:
    """``faults`` without repetitions, by file in the order given, then by place."""
    rank = {file: index for index, file in enumerate(files)}
    return tuple(
        sorted(
            dict.fromkeys(faults),
            key=lambda f: (rank.get(f.file, len(rank)), f.line, f.column, f.field),
        )
    )
