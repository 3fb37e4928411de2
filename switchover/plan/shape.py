"""The models of a plan as a shape to walk: which model and field stand behind a path."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from types import UnionType
from typing import Annotated, Any, Literal, Union, get_args, get_origin

from pydantic import BaseModel
from pydantic.fields import FieldInfo

from switchover.plan.form import Form
from switchover.plan.spec import Plan
from switchover.plan.tree import Path

Model = type[BaseModel]


@dataclass(frozen=True, slots=True)
class Spot:
    """What the models say about one path.

    ``holder`` is the model that has (or should have) the last key, ``field`` that key's
    field if it is known, ``annotation`` the type of the value itself.
    """

    path: Path
    holder: Model | None
    field: FieldInfo | None
    annotation: Any

    @property
    def form(self) -> Form | None:
        """The words for the pattern of this value, where it has one."""
        metadata = self.field.metadata if self.field else []
        own = next((item for item in metadata if isinstance(item, Form)), None)
        return own or _form(self.annotation)

    @property
    def choices(self) -> tuple[Any, ...]:
        """The values a literal allows."""
        bare = unwrapped(self.annotation)
        return get_args(bare) if get_origin(bare) is Literal else ()


def spot(loc: Sequence[str | int]) -> Spot:
    """Where pydantic's ``loc`` points: the tags it adds for unions are not part of the path."""
    annotation: Any = Plan
    path: list[str | int] = []
    holder: Model | None = None
    field: FieldInfo | None = None
    for step in loc:
        variants = tagged(annotation)
        if variants and isinstance(step, str) and step in variants:
            annotation = variants[step]
            continue
        bare = unwrapped(annotation)
        path.append(step)
        if isinstance(bare, type) and issubclass(bare, BaseModel):
            holder, field = bare, bare.model_fields.get(str(step))
            annotation = field.annotation if field else None
        else:
            arguments = get_args(bare)
            annotation = arguments[-1] if get_origin(bare) in (list, dict) and arguments else None
            field = None
    return Spot(tuple(path), holder, field, annotation)


def unwrapped(annotation: Any) -> Any:
    """``annotation`` without ``Annotated`` and without ``| None``."""
    while True:
        if get_origin(annotation) is Annotated:
            annotation = get_args(annotation)[0]
        elif get_origin(annotation) in (Union, UnionType):
            some = [item for item in get_args(annotation) if item is not type(None)]
            if len(some) != 1:
                return annotation
            annotation = some[0]
        else:
            return annotation


def tagged(annotation: Any) -> dict[str, Model]:
    """The models of a union by the value of ``kind`` that selects each; empty for others."""
    bare = unwrapped(annotation)
    if get_origin(bare) not in (Union, UnionType):
        return {}
    models = [m for m in get_args(bare) if isinstance(m, type) and issubclass(m, BaseModel)]
    return {get_args(model.model_fields["kind"].annotation)[0]: model for model in models}


def _form(annotation: Any) -> Form | None:
    if get_origin(annotation) is Annotated:
        inner, *metadata = get_args(annotation)
        return next((item for item in metadata if isinstance(item, Form)), None) or _form(inner)
    if get_origin(annotation) in (Union, UnionType):
        return next(filter(None, map(_form, get_args(annotation))), None)
    return None
