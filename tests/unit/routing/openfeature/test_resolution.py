from __future__ import annotations

import re
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from openfeature.exception import ErrorCode
from openfeature.flag_evaluation import FlagType, Reason

from switchover.routing.flags import Evaluation
from switchover.routing.openfeature.resolution import REASONS, failed, resolved

pytestmark = pytest.mark.req("T12")

JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-(10**9), 10**9) | st.floats(-1e9, 1e9) | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=5,
)
TYPES = {
    FlagType.BOOLEAN: {bool},
    FlagType.STRING: {str},
    FlagType.INTEGER: {int},
    FlagType.FLOAT: {float},
    FlagType.OBJECT: {dict, list},
}
MISMATCH = (Reason.ERROR, ErrorCode.TYPE_MISMATCH)


def of(value: Any, reason: str = "static", variant: str = "x") -> Evaluation:
    return Evaluation(True, variant, value, reason, 3)


@pytest.mark.parametrize(
    ("kind", "value"),
    [
        (FlagType.BOOLEAN, False),
        (FlagType.STRING, ""),
        (FlagType.INTEGER, 0),
        (FlagType.INTEGER, 10**400),
        (FlagType.FLOAT, 0.5),
        (FlagType.OBJECT, {}),
        (FlagType.OBJECT, [1, {"a": None}]),
    ],
)
def test_value_of_the_asked_kind_is_given_as_it_is(kind: FlagType, value: Any) -> None:
    """Value, variant and metadata are the flag's, and there is no error."""
    details = resolved(of(value), kind, "default", {"version": 3})
    assert details.value == value
    assert type(details.value) is type(value)
    assert (details.variant, details.reason, details.error_code) == ("x", Reason.STATIC, None)
    assert details.flag_metadata == {"version": 3}


def test_integer_is_also_a_float() -> None:
    """JSON writers drop a fraction of nothing; who asks for a float gets one."""
    details = resolved(of(2), FlagType.FLOAT, 0.1, {})
    assert type(details.value) is float
    assert details.value == 2.0


@pytest.mark.parametrize(
    ("kind", "value"),
    [
        (FlagType.BOOLEAN, 1),
        (FlagType.BOOLEAN, "true"),
        (FlagType.STRING, 1),
        (FlagType.STRING, None),
        (FlagType.INTEGER, True),
        (FlagType.INTEGER, 2.0),
        (FlagType.INTEGER, "2"),
        (FlagType.FLOAT, True),
        (FlagType.FLOAT, "0.5"),
        (FlagType.FLOAT, 10**400),
        (FlagType.OBJECT, "{}"),
        (FlagType.OBJECT, True),
    ],
)
def test_value_of_another_kind_is_a_mismatch(kind: FlagType, value: Any) -> None:
    """The caller's default, an error that names both kinds, and no variant."""
    default = object()
    details = resolved(of(value), kind, default, {"version": 3})
    assert details.value is default
    assert (details.reason, details.error_code, details.variant) == (*MISMATCH, None)
    assert type(value).__name__ in str(details.error_message)
    assert kind.lower() in str(details.error_message)
    assert details.flag_metadata == {"version": 3}


@given(JSON, st.sampled_from(FlagType))
def test_any_value_is_of_the_asked_kind_or_a_mismatch(value: Any, kind: FlagType) -> None:
    """Nothing that a flag can hold makes an evaluation fail, or lets another type through."""
    default = object()
    details = resolved(of(value), kind, default, {})
    if details.error_code is None:
        assert type(details.value) in TYPES[kind]
        assert details.value == value
    else:
        assert details.value is default
        assert type(value) not in TYPES[kind]


def test_object_is_the_callers_own_copy() -> None:
    """What a caller does to its value changes nothing for the next."""
    value = {"list": [1]}
    details = resolved(of(value), FlagType.OBJECT, {}, {})
    details.value["list"].append(2)
    assert value == {"list": [1]}


@pytest.mark.parametrize("kind", FlagType)
def test_flag_that_is_off_without_a_variant_gives_the_default(kind: FlagType) -> None:
    """It has no value to give: no error, whatever the kind."""
    default = object()
    details = resolved(Evaluation(False, "", None, "disabled", 3), kind, default, {})
    assert details.value is default
    assert (details.reason, details.error_code) == (Reason.DISABLED, None)


def test_flag_that_is_off_gives_the_variant_for_that() -> None:
    """A named off variant has a value, which beats the caller's default."""
    details = resolved(
        Evaluation(False, "plain", "grey", "disabled", 3), FlagType.STRING, "red", {}
    )
    assert (details.value, details.variant, details.reason) == ("grey", "plain", Reason.DISABLED)


@pytest.mark.parametrize(("reason", "wanted"), REASONS.items())
def test_every_reason_has_its_word(reason: str, wanted: Reason) -> None:
    """OpenFeature's reason for ours; what is stale says that first."""
    assert resolved(of(True, reason), FlagType.BOOLEAN, False, {}).reason == wanted
    stale = resolved(of(True, reason), FlagType.BOOLEAN, False, {}, stale=True)
    assert (stale.value, stale.reason) == (True, Reason.STALE)


def test_no_documented_reason_is_left_out() -> None:
    """Every reason that an evaluation's documentation lists is mapped, or is an error."""
    documented = set(re.findall(r"``([a-z_]+)``", (Evaluation.__doc__ or "").split("one of")[-1]))
    assert documented - set(REASONS) == {"unknown", "no_key"}


def test_reason_of_a_newer_core_is_unknown() -> None:
    """Not understood is not an error."""
    assert resolved(of(True, "moon"), FlagType.BOOLEAN, False, {}).reason == Reason.UNKNOWN


def test_failure_gives_the_default_and_says_why() -> None:
    """An error code and a sentence, reason ERROR."""
    details = failed(ErrorCode.TARGETING_KEY_MISSING, "no key", 7)
    assert (details.value, details.reason) == (7, Reason.ERROR)
    assert (details.error_code, details.error_message) == (
        ErrorCode.TARGETING_KEY_MISSING,
        "no key",
    )
