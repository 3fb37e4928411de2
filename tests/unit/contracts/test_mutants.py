from __future__ import annotations

import pytest

from switchover.contracts.mutants import sharpness
from switchover.contracts.schema import compile_schema

STRICT = """{"type": "object", "additionalProperties": false, "required": ["risk", "source"],
 "properties": {"risk": {"type": "number"}, "source": {"type": "string"}}}"""
ANSWER = {"risk": 0.5, "source": "now"}


@pytest.mark.req("C2")
def test_a_strict_contract_refuses_every_broken_answer() -> None:
    """Each missing field, each wrong type, one field too many, nothing at all."""
    found = sharpness(ANSWER, compile_schema(STRICT).accepts)
    assert found.survivors == ()
    assert found.tried == found.refused == 7


@pytest.mark.req("C2")
def test_what_a_lax_contract_lets_through_is_named() -> None:
    """A field that is not required may go missing; unknown fields slip in."""
    lax = '{"type": "object", "required": ["risk"], "properties": {"risk": {"type": "number"}}}'
    assert sharpness(ANSWER, compile_schema(lax).accepts).survivors == (
        "source missing",
        "source of another type",
        "a field that is unknown",
    )


@pytest.mark.req("C2")
def test_an_empty_contract_refuses_nothing() -> None:
    """Also for answers that are no objects."""
    assert sharpness(ANSWER, compile_schema("{}").accepts).refused == 0
    assert sharpness(0.5, compile_schema("true").accepts).refused == 0
    assert sharpness(0.5, compile_schema('{"type": "number"}').accepts).refused == 2
