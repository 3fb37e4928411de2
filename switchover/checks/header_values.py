"""Headers as they are sent: a plan names the variables that hold secrets."""

from __future__ import annotations

from collections.abc import Mapping

from switchover.errors import InputError


def header_values(
    headers: Mapping[str, str], environ: Mapping[str, str], who: str
) -> dict[str, str]:
    """``headers`` with a variable's value in place of ``env:NAME``. Raises ``InputError``, in the
    name of ``who``, for a variable that is not set."""
    return {name: _value(text, environ, who) for name, text in headers.items()}


def _value(text: str, environ: Mapping[str, str], who: str) -> str:
    if not text.startswith("env:"):
        return text
    variable = text.removeprefix("env:")
    value = environ.get(variable, "").strip()
    if not value:
        raise InputError(
            f"{who}: the environment variable {variable} is not set; set it where rollbacks are run"
        )
    return value
