"""What text in a plan may look like, and the base of all its models."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field
from pydantic_core import PydanticCustomError


@dataclass(frozen=True, slots=True)
class Form:
    """What text of some pattern is, in words, and one example; for messages. What stands where
    the name of a variable belongs may be a ``secret``, and is not repeated."""

    words: str
    example: str
    secret: bool = False


Slug = Annotated[
    str,
    Field(pattern=r"^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$"),
    Form("a short name of lower-case letters, digits and hyphens", "mood-v3"),
]
Target = Annotated[
    str,
    Field(pattern=r"^[A-Za-z_]\w*(\.[A-Za-z_]\w*)*:[A-Za-z_]\w*$"),
    Form("module:function", "clinic.adapters:to_v1"),
]
Url = Annotated[
    str,
    Field(pattern=r"^https?://[^\s/]+(/.*)?$"),
    Form("an http address", "http://127.0.0.1:8020"),
]
TableName = Annotated[
    str, Field(pattern=r"^[A-Za-z_][\w.]*$"), Form("a table's name", "public.assessments")
]
Column = Annotated[str, Field(pattern=r"^[A-Za-z_]\w*$"), Form("a column's name", "order_id")]
UrlPath = Annotated[str, Field(pattern="^/"), Form("a path that begins with /", "/health")]
#: A variable of the worker that reads it, so that no secret stands in a plan.
VARIABLE = r"^env:[A-Za-z_][A-Za-z0-9_]*$"
VARIABLE_WORDS = "env: and the name of a variable"
Token = Annotated[str, Field(pattern=VARIABLE), Form(VARIABLE_WORDS, "env:API_TOKEN", secret=True)]


class Model(BaseModel):
    """Base: unknown keys are errors, values can't be changed."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True, str_strip_whitespace=True)


def at_key(key: str, message: str) -> PydanticCustomError:
    """A fault of one key of a mapping; ``message`` is what is wrong; what to do."""
    return PydanticCustomError("at_key", "{message}", {"message": message, "key": key})
